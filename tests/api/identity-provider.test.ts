/** The OpenID provider, as administrators set it. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
	type FakeProvider,
	startFakeProvider,
} from "../support/identity-provider.ts";
import { createFixture, type Fixture } from "./fixture.ts";

const PATH = "/api/identity-provider";

let fixture: Fixture;
let fake: FakeProvider;
beforeEach(async () => {
	fixture = createFixture();
	fake = await startFakeProvider();
});
afterEach(async () => {
	fixture.close();
	await fake.stop();
});

test("a provider is set, shown without its secret, and removed; members have no say", async () => {
	const settings = {
		issuer: fake.issuer,
		clientId: fake.clientId,
		clientSecret: fake.clientSecret,
		domains: ["Example.org", "@example.com"],
		provisions: true,
	};
	const member = fixture.addUser("ada@example.org", "member");
	expect((await fixture.send("PUT", PATH, settings, member)).status).toBe(403);
	const set = await fixture.send("PUT", PATH, settings);
	const shown = await fixture.send("GET", PATH);
	expect([set.status, shown.body["identityProvider"]]).toEqual([
		200,
		{
			issuer: fake.issuer,
			clientId: fake.clientId,
			hasSecret: true,
			domains: ["example.org", "example.com"],
			provisions: true,
			redirectUri: "https://gate.example.org/login/provider/callback",
		},
	]);
	for (const text of [set.text, shown.text, ...fixture.logged])
		expect(text).not.toContain(fake.clientSecret);
	expect((await fixture.send("DELETE", PATH)).status).toBe(200);
	expect((await fixture.send("DELETE", PATH)).status).toBe(404);
	expect((await fixture.send("GET", PATH)).body["identityProvider"]).toBeNull();
	expect(fixture.audit().map(({ action }) => action)).toEqual([
		"identity-provider.set",
		"identity-provider.remove",
	]);
});

test("a provider that cannot be read, or is another, is not set", async () => {
	const dead = { issuer: "http://127.0.0.1:1", clientId: "x" };
	expect((await fixture.send("PUT", PATH, dead)).status).toBe(502);
	fake.behave({ saysIssuer: "https://evil.example" });
	const posing = { issuer: fake.issuer, clientId: "x" };
	const refused = await fixture.send("PUT", PATH, posing);
	expect(refused.status).toBe(502);
	expect(refused.text).not.toContain("evil");
	expect((await fixture.send("GET", PATH)).body["identityProvider"]).toBeNull();
});

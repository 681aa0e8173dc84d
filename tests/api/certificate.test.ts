/** Certificates over the API; a real CA behind it is in `tests/e2e/tls.test.ts`. */
import { afterEach, expect, test } from "bun:test";
import { SallyportError } from "../../src/errors.ts";
import type { Certificates } from "../../src/tls/certificates.ts";
import { createFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
afterEach(() => fixture.close());

const VIEW = {
	names: ["gate.example.org"],
	trusted: true,
	issuer: "R12 (Example CA)",
	fingerprint: "AB:CD",
	notBefore: 1,
	notAfter: 2,
	renewAt: 1,
	explanationUrl: null,
	failure: null,
};

function open(renew: Certificates["renew"]): void {
	fixture = createFixture({
		certificates: { source: "acme", list: () => [VIEW], renew, orders: null },
	});
}

test("a certificate is shown to administrators, and to nobody else", async () => {
	open(async () => {});
	const { body } = await fixture.send("GET", "/api/certificate");
	expect(body).toEqual({ success: true, tls: "acme", certificates: [VIEW] });
	const member = fixture.addUser("ada@example.org", "member");
	for (const [method, path] of [
		["GET", "/api/certificate"],
		["POST", "/api/certificate/renew"],
	] as const) {
		const answer = await fixture.send(method, path, {}, member);
		expect(answer.status).toBe(403);
	}
});

test("a renewal is recorded, and answers with what is shown then", async () => {
	let renewals = 0;
	open(async () => void renewals++);
	const answer = await fixture.send("POST", "/api/certificate/renew", {});
	expect(answer.body).toMatchObject({ certificates: [VIEW] });
	expect(renewals).toBe(1);
	expect(fixture.audit().at(-1)).toMatchObject({ action: "certificate.renew" });
});

test("what the CA refuses is its failure, with what to do", async () => {
	open(async () => {
		throw new SallyportError("upstream", "the CA said no", { hint: "wait" });
	});
	const answer = await fixture.send("POST", "/api/certificate/renew", {});
	expect(answer.status).toBe(502);
	expect(answer.body).toMatchObject({ error: "the CA said no", hint: "wait" });
});

test("in clear there is none, and nothing to renew", async () => {
	fixture = createFixture();
	const { body } = await fixture.send("GET", "/api/certificate");
	expect(body).toMatchObject({ tls: "off", certificates: [] });
	const answer = await fixture.send("POST", "/api/certificate/renew", {});
	expect(answer.status).toBe(400);
	expect(answer.body["hint"]).toContain("--tls acme");
});

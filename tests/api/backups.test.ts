import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { createFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeEach(() => {
	fixture = createFixture();
});
afterEach(() => fixture.close());

test("a backup is made, listed and audited; its bytes do not leave through the API", async () => {
	const made = await fixture.send("POST", "/api/backups", {});
	expect(made.status).toBe(201);
	const { path } = made.body["backup"] as { path: string };
	expect(existsSync(path)).toBe(true);
	const { body } = await fixture.send("GET", "/api/backups");
	expect(body).toMatchObject({
		schedule: "off",
		failure: null,
		backups: [{ path, hasPassphrase: false, schedule: "manual" }],
	});
	expect(fixture.audit().at(-1)?.action).toBe("backup.create");
});

test("a passphrase that protects nothing is refused, and is in no answer", async () => {
	const short = await fixture.send("POST", "/api/backups", {
		passphrase: "short",
	});
	expect(short.status).toBe(400);
	expect(short.text).not.toContain('"short"');
});

test("only the owner makes one, because whoever chooses the passphrase reads all that is in it", async () => {
	const admin = fixture.addUser("admin@example.org", "admin");
	const member = fixture.addUser("ada@example.org", "member");
	for (const actor of [admin, member])
		expect((await fixture.send("POST", "/api/backups", {}, actor)).status).toBe(
			403,
		);
	expect(
		(await fixture.send("GET", "/api/backups", undefined, admin)).status,
	).toBe(200);
	expect(
		(await fixture.send("GET", "/api/backups", undefined, member)).status,
	).toBe(403);
});

test("the schedule is changed and shown", async () => {
	const changed = await fixture.send("PUT", "/api/backups/schedule", {
		schedule: "nightly",
	});
	expect(changed.body).toMatchObject({ schedule: "nightly" });
	const odd = await fixture.send("PUT", "/api/backups/schedule", {
		schedule: "hourly",
	});
	expect(odd.status).toBe(400);
});

test("the recovery kit is for whoever is on the machine, and for no key", async () => {
	const { body } = await fixture.send("GET", "/api/recovery-kit");
	expect(body["kit"]).toContain("recovery code");
	const owner = {
		...fixture.owner,
		userId: fixture.owner.id,
		via: "key" as const,
	};
	const refused = await fixture.send(
		"GET",
		"/api/recovery-kit",
		undefined,
		owner,
	);
	expect(refused.status).toBe(403);
	expect(refused.body["hint"]).toContain("sallyport recovery-kit");
});

/** `sallyport users`, on a running service and on the data of one that is down. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createPasswords } from "../../src/people/passwords.ts";
import { setSetting } from "../../src/store/instance.ts";
import { createLogin, listLogins } from "../../src/store/logins.ts";
import { findPasswordHash, listUsers } from "../../src/store/users.ts";
import { createFixture, type Fixture } from "../api/fixture.ts";
import { commandLine, listen, type Result } from "./over-socket.ts";

const ADA = "ada@example.org";

let fixture: Fixture;
let service: Bun.Server<undefined> | null;

beforeEach(() => {
	fixture = createFixture();
	service = null;
});
afterEach(async () => {
	await service?.stop(true);
	fixture.close();
});

function serve(): void {
	service = listen(fixture);
}

function users(argv: readonly string[], input?: string): Promise<Result> {
	return commandLine(fixture)(["users", ...argv], input);
}

test("someone is invited, given another role, kept out, let in, reset and removed", async () => {
	serve();
	const invited = await users(["invite", ADA, "--role", "admin"]);
	expect(invited.stdout).toMatch(
		/^https:\/\/gate\.example\.org\/invite\/sp_in_\S+\n$/,
	);
	for (const [argv, said] of [
		[["role", ADA, "member"], `${ADA} is member now\n`],
		[["disable", ADA], `${ADA} is disabled\n`],
		[["enable", ADA], `${ADA} may sign in again\n`],
		[["reset-2fa", ADA], `${ADA} signs in with the password alone\n`],
		[["remove", ADA, "--yes"], `${ADA} removed\n`],
	] as const)
		expect(await users(argv), argv.join(" ")).toEqual({
			code: 0,
			stdout: said,
			stderr: "",
		});
	expect((await users(["disable", ADA])).code).toBe(3);
});

test("what cannot be undone asks, and without a terminal wants --yes", async () => {
	serve();
	fixture.addUser(ADA, "member");
	for (const argv of [
		["remove", ADA],
		["role", ADA, "owner"],
	]) {
		const refused = await users(argv);
		expect([refused.code, refused.stderr], argv.join(" ")).toEqual([
			2,
			expect.stringContaining("--yes"),
		]);
	}
	expect((await users(["role", ADA, "owner", "--yes"])).code).toBe(0);
	expect((await users(["role", ADA, "king"])).code).toBe(2);
	expect((await users(["disable", ADA])).code).toBe(5);
});

test("the list says who has a second factor", async () => {
	serve();
	const { userId } = fixture.addUser(ADA, "member");
	fixture.deps.db.run("INSERT INTO totp VALUES (?, x'00', 1, 1)", [userId]);
	const { stdout } = await users(["list"]);
	expect(stdout).toMatch(/ada@example\.org +member +invited +app /);
});

test("a forgotten password is set while the service is down, and ends the browsers", async () => {
	const { db } = fixture.deps;
	const { id } = fixture.owner;
	createLogin(
		db,
		new Uint8Array(32),
		{ userId: id, method: "password", address: "", agent: "", expiresAt: 9e9 },
		1,
	);
	const done = await users(
		["reset-password", "owner@example.org", "--password-file", "-"],
		"another horse battery",
	);
	expect([done.code, done.stdout]).toEqual([
		0,
		"owner@example.org has a new password\n",
	]);
	const hash = findPasswordHash(db, id);
	expect(await createPasswords().verify(hash, "another horse battery")).toBe(
		true,
	);
	expect(listLogins(db, id, 2, 0)).toEqual([]);
	expect(listUsers(db)).toHaveLength(1);
	expect((await users(["reset-password", "nobody@example.org"])).code).toBe(3);
});

test("while the service is down a link needs an address to point at", async () => {
	const refused = await users(["reset-password", "owner@example.org"]);
	expect([refused.code, refused.stderr]).toEqual([
		6,
		expect.stringContaining("--password-file"),
	]);
	setSetting(fixture.deps.db, "public_url", "https://gate.example.org");
	const linked = await users(["reset-password", "owner@example.org"]);
	expect(linked.stdout).toStartWith("https://gate.example.org/invite/sp_in_");
});

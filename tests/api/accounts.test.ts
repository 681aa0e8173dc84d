/** What administrators do to people's accounts, and what ends with it. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Actor } from "../../src/api/api.ts";
import { requireInvited } from "../../src/ops/setup.ts";
import { findApiKey } from "../../src/store/api-keys.ts";
import { createGrant, findGrantOwner } from "../../src/store/grants.ts";
import { createLogin, findLogin } from "../../src/store/logins.ts";
import { findPasswordHash, requireUser } from "../../src/store/users.ts";
import { createFixture, type Fixture, SOCKET } from "./fixture.ts";

let fixture: Fixture;
let ada: Actor & { readonly userId: string };
let admin: Actor & { readonly userId: string };
const ADA = "ada@example.org";
const ADMIN = "admin@example.org";
const OWNER = "owner@example.org";

beforeEach(() => {
	fixture = createFixture();
	ada = fixture.addUser(ADA, "member");
	admin = fixture.addUser(ADMIN, "admin");
});
afterEach(() => fixture.close());

function post(
	email: string,
	verb: string,
	actor: Actor = SOCKET,
	body: Readonly<Record<string, unknown>> = {},
): ReturnType<Fixture["send"]> {
	const path = `/api/users/${encodeURIComponent(email)}/${verb}`;
	return fixture.send(verb === "role" ? "PUT" : "POST", path, body, actor);
}

/** A browser, a grant and a key of a user; returns which of them still work. */
async function equip(
	actor: Actor & { readonly userId: string },
): Promise<() => readonly string[]> {
	const { db, vault } = fixture.deps;
	const hash = vault.mac(`login of ${actor.userId}`);
	createLogin(
		db,
		hash,
		{
			userId: actor.userId,
			method: "password",
			address: "192.0.2.1",
			agent: "",
			expiresAt: 1_000_000,
		},
		3,
	);
	db.run(
		`INSERT OR IGNORE INTO clients (id, kind, name, redirect_uris, auth_method, created_at)
		 VALUES ('cli_x', 'made', 'x', '[]', 'none', 1)`,
	);
	const grantId = createGrant(
		db,
		{
			userId: actor.userId,
			clientId: "cli_x",
			redirectUri: "https://x.example/cb",
			resource: "https://gate.example.org/mcp",
			scope: "mcp",
		},
		{
			hash: vault.mac(`code of ${actor.userId}`),
			codeChallenge: "x",
			expiresAt: 1_000_000,
		},
		3,
	);
	const made = await fixture.send("POST", "/api/keys", { name: "k" }, actor);
	const key = vault.mac(String(made.body["key"]));
	return () => [
		...(findLogin(db, hash, 4, 0) ? ["login"] : []),
		...(findGrantOwner(db, grantId) ? ["grant"] : []),
		...(findApiKey(db, key) ? ["key"] : []),
	];
}

// 38, 116
test("disabling someone ends their browsers, grants, keys and processes at once, and enabling revives none", async () => {
	const left = await equip(ada);
	expect(left()).toEqual(["login", "grant", "key"]);
	expect((await post(ADA, "disable", admin)).body["user"]).toMatchObject({
		status: "disabled",
	});
	expect(left()).toEqual([]);
	expect(fixture.dropped).toEqual([`of ${ada.userId}`]);
	expect((await post(ADA, "enable", admin)).status).toBe(200);
	expect(left()).toEqual([]);
	expect(fixture.audit().map(({ action }) => action)).toEqual([
		"key.create",
		"user.disable",
		"user.enable",
	]);
});

// 38
test("a password that is reset ends all it opened, and a one-time link chooses another", async () => {
	const left = await equip(ada);
	const set = await post(ADA, "reset-password", admin, {
		password: "correct horse battery",
	});
	expect([set.status, set.body["inviteUrl"]]).toEqual([200, undefined]);
	expect(left()).toEqual([]);
	expect(findPasswordHash(fixture.deps.db, ada.userId)).toStartWith(
		"$argon2id",
	);
	const linked = await post(ADA, "reset-password", admin);
	const link = String(linked.body["inviteUrl"]);
	expect(findPasswordHash(fixture.deps.db, ada.userId)).toBeNull();
	expect(requireInvited(fixture.deps, link.split("/").at(-1) ?? "").id).toBe(
		ada.userId,
	);
	const short = await post(ADA, "reset-password", admin, { password: "short" });
	expect(short.status).toBe(400);
});

test("second factors that are reset are gone, and the browsers sign in again", async () => {
	const left = await equip(ada);
	const { db } = fixture.deps;
	db.run("INSERT INTO totp VALUES (?, x'00', 1, 1)", [ada.userId]);
	const view = async (): Promise<unknown> => {
		const users = (await fixture.send("GET", "/api/users")).body[
			"users"
		] as readonly { email: string; secondFactors: unknown }[];
		return users.find(({ email }) => email === ADA)?.secondFactors;
	};
	expect(await view()).toEqual({ app: true, passkeys: 0 });
	expect((await post(ADA, "reset-2fa", admin)).status).toBe(200);
	expect(await view()).toEqual({ app: false, passkeys: 0 });
	expect(left()).toEqual(["grant", "key"]);
});

// 116
test("removing someone takes all that is theirs along and leaves the audit trail", async () => {
	const left = await equip(ada);
	const path = `/api/users/${encodeURIComponent(ADA)}`;
	const gone = await fixture.send("DELETE", path, undefined, admin);
	expect([gone.status, gone.body["removed"]]).toEqual([200, ADA]);
	expect(left()).toEqual([]);
	expect(fixture.dropped).toEqual([`of ${ada.userId}`]);
	for (const table of ["logins", "grants", "api_keys", "codes"])
		expect(
			fixture.deps.db.query(`SELECT * FROM ${table}`).all(),
			table,
		).toEqual([]);
	expect(fixture.audit().at(-1)).toMatchObject({
		action: "user.remove",
		object: ada.userId,
	});
	expect((await fixture.send("DELETE", path)).status).toBe(404);
});

test("another role counts at once, and its person signs in again", async () => {
	const left = await equip(ada);
	const changed = await post(ADA, "role", SOCKET, { role: "admin" });
	expect(changed.body["user"]).toMatchObject({ role: "admin" });
	expect(left()).toEqual(["grant", "key"]);
	for (const role of ["king", "", 1])
		expect((await post(ADA, "role", SOCKET, { role })).status).toBe(400);
});

test("the gateway is handed over by its owner alone, and has one owner all the while", async () => {
	const byAdmin = await post(ADA, "role", admin, { role: "owner" });
	expect(byAdmin.status).toBe(403);
	expect((await post(ADA, "role", SOCKET, { role: "owner" })).status).toBe(200);
	const { db } = fixture.deps;
	expect(requireUser(db, ada.userId).role).toBe("owner");
	expect(requireUser(db, fixture.owner.id).role).toBe("admin");
});

test.each<[string, string, string, number]>([
	["a member", "another member", "disable", 403],
	["an administrator", "the owner", "disable", 409],
	["an administrator", "the owner", "reset-password", 403],
	["an administrator", "the owner", "reset-2fa", 403],
	["an administrator", "another administrator", "disable", 403],
	["an administrator", "another administrator", "reset-2fa", 403],
	["an administrator", "themselves", "disable", 403],
	["an administrator", "a person who is not there", "disable", 404],
	["the owner", "another administrator", "disable", 200],
	["the owner", "themselves", "disable", 409],
	["the machine", "the owner", "reset-password", 200],
	["the machine", "the owner", "reset-2fa", 200],
	["the machine", "the owner", "disable", 409],
])("%s and %s: %s is %p", async (who, whom, verb, status) => {
	fixture.addUser("other@example.org", "admin");
	const owner: Actor = { userId: fixture.owner.id, role: "owner", via: "key" };
	const actor = {
		"a member": ada,
		"an administrator": admin,
		"the owner": owner,
	}[who];
	const email =
		{
			"another member": ADA,
			"the owner": OWNER,
			"another administrator": "other@example.org",
			themselves: who === "the owner" ? OWNER : ADMIN,
		}[whom] ?? "nobody@example.org";
	const { status: given, body } = await post(email, verb, actor ?? SOCKET);
	expect([given, typeof body["hint"]]).toEqual([
		status,
		status === 200 ? "undefined" : "string",
	]);
});

test("an administrator promotes nobody, the owner does", async () => {
	const byAdmin = await post(ADA, "role", admin, { role: "admin" });
	expect(byAdmin.status).toBe(403);
	const invite = { email: "new@example.org", role: "admin" };
	expect(
		(await fixture.send("POST", "/api/users/invite", invite, admin)).status,
	).toBe(403);
	const invited = await fixture.send("POST", "/api/users/invite", invite);
	expect(invited.status).toBe(201);
	const again = await fixture.send("POST", "/api/users/invite", invite);
	expect(again.body["inviteUrl"]).not.toBe(invited.body["inviteUrl"]);
});

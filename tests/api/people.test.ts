/** Secrets, users, keys and the setup link: what people own. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { requireInvited } from "../../src/ops/setup.ts";
import { createFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeEach(() => {
	fixture = createFixture();
});
afterEach(() => fixture.close());

const CANARY = "canary-9b1f-secret";
const ADA = "ada@example.org";

async function addNotes(): Promise<void> {
	await fixture.send("POST", "/api/mcp/servers", {
		name: "notes",
		url: "https://notes.example.org/",
		slots: [
			{ name: "TEAM", injection: "header", target: "X-Team" },
			{
				name: "MINE",
				injection: "header",
				target: "Authorization",
				personal: true,
				optional: true,
			},
		],
	});
}

test("a secret goes in and never comes out", async () => {
	await addNotes();
	const set = await fixture.send("POST", "/api/secrets/set", {
		serverName: "notes",
		secretName: "TEAM",
		secretValue: CANARY,
	});
	expect([set.status, set.body]).toEqual([
		200,
		{ success: true, serverName: "notes", secretName: "TEAM", owner: "shared" },
	]);
	const texts = [set.text];
	for (const path of [
		"/api/secrets",
		"/api/mcp/servers",
		"/api/mcp/servers/notes",
	])
		texts.push((await fixture.send("GET", path)).text);
	texts.push(fixture.logged.join(""));
	fixture.deps.db.run("PRAGMA wal_checkpoint(TRUNCATE)");
	texts.push(readFileSync(join(fixture.folder, "sallyport.db"), "latin1"));
	for (const text of texts) expect(text).not.toContain(CANARY);
});

test("slots are listed with their owners, set or not", async () => {
	await addNotes();
	const ada = fixture.addUser(ADA, "member");
	await fixture.send(
		"POST",
		"/api/secrets/set",
		{ serverName: "notes", secretName: "MINE", secretValue: CANARY },
		ada,
	);
	const rows = async (path: string, actor?: typeof ada): Promise<unknown[]> =>
		(
			(await fixture.send("GET", path, undefined, actor)).body[
				"secrets"
			] as Record<string, unknown>[]
		).map(({ secretName, owner, set }) => [secretName, owner, set]);
	expect(await rows("/api/secrets")).toEqual([
		["MINE", "owner@example.org", false],
		["MINE", ADA, true],
		["TEAM", "shared", false],
	]);
	expect(await rows("/api/secrets", ada)).toEqual([
		["MINE", ADA, true],
		["TEAM", "shared", false],
	]);
	expect(await rows(`/api/secrets?serverName=notes&username=${ADA}`)).toEqual([
		["MINE", ADA, true],
		["TEAM", "shared", false],
	]);
	expect(
		(await fixture.send("GET", "/api/secrets?serverName=nobody")).status,
	).toBe(404);
});

test("a changed secret ends what runs with the old one: everyone's, or that one user's", async () => {
	await addNotes();
	const ada = fixture.addUser(ADA, "member");
	const set = (body: Record<string, unknown>): Promise<unknown> =>
		fixture.send("POST", "/api/secrets/set", {
			serverName: "notes",
			secretValue: CANARY,
			...body,
		});
	await set({ secretName: "TEAM" });
	await set({ secretName: "MINE", username: ADA });
	await fixture.send("POST", "/api/secrets/delete", {
		serverName: "notes",
		secretName: "MINE",
		username: ADA,
	});
	expect(fixture.dropped).toEqual([
		"notes",
		`notes/${ada.userId}`,
		`notes/${ada.userId}`,
	]);
	expect(fixture.audit().slice(1)).toEqual([
		{ actor: "socket", action: "secret.set", object: "notes/TEAM" },
		{ actor: "socket", action: "secret.set", object: "notes/MINE" },
		{ actor: "socket", action: "secret.delete", object: "notes/MINE" },
	]);
});

test.each<[string, Record<string, unknown>, number, string]>([
	[
		"another server",
		{ serverName: "nobody" },
		404,
		"there is no server named nobody",
	],
	[
		"another slot",
		{ secretName: "OTHER" },
		404,
		"notes has no slot of that name",
	],
	[
		"someone's for a shared slot",
		{ username: ADA },
		400,
		"the slot TEAM is shared",
	],
	[
		"everyone's for a personal slot",
		{ secretName: "MINE", shared: true },
		400,
		"the slot MINE is personal",
	],
	["nothing", { secretValue: "" }, 400, "the secret is empty"],
	[
		"two lines",
		{ secretValue: `${CANARY}\nX-Evil: 1` },
		400,
		"the secret has a character that cannot be sent in a header",
	],
	[
		"too much",
		{ secretValue: CANARY.repeat(5000) },
		400,
		"the secret is longer than 65536 bytes",
	],
])(
	"a secret for %s is refused, and not repeated",
	async (_, changes, status, error) => {
		await addNotes();
		fixture.addUser(ADA, "member");
		const body = {
			serverName: "notes",
			secretName: "TEAM",
			secretValue: CANARY,
			...changes,
		};
		const answer = await fixture.send("POST", "/api/secrets/set", body);
		expect([answer.status, answer.body["error"]]).toEqual([status, error]);
		expect(answer.text).not.toContain(CANARY);
		expect(fixture.dropped).toEqual([]);
	},
);

test("a member sets their own secret and nobody else's", async () => {
	await addNotes();
	const ada = fixture.addUser(ADA, "member");
	fixture.addUser("bob@example.org", "member");
	const set = async (body: Record<string, unknown>): Promise<number> =>
		(
			await fixture.send(
				"POST",
				"/api/secrets/set",
				{ serverName: "notes", secretValue: "x", ...body },
				ada,
			)
		).status;
	expect(await set({ secretName: "MINE" })).toBe(200);
	expect(await set({ secretName: "TEAM" })).toBe(403);
	expect(await set({ secretName: "MINE", username: "bob@example.org" })).toBe(
		403,
	);
	await fixture.send("PUT", "/api/mcp/servers/notes", { access: "admins" });
	expect(await set({ secretName: "MINE" })).toBe(404);
});

test("clearing what is not set is 404", async () => {
	await addNotes();
	const { status } = await fixture.send("POST", "/api/secrets/delete", {
		serverName: "notes",
		secretName: "TEAM",
	});
	expect(status).toBe(404);
});

test("a user is added with a password, or with a link to choose one", async () => {
	const enrolled = await fixture.send("POST", "/api/users", {
		email: ADA,
		password: "correct horse battery",
	});
	expect([
		enrolled.status,
		enrolled.body["user"],
		enrolled.body["inviteUrl"],
	]).toMatchObject([
		201,
		{ email: ADA, role: "member", status: "active" },
		undefined,
	]);
	const invited = await fixture.send("POST", "/api/users", {
		email: "bob@example.org",
		role: "admin",
	});
	expect(invited.body["user"]).toMatchObject({
		role: "admin",
		status: "invited",
	});
	const link = String(invited.body["inviteUrl"]);
	expect(link).toStartWith("https://gate.example.org/invite/sp_in_");
	expect(
		requireInvited(fixture.deps, link.split("/").at(-1) as string).email,
	).toBe("bob@example.org");
	expect((await fixture.send("GET", "/api/users")).body["users"]).toHaveLength(
		3,
	);
	expect(fixture.audit().map(({ action }) => action)).toEqual([
		"user.add",
		"user.invite",
	]);
	expect(enrolled.text + invited.text + fixture.logged.join("")).not.toContain(
		"battery",
	);
});

test.each<[Record<string, unknown>, number]>([
	[{ email: "Owner@Example.org", password: "correct horse battery" }, 409],
	[{ email: "no address" }, 400],
	[{ email: ADA, password: "short" }, 400],
	[{ email: ADA, role: "owner" }, 400],
	[{}, 400],
])("the user %j is refused", async (body, status) => {
	expect((await fixture.send("POST", "/api/users", body)).status).toBe(status);
	expect((await fixture.send("GET", "/api/users")).body["users"]).toHaveLength(
		1,
	);
});

test("only the owner makes an administrator, and a member sees nobody", async () => {
	const admin = fixture.addUser("admin@example.org", "admin");
	const member = fixture.addUser("member@example.org", "member");
	expect(
		(
			await fixture.send(
				"POST",
				"/api/users",
				{ email: ADA, role: "admin" },
				admin,
			)
		).status,
	).toBe(403);
	expect(
		(await fixture.send("POST", "/api/users", { email: ADA }, admin)).status,
	).toBe(201);
	expect(
		(await fixture.send("GET", "/api/users", undefined, member)).status,
	).toBe(403);
});

test("a key is shown once, belongs to its user, and is ended by them or an administrator", async () => {
	const ada = fixture.addUser(ADA, "member");
	const admin = fixture.addUser("admin@example.org", "admin");
	const own = await fixture.send("POST", "/api/keys", { name: "script" }, ada);
	expect([own.status, own.body["username"]]).toEqual([201, ADA]);
	expect(String(own.body["key"])).toStartWith("sp_ak_");
	const owners = await fixture.send("POST", "/api/keys", { name: "owner's" });
	expect(owners.body["username"]).toBe("owner@example.org");
	expect(
		(
			await fixture.send(
				"POST",
				"/api/keys",
				{ name: "x", username: ADA },
				admin,
			)
		).status,
	).toBe(201);
	expect(
		(
			await fixture.send(
				"POST",
				"/api/keys",
				{ name: "x", username: "owner@example.org" },
				admin,
			)
		).status,
	).toBe(403);
	expect(
		(
			await fixture.send(
				"POST",
				"/api/keys",
				{ name: "x", username: "admin@example.org" },
				ada,
			)
		).status,
	).toBe(403);
	expect(
		(await fixture.send("POST", "/api/keys", { name: "" }, ada)).status,
	).toBe(400);

	const listed = await fixture.send("GET", "/api/keys");
	expect(listed.body["keys"]).toHaveLength(3);
	expect(listed.text).not.toContain("sp_ak_");
	expect(
		(await fixture.send("GET", "/api/keys", undefined, ada)).body["keys"],
	).toHaveLength(2);
	expect(
		(
			await fixture.send(
				"DELETE",
				`/api/keys/${owners.body["id"]}`,
				undefined,
				ada,
			)
		).status,
	).toBe(404);
	expect(
		(
			await fixture.send(
				"DELETE",
				`/api/keys/${own.body["id"]}`,
				undefined,
				ada,
			)
		).status,
	).toBe(200);
	expect(
		(await fixture.send("DELETE", `/api/keys/${own.body["id"]}`)).status,
	).toBe(404);
});

test("a setup link is made on the machine itself, and only before there is an owner", async () => {
	expect((await fixture.send("POST", "/api/setup-link", {})).status).toBe(409);
	fixture.deps.db.run("DELETE FROM users");
	const { status, body } = await fixture.send("POST", "/api/setup-link", {});
	expect(status).toBe(201);
	expect(String(body["setupUrl"])).toStartWith(
		"https://gate.example.org/setup#sp_su_",
	);
	const admin = fixture.addUser("admin@example.org", "admin");
	expect(
		(await fixture.send("POST", "/api/setup-link", {}, admin)).status,
	).toBe(403);
});

test("before there is an owner, the socket can add servers but owns nothing", async () => {
	fixture.deps.db.run("DELETE FROM users");
	await addNotes();
	const key = await fixture.send("POST", "/api/keys", { name: "x" });
	expect([key.status, key.body["error"]]).toEqual([
		409,
		"this gateway has no owner yet",
	]);
	const { body } = await fixture.send("GET", "/api/secrets");
	expect(
		(body["secrets"] as { owner: unknown }[]).map(({ owner }) => owner),
	).toEqual([null, "shared"]);
});

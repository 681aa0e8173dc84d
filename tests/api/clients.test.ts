/** Clients, grants and settings over the API. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readClientPolicy } from "../../src/oauth/policy.ts";
import { putClient } from "../../src/store/clients.ts";
import { createGrant } from "../../src/store/grants.ts";
import { createFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeEach(() => {
	fixture = createFixture();
});
afterEach(() => fixture.close());

const DOCUMENT = "https://client.example/oauth/client.json";

function addClient(id = DOCUMENT, approvedAt: number | null = 5): void {
	putClient(fixture.deps.db, {
		id,
		kind: "document",
		name: "Chat",
		redirectUris: ["https://client.example/cb"],
		authMethod: "none",
		secretHash: null,
		jwks: null,
		userId: null,
		introspects: [],
		createdAt: 5,
		approvedAt,
		expiresAt: 100,
	});
}

function addGrant(userId: string, hash: number): string {
	return createGrant(
		fixture.deps.db,
		{
			userId,
			clientId: DOCUMENT,
			redirectUri: "https://client.example/cb",
			resource: "https://gate.example.org/mcp",
			scope: "mcp",
		},
		{
			hash: new Uint8Array(32).fill(hash),
			codeChallenge: "c",
			expiresAt: 1_000_000,
		},
		10,
	);
}

test("a client is made with a secret that is shown once", async () => {
	const made = await fixture.send("POST", "/api/clients", {
		name: "librechat",
		redirectUris: ["https://chat.example.org/cb"],
		secret: true,
	});
	expect(made.status).toBe(201);
	const secret = String(made.body["secret"]);
	expect(secret).toStartWith("sp_cs_");
	const list = await fixture.send("GET", "/api/clients");
	expect(list.body["clients"]).toMatchObject([
		{ name: "librechat", kind: "made", status: "approved", grants: 0 },
	]);
	expect(list.text).not.toContain(secret);
	expect(fixture.audit().at(-1)).toMatchObject({ action: "client.add" });
});

test("a client that makes no sense is refused", async () => {
	for (const [body, status] of [
		[{ name: "", redirectUris: ["https://a.example/cb"] }, 422],
		[{ name: "a" }, 422],
		[{ name: "a", redirectUris: ["http://evil.example/cb"] }, 422],
		[{ name: "a", redirectUris: ["javascript:alert(1)"] }, 422],
		[{ name: "a", username: "owner@example.org" }, 422],
		[{ name: "a", secret: true, username: "nobody@example.org" }, 404],
		[{ name: "a", secret: true, introspects: ["nothing"] }, 404],
	] as const) {
		const answer = await fixture.send("POST", "/api/clients", body);
		expect([body, answer.status === 400 ? 422 : answer.status]).toEqual([
			body,
			status,
		]);
	}
});

test("an administrator cannot make a client that acts as the owner", async () => {
	const admin = fixture.addUser("ada@example.org", "admin");
	const answer = await fixture.send(
		"POST",
		"/api/clients",
		{ name: "a", secret: true, username: "owner@example.org" },
		admin,
	);
	expect(answer.status).toBe(403);
});

test("a waiting client is let in, and one can be forgotten with its grants, by an id that is a URL", async () => {
	addClient(DOCUMENT, null);
	const path = `/api/clients/${encodeURIComponent(DOCUMENT)}`;
	const status = async (): Promise<unknown> =>
		((await fixture.send("GET", "/api/clients")).body["clients"] as never[])[0];
	expect(await status()).toMatchObject({ status: "waiting" });
	expect((await fixture.send("POST", `${path}/approve`, {})).status).toBe(200);
	expect(await status()).toMatchObject({ status: "approved" });
	addGrant(fixture.owner.id, 1);
	expect((await fixture.send("DELETE", path)).status).toBe(200);
	expect((await fixture.send("GET", "/api/grants")).body["grants"]).toEqual([]);
	expect((await fixture.send("DELETE", path)).status).toBe(404);
});

test("grants are seen and ended by their person, or by an administrator", async () => {
	addClient();
	const ada = fixture.addUser("ada@example.org", "member");
	const bob = fixture.addUser("bob@example.org", "member");
	const grant = addGrant(ada.userId, 1);
	const seen = async (actor?: typeof ada): Promise<readonly unknown[]> =>
		(await fixture.send("GET", "/api/grants", undefined, actor)).body[
			"grants"
		] as unknown[];
	expect(await seen(ada)).toMatchObject([
		{ id: grant, username: "ada@example.org", clientName: "Chat" },
	]);
	expect(await seen(bob)).toEqual([]);
	expect(await seen()).toHaveLength(1);
	const end = (actor?: typeof ada): ReturnType<Fixture["send"]> =>
		fixture.send("DELETE", `/api/grants/${grant}`, undefined, actor);
	expect((await end(bob)).status).toBe(404);
	expect((await end(ada)).status).toBe(200);
	expect((await end(ada)).status).toBe(404);
	expect(await seen()).toEqual([]);
});

test("all grants of a client end at once and the client stays", async () => {
	addClient();
	addGrant(fixture.owner.id, 1);
	addGrant(fixture.addUser("ada@example.org", "member").userId, 2);
	const answer = await fixture.send(
		"DELETE",
		`/api/clients/${encodeURIComponent(DOCUMENT)}/grants`,
	);
	expect(answer.body).toMatchObject({ ended: 2 });
	expect(
		(await fixture.send("GET", "/api/clients")).body["clients"],
	).toHaveLength(1);
});

test("everything that one person, or everybody, allowed ends at once, and nobody ends it by leaving a word out", async () => {
	addClient();
	const ada = fixture.addUser("ada@example.org", "member");
	const bob = fixture.addUser("bob@example.org", "member");
	const end = async (query: string, actor?: typeof ada): Promise<unknown> => {
		const path = `/api/grants${query}`;
		const { status, body } = await fixture.send(
			"DELETE",
			path,
			undefined,
			actor,
		);
		return status === 200 ? body["ended"] : status;
	};
	let hash = 0;
	const grantAll = (): void => {
		for (const { userId } of [ada, ada, bob]) addGrant(userId, ++hash);
	};
	grantAll();
	expect(await end("")).toBe(400);
	expect(await end("?username=ada@example.org", bob)).toBe(403);
	expect(await end("?username=ada@example.org")).toBe(2);
	expect(await end("", bob)).toBe(1);
	expect(await end("?all=true", bob)).toBe(0);
	grantAll();
	expect(await end("?all=true")).toBe(3);
});

test("members neither list clients nor change settings", async () => {
	const ada = fixture.addUser("ada@example.org", "member");
	for (const [method, path] of [
		["GET", "/api/clients"],
		["POST", "/api/clients"],
		["GET", "/api/settings"],
		["PUT", "/api/settings"],
	] as const)
		expect(
			(await fixture.send(method, path, method === "GET" ? undefined : {}, ada))
				.status,
			path,
		).toBe(403);
});

test("settings change what is named and nothing else", async () => {
	expect((await fixture.send("GET", "/api/settings")).body["clients"]).toEqual({
		registration: "known",
		documents: true,
		device: false,
	});
	const changed = await fixture.send("PUT", "/api/settings", {
		clients: { registration: "approve" },
	});
	expect(changed.body["clients"]).toEqual({
		registration: "approve",
		documents: true,
		device: false,
	});
	await fixture.send("PUT", "/api/settings", { clients: { documents: false } });
	expect(readClientPolicy(fixture.deps.db)).toEqual({
		registration: "approve",
		documents: false,
		device: false,
	});
	const odd = await fixture.send("PUT", "/api/settings", {
		clients: { registration: "anyone" },
	});
	expect(odd.status).toBe(400);
});

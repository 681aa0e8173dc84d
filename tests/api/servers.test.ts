import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { findPackage } from "../../src/store/packages.ts";
import { requireServer } from "../../src/store/servers.ts";
import { createFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeEach(() => {
	fixture = createFixture();
});
afterEach(() => fixture.close());

const SERVERS = "/api/mcp/servers";
const NOTES = {
	name: "notes",
	url: "https://notes.example.org/mcp",
	headers: { "X-Team": "a" },
};
const TOKEN = { name: "TOKEN", injection: "header", target: "Authorization" };
const MEMORY = "@modelcontextprotocol/server-memory";
const MEMORY_VERSION = "2026.8.31";

test("a server is added, connected to once, and says how many tools it has", async () => {
	fixture.scripts.set("notes", {
		tools: ['{"name":"read"}', '{"name":"write"}'],
	});
	const { status, body } = await fixture.send("POST", SERVERS, NOTES);
	expect(status).toBe(201);
	expect(body).toMatchObject({
		success: true,
		toolCount: 2,
		warnings: [],
		server: {
			name: "notes",
			transportType: "streamable_http",
			transport: {
				kind: "http",
				url: NOTES.url,
				mode: "auto",
				headers: { "X-Team": "a" },
			},
			slots: [],
			access: "everyone",
			tools: null,
			enabled: true,
			package: null,
		},
	});
	expect(fixture.audit()).toEqual([
		{ actor: "socket", action: "server.add", object: "notes" },
	]);
});

test("a server that does not answer is kept, with a warning that says so", async () => {
	const { status, body } = await fixture.send("POST", SERVERS, NOTES);
	expect([status, body["toolCount"]]).toEqual([201, null]);
	expect(body["warnings"]).toEqual([
		{
			code: "upstream",
			message: "notes does not answer",
			hint: "look at its log",
		},
	]);
	expect((await fixture.send("GET", `${SERVERS}/notes`)).status).toBe(200);
});

test("a disabled server is added without being asked", async () => {
	const { body } = await fixture.send("POST", SERVERS, {
		...NOTES,
		enabled: false,
	});
	expect([body["toolCount"], body["warnings"]]).toEqual([null, []]);
	expect(body["server"]).toMatchObject({ enabled: false, status: "disabled" });
});

test("a slug that is taken is 409, before anything is installed", async () => {
	await fixture.send("POST", SERVERS, NOTES);
	const { status, body } = await fixture.send("POST", SERVERS, {
		name: "notes",
		npm: MEMORY,
	});
	expect([status, body["code"], body["error"]]).toEqual([
		409,
		"conflict",
		"a server named notes exists",
	]);
	expect(existsSync(join(fixture.folder, "servers"))).toBe(false);
});

test("two requests for one slug at once make one server", async () => {
	const answers = await Promise.all([
		fixture.send("POST", SERVERS, NOTES),
		fixture.send("POST", SERVERS, NOTES),
	]);
	expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
	expect((await fixture.send("GET", SERVERS)).body["servers"]).toHaveLength(1);
});

test("an npm server is installed at an exact version, replaced by another, and its files go with it", async () => {
	const add = await fixture.send("POST", SERVERS, {
		name: "memory",
		npm: `${MEMORY}@${MEMORY_VERSION}`,
		args: ["-v"],
	});
	expect(add.status).toBe(201);
	expect(add.body["server"]).toMatchObject({
		transportType: "stdio",
		transport: {
			kind: "npm",
			package: MEMORY,
			version: MEMORY_VERSION,
			args: ["-v"],
			env: {},
		},
		package: { ecosystem: "npm", name: MEMORY, version: MEMORY_VERSION },
	});
	const { id } = requireServer(fixture.deps.db, "memory");
	const entry = join(
		fixture.folder,
		"servers/memory",
		findPackage(fixture.deps.db, id)?.entry ?? "none",
	);
	expect(existsSync(entry)).toBe(true);

	const change = await fixture.send("PUT", `${SERVERS}/memory`, { args: [] });
	expect(change.body["server"]).toMatchObject({
		transport: { package: MEMORY, version: MEMORY_VERSION, args: [] },
	});
	expect(existsSync(entry)).toBe(true);

	const failed = await fixture.send("PUT", `${SERVERS}/memory`, {
		npm: `${MEMORY}@0.0.0`,
	});
	expect([failed.status, failed.body["code"]]).toEqual([404, "not_found"]);
	expect(requireServer(fixture.deps.db, "memory").transport).toMatchObject({
		version: MEMORY_VERSION,
	});
	expect(existsSync(entry)).toBe(true);

	const moved = await fixture.send("PUT", `${SERVERS}/memory`, {
		command: "cat",
	});
	expect(moved.body["server"]).toMatchObject({
		transport: { kind: "command", command: "cat", args: [] },
		package: null,
	});
	expect(existsSync(entry)).toBe(false);

	expect((await fixture.send("DELETE", `${SERVERS}/memory`)).body).toEqual({
		success: true,
		removed: "memory",
	});
	expect(existsSync(join(fixture.folder, "servers/memory"))).toBe(false);
	expect(fixture.dropped).toEqual(["memory", "memory", "removed"]);
}, 60_000);

test("an install that fails keeps nothing", async () => {
	const { status, body } = await fixture.send("POST", SERVERS, {
		name: "memory",
		npm: `${MEMORY}@0.0.0`,
	});
	expect([status, body["code"]]).toEqual([404, "not_found"]);
	expect((await fixture.send("GET", SERVERS)).body["servers"]).toEqual([]);
	expect(existsSync(join(fixture.folder, "servers/memory"))).toBe(false);
	expect(fixture.audit()).toEqual([]);
}, 60_000);

test("a change changes what is given, and ends what runs", async () => {
	await fixture.send("POST", SERVERS, { ...NOTES, slots: [TOKEN] });
	const { status, body } = await fixture.send("PUT", `${SERVERS}/notes`, {
		tools: ["read"],
		mode: "sse",
	});
	expect(status).toBe(200);
	expect(body["server"]).toMatchObject({
		transport: { url: NOTES.url, mode: "sse", headers: { "X-Team": "a" } },
		slots: [{ name: "TOKEN", personal: false, optional: false }],
		tools: ["read"],
	});
	expect(fixture.dropped).toEqual(["notes"]);
	expect((await fixture.send("PUT", `${SERVERS}/nobody`, {})).status).toBe(404);
	expect(
		(await fixture.send("PUT", `${SERVERS}/notes`, { name: "other" })).body[
			"error"
		],
	).toBe("the field name is not known");
});

test("disabling and enabling is idempotent, and audited once each", async () => {
	await fixture.send("POST", SERVERS, NOTES);
	for (const verb of ["disable", "disable", "enable", "enable"]) {
		const { status, body } = await fixture.send(
			"PUT",
			`${SERVERS}/notes/${verb}`,
		);
		expect([status, (body["server"] as { enabled: boolean }).enabled]).toEqual([
			200,
			verb === "enable",
		]);
	}
	expect(fixture.audit().map(({ action }) => action)).toEqual([
		"server.add",
		"server.disable",
		"server.enable",
	]);
	expect(fixture.dropped).toEqual(["notes", "notes"]);
});

test("a restart ends what runs of a server, changes nothing else, and is audited", async () => {
	const added = await fixture.send("POST", SERVERS, NOTES);
	const { status, body } = await fixture.send(
		"POST",
		`${SERVERS}/notes/restart`,
	);
	expect([status, body["stopped"]]).toEqual([200, 0]);
	expect(body["server"]).toEqual(added.body["server"]);
	expect(fixture.dropped).toEqual(["notes"]);
	expect(fixture.audit().map(({ action }) => action)).toEqual([
		"server.add",
		"server.restart",
	]);
});

test("a server that is being changed is not changed by anyone else meanwhile", async () => {
	await fixture.send("POST", SERVERS, NOTES);
	{
		using _lease = fixture.deps.lease("notes");
		for (const [method, path] of [
			["POST", `${SERVERS}/notes/restart`],
			["PUT", `${SERVERS}/notes/disable`],
			["DELETE", `${SERVERS}/notes`],
		] as const) {
			const { status, body } = await fixture.send(method, path);
			expect([status, body["error"]]).toEqual([
				409,
				"the server notes is being changed by someone else",
			]);
		}
	}
	expect((await fixture.send("POST", `${SERVERS}/notes/restart`)).status).toBe(
		200,
	);
});

test("a server that is disabled or not there is not restarted", async () => {
	await fixture.send("POST", SERVERS, { ...NOTES, enabled: false });
	const disabled = await fixture.send("POST", `${SERVERS}/notes/restart`);
	expect([disabled.status, disabled.body["hint"]]).toEqual([
		409,
		"sallyport servers enable notes",
	]);
	expect((await fixture.send("POST", `${SERVERS}/nobody/restart`)).status).toBe(
		404,
	);
	expect(fixture.dropped).toEqual([]);
});

test("the log of a process is there once, however many kinds of clients share it", async () => {
	await fixture.send("POST", SERVERS, NOTES);
	const { upstreams, db } = fixture.deps;
	const { server, identity, capabilities } = upstreams.forUser(
		requireServer(db, "notes"),
		fixture.owner.id,
	);
	const upstream = {
		server,
		identity,
		capabilities,
		logs: () => ["it is up"],
	};
	Object.assign(upstreams, {
		live: () => [upstream, { ...upstream, capabilities: '{"roots":{}}' }],
	});
	const { body } = await fixture.send("GET", `${SERVERS}/notes/logs`);
	expect(body["logs"]).toEqual([{ identity: "shared", lines: ["it is up"] }]);
});

test("removing a server that is not there is 404", async () => {
	expect((await fixture.send("DELETE", `${SERVERS}/nobody`)).status).toBe(404);
});

test("a member sees only what they may use, and not how it is reached", async () => {
	const member = fixture.addUser("member@example.org", "member");
	await fixture.send("POST", SERVERS, NOTES);
	await fixture.send("POST", SERVERS, {
		...NOTES,
		name: "staff",
		access: "admins",
	});
	await fixture.send("POST", SERVERS, {
		...NOTES,
		name: "theirs",
		access: ["member@example.org"],
	});
	const { body } = await fixture.send("GET", SERVERS, undefined, member);
	const seen = body["servers"] as Record<string, unknown>[];
	expect(seen.map(({ name }) => name)).toEqual(["notes", "theirs"]);
	for (const secret of ["transport", "access", "connections", "package"])
		expect(seen[0]).not.toHaveProperty(secret);
	// Unknown, not forbidden: a member does not learn that it exists.
	expect(
		(await fixture.send("GET", `${SERVERS}/staff`, undefined, member)).status,
	).toBe(404);
	expect(
		(await fixture.send("GET", `${SERVERS}/theirs`)).body["server"],
	).toMatchObject({
		access: ["member@example.org"],
	});
});

test("a member changes nothing", async () => {
	const member = fixture.addUser("member@example.org", "member");
	await fixture.send("POST", SERVERS, NOTES);
	for (const [method, path, body] of [
		["POST", SERVERS, { ...NOTES, name: "mine" }],
		["PUT", `${SERVERS}/notes`, {}],
		["DELETE", `${SERVERS}/notes`, undefined],
		["PUT", `${SERVERS}/notes/disable`, undefined],
		["POST", `${SERVERS}/notes/restart`, {}],
	] as const) {
		const answer = await fixture.send(method, path, body, member);
		expect([answer.status, answer.body["code"]]).toEqual([403, "forbidden"]);
	}
	expect((await fixture.send("GET", SERVERS)).body["servers"]).toHaveLength(1);
});

import { afterEach, beforeEach, expect, test } from "bun:test";
import { toBytes } from "../../src/message.ts";
import { piecesOf } from "../../src/pieces.ts";
import { createFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
	fixture = createFixture();
	for (const name of ["notes", "files", "dead"])
		await fixture.send("POST", "/api/mcp/servers", {
			name,
			url: `https://${name}.example.org/`,
		});
	fixture.scripts.set("notes", {
		tools: ['{"name":"read","x-unknown":1.0}', '{"name":"write"}'],
		call: (params) => ({
			member: "result",
			body: toBytes(`{"content":[],"got":${params}}`),
		}),
	});
	fixture.scripts.set("files", { tools: ['{"name":"list"}'] });
});
afterEach(() => fixture.close());

const CALL = "/api/mcp/tool/call";

function recorded(): readonly Record<string, unknown>[] {
	fixture.deps.calls.flush();
	return fixture.deps.db
		.query<Record<string, unknown>, []>(
			`SELECT user_id, client_id, method, name, outcome
			 FROM calls JOIN call_kinds ON call_kinds.id = calls.kind_id ORDER BY calls.id`,
		)
		.all();
}

test("tools are listed by server, as the bytes that each server wrote; one that is dead is named, and costs no other", async () => {
	const { status, text } = await fixture.send("GET", "/api/mcp/tools");
	expect(status).toBe(200);
	expect(text).toBe(
		'{"success":true,"tools":[{"files":[{"name":"list"}]},{"notes":[{"name":"read","x-unknown":1.0},{"name":"write"}]}],' +
			'"failures":[{"serverName":"dead","error":"dead does not answer","code":"upstream","hint":"look at its log"}],"shortNames":{}}',
	);
});

test("a server's own list shows the tools that may be used; a disabled server is 409", async () => {
	await fixture.send("PUT", "/api/mcp/servers/notes", {
		tools: ["write", "gone"],
	});
	const one = await fixture.send("GET", "/api/mcp/servers/notes/tools");
	expect(one.body["tools"]).toEqual([{ name: "write" }]);
	await fixture.send("PUT", "/api/mcp/servers/notes/disable");
	expect(
		(await fixture.send("GET", "/api/mcp/servers/notes/tools")).status,
	).toBe(409);
	expect((await fixture.send("GET", "/api/mcp/tools")).text).not.toContain(
		"notes",
	);
	const dead = await fixture.send("GET", "/api/mcp/servers/dead/tools");
	expect([dead.status, dead.body["code"]]).toEqual([502, "upstream"]);
});

test("arguments and results pass as the bytes they were written in", async () => {
	const args =
		'{ "big": 12345678901234567890, "exact": 1.0, "name": "\\u0041\\ud800" }';
	const { status, text } = await fixture.send(
		"POST",
		CALL,
		`{"serverName":"notes", "args" : ${args} ,"methodName":"read"}`,
	);
	expect(status).toBe(200);
	expect(text).toBe(
		`{"success":true,"data":{"content":[],"got":{"name":"read","arguments":${args}}}}`,
	);
	expect(recorded()).toEqual([
		{
			user_id: fixture.owner.id,
			client_id: "api:socket",
			method: "tools/call",
			name: "read",
			outcome: "ok",
		},
	]);
});

test("a call without arguments sends an empty object", async () => {
	const { text } = await fixture.send("POST", CALL, {
		serverName: "notes",
		methodName: "read",
	});
	expect(text).toContain('"got":{"name":"read","arguments":{}}');
});

test("a streamed result is put into the envelope as it comes", async () => {
	const pieces = ['{"content":', "[]}"];
	const body = new ReadableStream<Uint8Array>({
		pull: (controller) => {
			const piece = pieces.shift();
			if (piece === undefined) controller.close();
			else controller.enqueue(toBytes(piece));
		},
	});
	fixture.scripts.set("notes", {
		tools: [
			'{"name":"read"}',
			'{"name":"x"}',
			'{"name":"fail"}',
			'{"name":"refuse"}',
		],
		call: () => ({ member: "result", body: piecesOf(body) }),
	});
	const { text } = await fixture.send("POST", CALL, {
		serverName: "notes",
		methodName: "read",
	});
	expect(text).toBe('{"success":true,"data":{"content":[]}}');
});

test("a tool's own failure is a result; a refused call is 502 with the server's error whole", async () => {
	fixture.scripts.set("notes", {
		tools: [
			'{"name":"read"}',
			'{"name":"x"}',
			'{"name":"fail"}',
			'{"name":"refuse"}',
		],
		call: (params) =>
			params.includes("refuse")
				? {
						member: "error",
						body: toBytes(
							'{"code":-32602,"message":"no\\u001b[31m such","data":{"a":1.0}}',
						),
					}
				: { member: "result", body: toBytes('{"content":[],"isError":true}') },
	});
	const failed = await fixture.send("POST", CALL, {
		serverName: "notes",
		methodName: "fail",
	});
	expect([failed.status, failed.text]).toEqual([
		200,
		'{"success":true,"data":{"content":[],"isError":true}}',
	]);
	const refused = await fixture.send("POST", CALL, {
		serverName: "notes",
		methodName: "refuse",
	});
	expect([refused.status, refused.body["code"]]).toEqual([502, "upstream"]);
	expect(refused.body["error"]).toBe("notes refused the call: no [31m such");
	expect(refused.text).toEndWith(
		'"detail":{"code":-32602,"message":"no\\u001b[31m such","data":{"a":1.0}}}',
	);
	expect(recorded().map(({ outcome }) => outcome)).toEqual([
		"tool_error",
		"error",
	]);
});

test.each([
	[
		"a server nobody has",
		{ serverName: "nobody", methodName: "read" },
		404,
		"not_found",
	],
	[
		"a tool that is not allowed",
		{ serverName: "files", methodName: "list" },
		404,
		"not_found",
	],
	[
		"a disabled server",
		{ serverName: "dead", methodName: "x" },
		409,
		"conflict",
	],
	[
		"a user nobody is",
		{ serverName: "notes", methodName: "x", username: "ghost@example.org" },
		404,
		"not_found",
	],
	["no tool", { serverName: "notes" }, 400, "invalid"],
	[
		"arguments that are a list",
		{ serverName: "notes", methodName: "x", args: [] },
		400,
		"invalid",
	],
])("a call of %s is refused", async (_, body, status, code) => {
	await fixture.send("PUT", "/api/mcp/servers/files", { tools: [] });
	await fixture.send("PUT", "/api/mcp/servers/dead/disable");
	const answer = await fixture.send("POST", CALL, body);
	expect([answer.status, answer.body["code"]]).toEqual([status, code]);
	expect(recorded()).toEqual([]);
});

test("an administrator may call as someone else; a member only as themselves", async () => {
	const admin = fixture.addUser("admin@example.org", "admin");
	const member = fixture.addUser("member@example.org", "member");
	fixture.scripts.set("notes", {
		tools: [
			'{"name":"read"}',
			'{"name":"x"}',
			'{"name":"fail"}',
			'{"name":"refuse"}',
		],
		call: (_, userId) => ({
			member: "result",
			body: toBytes(JSON.stringify({ userId })),
		}),
	});
	const calledAs = async (
		actor: typeof admin,
		username?: string,
	): Promise<unknown> => {
		const { body } = await fixture.send(
			"POST",
			CALL,
			{ serverName: "notes", methodName: "x", username },
			actor,
		);
		return (
			(body["data"] as { userId?: string } | undefined)?.userId ?? body["code"]
		);
	};
	expect(await calledAs(member)).toBe(member.userId);
	expect(await calledAs(member, "Member@example.org")).toBe(member.userId);
	expect(await calledAs(member, "admin@example.org")).toBe("forbidden");
	expect(await calledAs(member, "ghost@example.org")).toBe("forbidden");
	expect(await calledAs(admin)).toBe(admin.userId);
	expect(await calledAs(admin, "member@example.org")).toBe(member.userId);
	// Whoever it is for must be allowed: an administrator does not lend their own rights.
	await fixture.send("PUT", "/api/mcp/servers/notes", { access: "admins" });
	expect(await calledAs(admin, "member@example.org")).toBe("not_found");
	expect(await calledAs(admin)).toBe(admin.userId);
	expect(await calledAs(member)).toBe("not_found");
});

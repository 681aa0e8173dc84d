import { expect, test } from "bun:test";
import { RpcError } from "../../src/mcp/rpc.ts";
import { createShapes, type Shape } from "../../src/mcp/shape.ts";
import { targetOf } from "../../src/mcp/target.ts";
import type { View } from "../../src/mcp/view.ts";
import { textOf, toBytes } from "../../src/message.ts";
import { openDatabase } from "../../src/store/database.ts";
import { createServer, type Server } from "../../src/store/servers.ts";
import { viewOf } from "../support/views.ts";

const LONG = "list_all_the_organisation_wide_deployment_environments";

const server = createServer(
	openDatabase(":memory:"),
	"notes",
	{
		transport: { kind: "command", command: "true", args: [], env: {} },
		slots: [],
		access: "everyone",
		tools: ["read", LONG],
		enabled: true,
	},
	1,
);
const view = viewOf([server]);

function shapeOf(given: Server, kind: "tools" | "prompts"): Shape {
	const keys = kind === "tools" ? ["read", "write", "gone", LONG] : ["ask"];
	const items = keys.map((key) => ({
		key,
		bytes: toBytes(JSON.stringify({ name: key })),
	}));
	return createShapes({ judge: () => new Map([["gone", "changed"]]) }).of(
		given,
		kind,
		items,
	);
}

async function target(
	method: string,
	params: string | null,
	seen: View = view,
): Promise<string | number> {
	const request = {
		era: "legacy" as const,
		method,
		params: params === null ? null : toBytes(params),
		signal: new AbortController().signal,
	};
	try {
		const found = await targetOf(seen, request, {
			listerOf: async (_, uri) =>
				uri === "https://notes.example/a" ? server : null,
			shapeOf: (_, given, kind) => shapeOf(given, kind as "tools"),
			openTask: (_, _era, exposed) =>
				exposed === "mine" ? { server, variant: "", taskId: "theirs" } : null,
		});
		if (found.refusal) return found.refusal.message;
		return `${found.server.slug} ${found.name} ${found.params && textOf(found.params)}`;
	} catch (error) {
		if (error instanceof RpcError) return error.code;
		throw error;
	}
}

test("a name at the shared endpoint says the server, and is its own again in the params", async () => {
	expect(
		await target(
			"tools/call",
			'{"arguments":{"name":"notes_read"},"name":"notes_read"}',
		),
	).toBe('notes read {"arguments":{"name":"notes_read"},"name":"read"}');
	expect(
		await target(
			"completion/complete",
			'{"ref":{"type":"ref/prompt","name":"notes_ask"}}',
		),
	).toBe('notes ask {"ref":{"type":"ref/prompt","name":"ask"}}');
	expect(await target("resources/read", '{"uri":"notes+x://1"}')).toBe(
		'notes x://1 {"uri":"x://1"}',
	);
});

test("a shortened name is the server's own again", async () => {
	const short = [...shapeOf(server, "tools").exposed.keys()].find((name) =>
		name.startsWith("notes_list"),
	);
	expect(short?.length).toBeLessThanOrEqual(44);
	expect(await target("tools/call", JSON.stringify({ name: short }))).toBe(
		`notes ${LONG} {"name":"${LONG}"}`,
	);
});

test("a web address belongs to whoever lists it", async () => {
	expect(
		await target("resources/read", '{"uri":"https://notes.example/a"}'),
	).toBe('notes https://notes.example/a {"uri":"https://notes.example/a"}');
	expect(
		await target("resources/read", '{"uri":"https://notes.example/b"}'),
	).toBe(-32002);
});

test("what no server in view has is unknown, and so is what is switched off", async () => {
	for (const params of [
		'{"name":"other_read"}',
		"{}",
		'{"name":7}',
		'{"name":"notes_write"}',
		'{"name":"notes_unlisted"}',
	])
		expect(await target("tools/call", params)).toBe(-32602);
});

test("what waits to be accepted is refused with what to do", async () => {
	expect(await target("tools/call", '{"name":"notes_gone"}')).toBe(
		"notes: gone has changed since it was approved",
	);
});

test("a server that is trusted may be called by names it does not list", async () => {
	const trusted: Server = { ...server, tools: null, pinning: "off" };
	const seen: View = { ...view, servers: [trusted] };
	expect(await target("tools/call", '{"name":"notes_unlisted"}', seen)).toBe(
		'notes unlisted {"name":"unlisted"}',
	);
	expect(
		await target("tools/call", '{"name":"unlisted"}', {
			...seen,
			only: trusted,
		}),
	).toBe('notes unlisted {"name":"unlisted"}');
});

test("a method without a name is nobody's there, whatever it is called", async () => {
	for (const method of ["vendor/thing", "constructor", "toString", "__proto__"])
		expect(await target(method, '{"name":"notes_read"}')).toBe(-32601);
});

test("a task belongs to one caller at every endpoint, and is the server's own again in the params", async () => {
	for (const seen of [view, { ...view, only: server }]) {
		expect(await target("tasks/get", '{"taskId":"mine"}', seen)).toBe(
			'notes null {"taskId":"theirs"}',
		);
		for (const params of ['{"taskId":"theirs"}', '{"taskId":7}', "{}", null])
			expect(await target("tasks/get", params, seen)).toBe(-32602);
	}
});

test("at a server's own endpoint every method is the server's, and names have no prefix", async () => {
	const own: View = { ...view, only: server };
	expect(await target("vendor/thing", '{"a":1}', own)).toBe(
		'notes null {"a":1}',
	);
	expect(await target("tools/call", '{"name":"read"}', own)).toBe(
		'notes read {"name":"read"}',
	);
	expect(await target("tools/call", '{"name":"notes_read"}', own)).toBe(-32602);
	expect(await target("resources/read", "{}", own)).toBe("notes null {}");
});

/**
 * Silence longer than `Bun.serve` allows by itself (10 s), for real: a call that says nothing, an answer that stops in
 * the middle, a stream that nobody writes to. Whoever stands between is told that the connection lives.
 *
 * @see specification 2025-11-25, basic/transports; WHATWG HTML 9.2.7 (comments keep a stream alive)
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	legacyStart,
	result,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import { openLegacySession } from "../support/wire.ts";

setDefaultTimeout(60_000);

const SILENCE_MS = 12_000;
const HEARTBEAT_MS = 15_000;

let server: ScriptedServer;
let gateway: Gateway;
let key: string;

beforeAll(async () => {
	server = startScripted(async (asked) => {
		const start = legacyStart(asked);
		if (start) return start;
		if (asked.method === "tools/list")
			return result(asked, '{"tools":[{"name":"a","inputSchema":{}}]}');
		if (asked.method !== "tools/call") return undefined;
		const answer = `{"jsonrpc":"2.0","id":${asked.id},"result":{"content":[]}}`;
		if (!asked.body.includes("halves")) {
			await Bun.sleep(SILENCE_MS);
			return result(asked, '{"content":[]}');
		}
		return new Response(
			new ReadableStream<string>({
				start: async (sink) => {
					sink.enqueue(answer.slice(0, 20));
					await Bun.sleep(SILENCE_MS);
					sink.enqueue(answer.slice(20));
					sink.close();
				},
			}),
			{ headers: { "content-type": "application/json" } },
		);
	});
	gateway = await startGateway();
	await gateway.cli(["servers", "add", "slow", "--url", server.url]);
	const made = await gateway.cli([
		"keys",
		"create",
		"patience",
		"--user",
		gateway.owner.email,
		"--json",
	]);
	({ key } = JSON.parse(made));
});
afterAll(async () => {
	await gateway?.stop();
	server?.stop();
});

for (const [name, accept, how] of [
	["a client that takes no stream", "application/json", "late"],
	[
		"a client that takes a stream",
		"application/json, text/event-stream",
		"late",
	],
	[
		"an answer that stops in the middle",
		"application/json, text/event-stream",
		"halves",
	],
] as const)
	test.concurrent(`${name} waits ${SILENCE_MS / 1000} s and has its answer`, async () => {
		const session = await openLegacySession(gateway.endpoint("slow"), key);
		const answer = await session.request(
			"tools/call",
			{ name: "a", arguments: { how } },
			{ headers: { accept } },
		);
		expect(answer.status).toBe(200);
		expect(answer.messages.at(-1)?.result).toEqual({ content: [] });
		const type = answer.headers.get("content-type");
		expect(type).toBe(
			accept === "application/json" ? "application/json" : "text/event-stream",
		);
		if (type === "text/event-stream")
			expect(answer.headers.get("x-accel-buffering")).toBe("no");
	});

test.concurrent("a stream that nobody writes to lives, and has a heartbeat every 15 s", async () => {
	const session = await openLegacySession(gateway.endpoint("slow"), key);
	const startedMs = performance.now();
	const response = await fetch(gateway.endpoint("slow"), {
		headers: {
			...session.headers,
			accept: "text/event-stream",
			authorization: `Bearer ${key}`,
		},
	});
	const reader = response.body?.getReader();
	const decoder = new TextDecoder();
	let heard = "";
	while (!heard.includes("heartbeat")) {
		const read = await reader?.read();
		if (!read || read.done) break;
		heard += decoder.decode(read.value);
	}
	expect(heard).toContain(": heartbeat\n\n");
	expect(performance.now() - startedMs).toBeGreaterThan(HEARTBEAT_MS - 1000);
	await reader?.cancel();
});

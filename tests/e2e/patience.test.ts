/**
 * Silence longer than `Bun.serve` allows by itself (10 s), for real: a call that says nothing, an answer that stops in
 * the middle, streams that nobody writes to, on both sides. Whoever stands between is told that the connection lives.
 *
 * `npm run patience` waits seven minutes instead, which is longer than any limit of Bun's (`fetch` ends at 360 s).
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
import { openLegacySession, openModern, openStream } from "../support/wire.ts";

const SILENCE_MS = Number(Bun.env["SALLYPORT_SILENCE_SECONDS"] ?? 12) * 1000;
/** An answer that has begun is given up after five minutes in which nothing of it came. */
const HALF_MS = Math.min(SILENCE_MS, 240_000);
const HEARTBEAT_MS = 15_000;

setDefaultTimeout(SILENCE_MS + 60_000);

let server: ScriptedServer;
/** Servers that say nothing for so long, and then that their tools have changed. */
let quiet: readonly ScriptedServer[] = [];
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
					await Bun.sleep(HALF_MS);
					sink.enqueue(answer.slice(20));
					sink.close();
				},
			}),
			{ headers: { "content-type": "application/json" } },
		);
	});
	const capabilities = '{"tools":{"listChanged":true}}';
	const tools =
		'{"resultType":"complete","tools":[{"name":"a","inputSchema":{}}],"ttlMs":600000,"cacheScope":"public"}';
	quiet = [
		startScripted((asked) => {
			if (asked.verb === "GET") return news([]);
			return asked.method === "tools/list"
				? result(asked, tools)
				: legacyStart(asked, { capabilities });
		}),
		startScripted((asked) => {
			if (asked.method === "tools/list") return result(asked, tools);
			if (asked.method === "server/discover")
				return result(
					asked,
					`{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":${capabilities},"ttlMs":0,"cacheScope":"public"}`,
				);
			return asked.method === "subscriptions/listen"
				? news([
						{
							method: "notifications/subscriptions/acknowledged",
							params: { notifications: { toolsListChanged: true } },
						},
					])
				: undefined;
		}),
	];
	gateway = await startGateway();
	await gateway.addServers({
		slow: ["--url", server.url],
		...Object.fromEntries(
			quiet.map(({ url }, at) => [`quiet${at}`, ["--url", url]]),
		),
	});
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
	for (const each of [server, ...quiet]) each?.stop();
});

const CHANGED = "notifications/tools/list_changed";

/** A stream with these messages, a long silence, and the news that the tools have changed. */
function news(first: readonly object[]): Response {
	const event = (message: object): string =>
		`data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;
	return new Response(
		new ReadableStream<string>({
			start: async (sink) => {
				sink.enqueue(`: open\n\n${first.map(event).join("")}`);
				await Bun.sleep(SILENCE_MS);
				try {
					sink.enqueue(event({ method: CHANGED }));
				} catch {
					// whoever listened is gone
				}
			},
		}),
		{ headers: { "content-type": "text/event-stream" } },
	);
}

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
	test.concurrent(`${name} waits ${(how === "late" ? SILENCE_MS : HALF_MS) / 1000} s and has its answer`, async () => {
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

for (const [at, era] of ["legacy", "modern"].entries())
	test.concurrent(`a ${era} server's stream is silent for ${SILENCE_MS / 1000} s, and then heard by clients of both eras`, async () => {
		const endpoint = gateway.endpoint(`quiet${at}`);
		const session = await openLegacySession(endpoint, key);
		const startedMs = performance.now();
		const streams = [
			await openStream(endpoint, key, null, {
				...session.headers,
				Accept: "text/event-stream",
			}),
			await openModern(endpoint, key, "subscriptions/listen", {
				notifications: { toolsListChanged: true },
			}),
		] as const;
		await session.request("tools/list");
		expect((await streams[1].next())?.method).toContain("acknowledged");
		for (const stream of streams) {
			expect((await stream.next())?.method).toBe(CHANGED);
			stream.close();
		}
		expect(performance.now() - startedMs).toBeGreaterThan(SILENCE_MS - 3000);
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

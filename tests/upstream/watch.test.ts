import { afterEach, describe, expect, test } from "bun:test";
import { toBytes } from "../../src/message.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import { fixtureCommand, startFixture } from "../conformance/fixtures.ts";
import { closeAll, opened } from "../support/opened.ts";
import { startEverything } from "../support/processes.ts";
import {
	type Asked,
	events,
	json,
	legacyStart,
	result,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import { until } from "../support/until.ts";
import {
	asCommand,
	ask,
	callTool,
	overHttp,
	type Pool,
	startPool,
} from "../support/upstreams.ts";

afterEach(closeAll);

function pooled(options: Parameters<typeof startPool>[0] = {}): Pool {
	const pool = startPool(options);
	opened.push(pool);
	return pool;
}

/** The URIs that an upstream tells have changed, in order. */
function updatesOf(upstream: Upstream): readonly string[] {
	const uris: string[] = [];
	upstream.subscribe((event) => {
		if (event.type === "resource_updated") uris.push(event.uri);
	});
	return uris;
}

const SUBSCRIBE = '{"tools":{},"resources":{"subscribe":true}}';

function scripted(script: (asked: Asked) => Response | undefined): {
	readonly server: ScriptedServer;
	readonly upstream: Upstream;
	/** Params of what was asked by this method. */
	readonly paramsOf: (method: string) => readonly unknown[];
} {
	const server = startScripted(script);
	opened.push({ close: server.stop });
	return {
		server,
		upstream: pooled().upstream("it", overHttp(server.url)),
		paramsOf: (method) =>
			server.asked
				.filter((asked) => asked.method === method)
				.map(({ body }) => {
					const { _meta: _, ...params } = JSON.parse(body).params;
					return params;
				}),
	};
}

test("server-everything tells of a watched resource", async () => {
	const server = await startEverything("streamableHttp");
	opened.push({ close: server.stop });
	const upstream = pooled().upstream("everything", overHttp(server.url));
	const updates = updatesOf(upstream);
	const [uri] = (await upstream.list("resources")).map(({ key }) => key);
	await upstream.watch(`resource ${uri}`);
	await callTool(upstream, "toggle-subscriber-updates");
	await until("an update came", () => updates.length > 0);
	expect(updates[0]).toBe(uri as string);
}, 20_000);

describe("legacy", () => {
	test("several watchers are one subscription, which ends with the last of them", async () => {
		const { upstream, paramsOf } = scripted(
			(asked) =>
				legacyStart(asked, { capabilities: SUBSCRIBE }) ?? result(asked, "{}"),
		);
		const [a, b] = await Promise.all([
			upstream.watch("resource x:1"),
			upstream.watch("resource x:1"),
		]);
		const other = await upstream.watch("resource x:2");
		expect(paramsOf("resources/subscribe")).toEqual([
			{ uri: "x:1" },
			{ uri: "x:2" },
		]);
		a();
		a();
		other();
		await until("one was given up", () =>
			paramsOf("resources/unsubscribe").some(() => true),
		);
		expect(paramsOf("resources/unsubscribe")).toEqual([{ uri: "x:2" }]);
		b();
		await until("both were given up", () =>
			paramsOf("resources/unsubscribe").some(
				(params) => (params as { uri: string }).uri === "x:1",
			),
		);
		(await upstream.watch("resource x:1"))();
		expect(paramsOf("resources/subscribe")).toHaveLength(3);
	});

	test("a server that refuses is an upstream error, and nothing is kept", async () => {
		let refuses = true;
		const { upstream, paramsOf } = scripted((asked) => {
			const start = legacyStart(asked, { capabilities: SUBSCRIBE });
			if (start) return start;
			return refuses && asked.method === "resources/subscribe"
				? json(
						`{"jsonrpc":"2.0","id":${asked.id},"error":{"code":-32601,"message":"no"}}`,
					)
				: result(asked, "{}");
		});
		await expect(upstream.watch("resource x:1")).rejects.toMatchObject({
			code: "upstream",
			message: "it: the server refused to tell of changes",
		});
		refuses = false;
		await upstream.watch("resource x:1");
		expect(paramsOf("resources/subscribe")).toHaveLength(2);
		expect(paramsOf("resources/unsubscribe")).toEqual([]);
	});

	test("after the session was lost, the server is found again unasked, told anew, and the resource may have changed", async () => {
		let sessions = 0;
		const { upstream, paramsOf } = scripted((asked) => {
			if (asked.method === "initialize") sessions++;
			const start = legacyStart(asked, {
				sessionId: `s-${sessions}`,
				capabilities: SUBSCRIBE,
			});
			if (start) return start;
			if (asked.verb === "GET" && sessions === 1 && watching)
				return new Response(null, { status: 404 });
			if (asked.verb === "GET") return events("retry: 1\n\n");
			return result(asked, "{}");
		});
		let watching = false;
		const updates = updatesOf(upstream);
		await upstream.watch("resource x:1");
		watching = true;
		await until("the new session was told", () => updates.length > 0);
		expect(updates).toEqual(["x:1"]);
		expect(sessions).toBe(2);
		expect(paramsOf("resources/subscribe")).toEqual([
			{ uri: "x:1" },
			{ uri: "x:1" },
		]);
	});

	test("a process that ends while it is watched is started again unasked", async () => {
		const pool = pooled();
		const upstream = pool.upstream(
			"dies",
			asCommand(fixtureCommand("stdio-legacy")),
		);
		const updates = updatesOf(upstream);
		await upstream.watch("resource test://watched-resource");
		const children = pool.db.query<{ pid: number }, []>(
			"SELECT pid FROM children",
		);
		process.kill(children.get()?.pid ?? 0, "SIGKILL");
		await until("it was watched again", () => updates.length > 0);
		expect(updates).toEqual(["test://watched-resource"]);
		expect(upstream.state()).toBe("ready");
	}, 20_000);

	test("what is watched does not sleep; what is not watched any more does", async () => {
		const pool = pooled({ idleStopMs: 40 });
		const command = asCommand(fixtureCommand("stdio-legacy"));
		const upstream = pool.upstream("awake", command);
		const other = pool.upstream("asleep", command);
		const stop = await upstream.watch("resource test://watched-resource");
		await ask(other, "ping");
		await until("the other one slept", () => other.state() === "asleep");
		expect(upstream.state()).toBe("ready");
		stop();
		await until("it slept", () => upstream.state() === "asleep");
	}, 20_000);
});

describe("modern", () => {
	/** A modern server that honours watching what does not end in `no`. */
	function listening(): ReturnType<typeof scripted> & {
		/** The streams that are open, by what they watch. */
		readonly streams: () => readonly (readonly string[])[];
		readonly say: (message: string) => void;
	} {
		const streams = new Map<
			WritableStreamDefaultWriter<Uint8Array>,
			readonly string[]
		>();
		const it = scripted((asked) => {
			if (asked.method === "server/discover")
				return result(
					asked,
					`{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}},"ttlMs":0,"cacheScope":"public"}`,
				);
			if (asked.method !== "subscriptions/listen") return result(asked, "{}");
			const wish = JSON.parse(asked.body).params.notifications;
			const uris: readonly string[] = wish.resourceSubscriptions ?? [];
			const { readable, writable } = new TransformStream<
				Uint8Array,
				Uint8Array
			>();
			const writer = writable.getWriter();
			streams.set(writer, uris);
			writer.closed.catch(() => streams.delete(writer));
			const honoured = {
				...wish,
				resourceSubscriptions: uris.filter((uri) => !uri.endsWith("no")),
			};
			void writer.write(
				toBytes(
					`data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":${JSON.stringify(honoured)},"_meta":{"io.modelcontextprotocol/subscriptionId":${asked.id}}}}\n\n`,
				),
			);
			return new Response(readable, {
				headers: { "content-type": "text/event-stream" },
			});
		});
		return {
			...it,
			streams: () => [...streams.values()],
			say: (message) => {
				for (const writer of streams.keys())
					void writer.write(toBytes(`data: ${message}\n\n`)).catch(() => {});
			},
		};
	}

	test("watchers that come together are one new stream, and the older one is let go", async () => {
		const { upstream, streams, say } = listening();
		await upstream.facts();
		await until("changes are heard", () => streams().length === 1);
		expect(streams()).toEqual([[]]);
		const updates = updatesOf(upstream);
		const stops = await Promise.all(
			["x:1", "x:2", "x:1"].map((uri) => upstream.watch(`resource ${uri}`)),
		);
		await until("the first stream ended", () => streams().length === 1);
		expect(streams()).toEqual([["x:1", "x:2"]]);
		say(
			'{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:2"}}',
		);
		await until("it was heard", () => updates.length > 0);
		expect(updates).toEqual(["x:2"]);
		stops[0]?.();
		stops[1]?.();
		await until("only one is watched", () => streams()[0]?.length === 1);
		expect(streams().at(-1)).toEqual(["x:1"]);
		stops[2]?.();
		await until("none is watched", () =>
			streams().every((uris) => uris.length === 0),
		);
	});

	test("what the server does not acknowledge is refused, and not wished for again", async () => {
		const { upstream, paramsOf } = listening();
		const [yes, no] = await Promise.allSettled([
			upstream.watch("resource x:yes"),
			upstream.watch("resource x:no"),
		]);
		expect(yes.status).toBe("fulfilled");
		expect(no).toMatchObject({
			status: "rejected",
			reason: { code: "upstream" },
		});
		await upstream.watch("resource x:other");
		expect(paramsOf("subscriptions/listen").at(-1)).toEqual({
			notifications: {
				toolsListChanged: true,
				resourceSubscriptions: ["x:yes", "x:other"],
			},
		});
	});

	test("the SDK's servers acknowledge, over HTTP and over stdio", async () => {
		const server = await startFixture("http-modern");
		opened.push({ close: server.stop });
		const pool = pooled();
		for (const upstream of [
			pool.upstream("http", overHttp(server.url)),
			pool.upstream("stdio", asCommand(fixtureCommand("stdio-modern"))),
		]) {
			expect(await upstream.facts()).toMatchObject({ era: "modern" });
			(await upstream.watch("resource test://watched-resource"))();
		}
	}, 20_000);

	test("a server that honours nothing is not asked again and again", async () => {
		let asked = 0;
		const { upstream } = scripted((each) => {
			if (each.method === "server/discover")
				return result(
					each,
					'{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"public"}',
				);
			asked++;
			return json(
				`{"jsonrpc":"2.0","id":${each.id},"error":{"code":-32601,"message":"no"}}`,
			);
		});
		await expect(upstream.watch("resource x:1")).rejects.toMatchObject({
			code: "upstream",
		});
		await expect(upstream.watch("resource x:1")).rejects.toMatchObject({
			code: "upstream",
		});
		expect(asked).toBe(2);
	});
});

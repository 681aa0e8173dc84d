/**
 * Watched resources, in the four pairings: whoever watches hears that a resource changed, under the URI that they know
 * it by, and nobody else does.
 *
 * @see specification 2025-11-25, server/resources ("Subscriptions"); 2026-07-28, basic/patterns/subscriptions
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { META } from "../../src/protocol.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type Asked,
	legacyStart,
	result,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import { until } from "../support/until.ts";
import { openLegacySession, openModern, openStream } from "../support/wire.ts";

setDefaultTimeout(30_000);

const URI = "x://a/b";
const CAPABILITIES = '{"tools":{},"resources":{"subscribe":true}}';

let gateway: Gateway;
let key: string;
let servers: Readonly<Record<"modern" | "legacy", ScriptedServer>>;
/** Streams on which the servers tell of changes. */
const streams = new Set<ReadableStreamDefaultController<string>>();

function stream(first = ""): Response {
	return new Response(
		new ReadableStream<string>({
			start: (controller) => {
				streams.add(controller);
				controller.enqueue(`: open\n\n${first}`);
			},
		}),
		{ headers: { "content-type": "text/event-stream" } },
	);
}

function event(method: string, params: unknown): string {
	return `data: ${JSON.stringify({ jsonrpc: "2.0", method, params })}\n\n`;
}

function changed(uri: string): void {
	for (const each of streams)
		try {
			each.enqueue(event("notifications/resources/updated", { uri }));
		} catch {
			streams.delete(each); // its reader is gone
		}
}

function listed(asked: Asked): Response | undefined {
	if (asked.method === "tools/list" || asked.method === "resources/list")
		return result(
			asked,
			`{"resultType":"complete","tools":[],"resources":[{"uri":"${URI}","name":"b"}],"ttlMs":60000,"cacheScope":"public"}`,
		);
	return asked.method?.startsWith("resources/")
		? result(asked, "{}")
		: undefined;
}

beforeAll(async () => {
	servers = {
		legacy: startScripted((asked) =>
			asked.verb === "GET"
				? stream()
				: (legacyStart(asked, { capabilities: CAPABILITIES }) ?? listed(asked)),
		),
		modern: startScripted((asked) => {
			if (asked.method === "server/discover")
				return result(
					asked,
					`{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":${CAPABILITIES},"ttlMs":0,"cacheScope":"public"}`,
				);
			if (asked.method !== "subscriptions/listen") return listed(asked);
			const { notifications } = JSON.parse(asked.body).params;
			return stream(
				event("notifications/subscriptions/acknowledged", { notifications }),
			);
		}),
	};
	gateway = await startGateway();
	await gateway.addServers({
		legacy: ["--url", servers.legacy.url],
		modern: ["--url", servers.modern.url],
	});
	key = await gateway.apiKey("watched");
});

afterAll(async () => {
	await gateway?.stop();
	for (const server of Object.values(servers)) server.stop();
});

for (const server of ["legacy", "modern"] as const)
	for (const slug of [undefined, server]) {
		const where = slug === undefined ? "at /mcp" : "at its own endpoint";
		test(`a ${server} server's resource that changes is told to clients of both eras who watch it, ${where}`, async () => {
			const endpoint = gateway.endpoint(slug);
			const uri = slug === undefined ? `${server}+${URI}` : URI;
			const listen = async (
				session: Awaited<ReturnType<typeof openLegacySession>>,
			): ReturnType<typeof openStream> =>
				openStream(endpoint, key, null, {
					...session.headers,
					Accept: "text/event-stream",
				});
			const watching = await openLegacySession(endpoint, key);
			const idle = await openLegacySession(endpoint, key);
			const own = await listen(watching);
			const other = await listen(idle);
			const said = await watching.request("resources/subscribe", { uri });
			expect(said.last?.result).toEqual({});
			const modern = await openModern(endpoint, key, "subscriptions/listen", {
				notifications: { resourceSubscriptions: [uri] },
			});
			expect((await modern.next())?.params).toMatchObject({
				notifications: { resourceSubscriptions: [uri] },
			});
			await until("the server is listened to", () => streams.size > 0);
			changed("x://another");
			changed(URI);
			const method = "notifications/resources/updated";
			expect(await own.next()).toEqual(
				expect.objectContaining({ method, params: { uri } }),
			);
			expect(await modern.next()).toMatchObject({
				method,
				params: { uri, _meta: { [META.subscriptionId]: 1 } },
			});
			const heard = other.next();
			other.close();
			expect(await heard).toBeNull();
			await watching.request("resources/unsubscribe", { uri });
			const after = own.next();
			changed(URI);
			expect((await modern.next())?.method).toBe(method);
			own.close();
			modern.close();
			expect(await after).toBeNull();
		});
	}

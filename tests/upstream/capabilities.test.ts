import { afterEach, expect, test } from "bun:test";
import type { Server } from "../../src/store/servers.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import { fixtureCommand as conformance } from "../conformance/fixtures.ts";
import { closeAll, opened } from "../support/opened.ts";
import { fixtureCommand } from "../support/processes.ts";
import {
	modernStart,
	result,
	startScripted,
} from "../support/scripted-server.ts";
import {
	asCommand,
	ask,
	overHttp,
	type Pool,
	startPool,
} from "../support/upstreams.ts";

afterEach(closeAll);

function pooled(): Pool {
	const pool = startPool();
	opened.push(pool);
	return pool;
}

test("a modern server is told with every request what this upstream's callers can be asked", async () => {
	const server = startScripted(
		(asked) => modernStart(asked) ?? result(asked, "{}"),
	);
	opened.push({ close: server.stop });
	const pool = pooled();
	const row = pool.add("modern", overHttp(server.url));
	for (const capabilities of ["{}", '{"elicitation":{"form":{}}}']) {
		const upstream = pool.upstreams.forUser(row, pool.userIds[0], capabilities);
		expect(upstream.capabilities).toBe(capabilities);
		await ask(upstream, "ping");
		expect(server.asked.at(-1)?.body).toContain(
			`"io.modelcontextprotocol/clientCapabilities":${capabilities}`,
		);
	}
});

test("a modern server is told the caller's log level, unless the params say another", async () => {
	const server = startScripted(
		(asked) => modernStart(asked) ?? result(asked, "{}"),
	);
	opened.push({ close: server.stop });
	const upstream = pooled().upstream("logs", overHttp(server.url));
	const LEVEL = "io.modelcontextprotocol/logLevel";
	for (const [params, level] of [
		[null, "debug"],
		['{"_meta":{"k":1}}', "debug"],
		[`{"_meta":{"${LEVEL}":"error"}}`, "error"],
	] as const) {
		await ask(upstream, "tools/call", params, { logLevel: '"debug"' });
		const { _meta } = JSON.parse(server.asked.at(-1)?.body ?? "").params;
		expect(_meta[LEVEL]).toBe(level);
	}
	await ask(upstream, "ping");
	expect(server.asked.at(-1)?.body).not.toContain(LEVEL);
});

function variant(pool: Pool, server: Server, n: number): Upstream {
	return pool.upstreams.forUser(
		server,
		pool.userIds[0],
		`{"elicitation":{"v${n}":{}}}`,
	);
}

test("of one server's variants the idlest is closed for a ninth; the plain one and what is watched stay", async () => {
	const pool = pooled();
	const server = pool.add("many", asCommand(conformance("stdio-legacy")));
	const plain = pool.upstreams.forUser(server, pool.userIds[0]);
	const [watched, idlest, asked, ...others] = [0, 1, 2, 3, 4, 5, 6, 7].map(
		(n) => variant(pool, server, n),
	) as [Upstream, Upstream, Upstream, ...Upstream[]];
	await watched.watch("resource test://watched-resource");
	await ask(asked, "ping");
	expect(pool.upstreams.live(server.id)).toHaveLength(9);
	const ninth = variant(pool, server, 8);
	expect(pool.upstreams.live(server.id)).toEqual([
		plain,
		watched,
		asked,
		...others,
		ninth,
	]);
	await expect(idlest.facts()).rejects.toThrow("changed or removed");
}, 20_000);

test("when all variants have work, a further caller gets the upstream that asks nothing", async () => {
	const pool = pooled();
	const server = pool.add(
		"busy",
		asCommand(fixtureCommand("hostile", "stdio", "silent")),
	);
	const abort = new AbortController();
	const waiting = [0, 1, 2, 3, 4, 5, 6, 7].map((n) =>
		variant(pool, server, n).facts(abort.signal),
	);
	const ninth = variant(pool, server, 8);
	expect(ninth.capabilities).toBe("{}");
	expect(ninth).toBe(pool.upstreams.forUser(server, pool.userIds[0]));
	abort.abort();
	await Promise.allSettled(waiting);
	expect(variant(pool, server, 8).capabilities).not.toBe("{}");
}, 20_000);

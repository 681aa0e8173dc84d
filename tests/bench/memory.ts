/** P5 what rest costs, P6 what is left after work. */
import { QUICK, report } from "./bench.ts";
import {
	callOnce,
	credentialsFor,
	measure,
	openSession,
	requestOf,
} from "./load.ts";
import {
	createGateway,
	type Gateway,
	LOAD,
	memoryOf,
	restingMemory,
	start,
} from "./processes.ts";

const MB = 1024 * 1024;
const SERVERS = 200;
const SESSIONS = 150;
const STREAMS_PER_SESSION = 4;

/** P5. */
export async function measureRest(): Promise<void> {
	const gateway = await createGateway();
	await gateway.stop();
	const { url, pid } = await gateway.start();
	const empty = await restingMemory(pid);
	report(
		"P5",
		"at rest, no servers",
		`${(empty / MB).toFixed(1)} MB`,
		"≤ 65 MB",
		empty <= 65 * MB,
	);

	const upstream = await start(LOAD, "upstream.ts", "0", "legacy");
	for (let server = 0; server < SERVERS; server++)
		gateway.cli(
			"servers",
			"add",
			`rest-${server}`,
			"--url",
			`http://127.0.0.1:${upstream.port}/${server}/list/1`,
		);
	await gateway.stop();
	const again = await gateway.start();
	const session = await openSession(`${url}/mcp/rest-0`, gateway.key);
	await callOnce(`${url}/mcp/rest-0`, gateway.key, "tools/list", {}, session);
	const known = await restingMemory(again.pid);
	const shared = await openSession(`${url}/mcp`, gateway.key);
	await (
		await callOnce(`${url}/mcp`, gateway.key, "tools/list", {}, shared)
	).bytes();
	const used = await restingMemory(again.pid);
	const each = Math.max(0, used - known) / (SERVERS - 1) / 1024;
	report(
		"P5",
		"per server that was listed and rests, and user",
		`${each.toFixed(1)} KB`,
		"≤ 20 KB",
		each <= 20,
	);

	const before = await restingMemory(again.pid);
	const ended = new AbortController();
	let streams = 0;
	for (let at = 0; at < SESSIONS; at++) {
		const id = await openSession(`${url}/mcp/rest-0`, gateway.key);
		for (let stream = 0; stream < STREAMS_PER_SESSION; stream++) {
			const { ok } = await fetch(`${url}/mcp/rest-0`, {
				headers: {
					accept: "text/event-stream",
					authorization: `Bearer ${gateway.key}`,
					"mcp-session-id": id,
				},
				signal: ended.signal,
			});
			if (ok) streams++;
		}
	}
	const open =
		Math.max(0, (await restingMemory(again.pid)) - before) / streams / 1024;
	report(
		"P5",
		`per open legacy stream (${streams})`,
		`${open.toFixed(1)} KB`,
		"≤ 12 KB",
		open <= 12,
	);
	ended.abort();
	await gateway.stop();
}

/** P6. */
export async function measureGrowth(gateway: Gateway): Promise<void> {
	const upstream = await start(LOAD, "upstream.ts", "0", "legacy");
	const at = `http://127.0.0.1:${upstream.port}`;
	gateway.cli("servers", "add", "small", "--url", `${at}/100`);
	gateway.cli("servers", "add", "large", "--url", `${at}/1048576`);
	const { url, pid } = await gateway.start();
	const endpoint = `${url}/mcp/small`;
	const target = {
		url: endpoint,
		request: requestOf(
			"legacy",
			"tools/call",
			"sized",
			await credentialsFor("legacy", endpoint, gateway.key),
		),
		pid,
	};
	const callsMax = QUICK ? 100_000 : 1_000_000;
	// The first percent is where it settles, but never less than a moment: the engine warms up first.
	let calls = measure(target, 16, 4).perSecond * 4;
	const settled = await restingMemory(pid);
	while (calls < callsMax) calls += measure(target, 16, 10).perSecond * 10;
	reportGrowth(
		`after ${Math.round(calls / 1000)} thousand calls`,
		settled,
		await restingMemory(pid),
	);

	const sessions = QUICK ? 2000 : 10_000;
	const opened = async (count: number): Promise<void> => {
		for (let from = 0; from < count; from += 20)
			await Promise.all(
				Array.from({ length: 20 }, async () => {
					const id = await openSession(endpoint, gateway.key);
					await fetch(endpoint, {
						method: "DELETE",
						headers: {
							authorization: `Bearer ${gateway.key}`,
							"mcp-session-id": id,
						},
					});
				}),
			);
	};
	await opened(Math.max(200, sessions / 100));
	const before = await restingMemory(pid);
	await opened(sessions);
	reportGrowth(
		`after ${sessions} sessions opened and closed`,
		before,
		await restingMemory(pid),
	);

	const large = {
		...target,
		url: `${url}/mcp/large`,
		request: requestOf(
			"legacy",
			"tools/call",
			"sized",
			await credentialsFor("legacy", `${url}/mcp/large`, gateway.key),
		),
	};
	measure(large, 64, 1);
	const first = await restingMemory(pid);
	let results = 0;
	let peak = 0;
	while (results < 1000) {
		results += measure(large, 64, 2).perSecond * 2;
		peak = Math.max(peak, memoryOf(pid));
	}
	reportGrowth(
		`after ${Math.round(results)} results of 1 MiB × 64 (right after: ${(peak / MB).toFixed(0)} MB)`,
		first,
		await restingMemory(pid),
	);
	await gateway.stop();
}

function reportGrowth(what: string, before: number, after: number): void {
	const growth = after / before - 1;
	report(
		"P6",
		what,
		`${(before / MB).toFixed(0)} → ${(after / MB).toFixed(0)} MB (${(growth * 100).toFixed(0)} %)`,
		"≤ +20 %",
		growth <= 0.2,
	);
}

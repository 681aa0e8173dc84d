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
const KB = 1024;
/** Servers that are listed at once. */
const STEP = 200;
const STEPS = QUICK ? 1 : 4;
const SESSIONS = 150;
const STREAMS_PER_SESSION = 4;

/**
 * P5. All of it is the whole resident memory of the process, at rest (`restingMemory`). What one more server costs is
 * told by steps of many that are listed at once, through a toolset. A first step is not counted: it wakes the code and
 * fills the engine's heap, which the next ones do not do again.
 */
export async function measureRest(): Promise<void> {
	const gateway = await createGateway();
	await gateway.stop();
	const empty = await restingMemory((await gateway.start()).pid);
	report(
		"P5",
		"at rest, no servers",
		`${(empty / MB).toFixed(1)} MB`,
		"≤ 65 MB",
		empty <= 65 * MB,
	);

	const upstream = await start(LOAD, "upstream.ts", "0", "legacy");
	const at = `http://127.0.0.1:${upstream.port}`;
	const steps = Array.from({ length: STEPS + 1 }, (_, step) => `step-${step}`);
	for (const step of steps) addServers(gateway, step, at);
	await gateway.stop();
	const { url, pid } = await gateway.start();
	const rested: number[] = [];
	for (const step of steps) {
		await listAll(`${url}/mcp/${step}`, gateway.key);
		rested.push(await restingMemory(pid));
	}
	const { what, each, used } = costOfServers(rested);
	report(
		"P5",
		what,
		`${(each / KB).toFixed(1)} KB`,
		"≤ 20 KB",
		each <= 20 * KB,
	);

	const ended = new AbortController();
	let streams = 0;
	for (let opened = 0; opened < SESSIONS; opened++) {
		const id = await openSession(`${url}/mcp/step-0-0`, gateway.key);
		for (let stream = 0; stream < STREAMS_PER_SESSION; stream++) {
			const { ok } = await fetch(`${url}/mcp/step-0-0`, {
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
	const open = Math.max(0, (await restingMemory(pid)) - used) / streams;
	report(
		"P5",
		`per open legacy stream (${streams})`,
		`${(open / KB).toFixed(1)} KB`,
		"≤ 12 KB",
		open <= 12 * KB,
	);
	ended.abort();
	await gateway.stop();
}

/**
 * What one more server costs, by what was held at rest after each step; `what` says how many servers tell it.
 * @param rested the resident memory in bytes, the first step's too
 */
export function costOfServers(rested: readonly number[]): {
	readonly what: string;
	readonly each: number;
	readonly used: number;
} {
	const first = rested[0] ?? Number.NaN;
	const used = rested.at(-1) ?? Number.NaN;
	const counted = (rested.length - 1) * STEP;
	return {
		what: `per listed server at rest: ${counted} after ${STEP} (${(used / MB).toFixed(1)} MB in all)`,
		each: (used - first) / counted,
		used,
	};
}

/** Servers with a tool each, and a toolset of that name that holds them all. */
function addServers(gateway: Gateway, name: string, at: string): void {
	const slugs = Array.from({ length: STEP }, (_, index) => `${name}-${index}`);
	for (const slug of slugs)
		gateway.cli("servers", "add", slug, "--url", `${at}/${slug}/list/1`);
	gateway.cli(
		...["toolsets", "add", name],
		...slugs.flatMap((slug) => ["--server", slug]),
	);
}

/** Lists the tools of all servers of a toolset. */
async function listAll(endpoint: string, key: string): Promise<void> {
	const session = await openSession(endpoint, key);
	const answer = await callOnce(endpoint, key, "tools/list", {}, session);
	const listed = (await answer.text()).split('"inputSchema"').length - 1;
	if (listed !== STEP) throw new Error(`${listed} of ${STEP} were listed`);
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
	// About the first percent: it settles there.
	let calls = measure(target, 16, 1).perSecond;
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
	// One for each connection: the first percent would be ten.
	const session = await openSession(large.url, gateway.key);
	const params = { name: "sized", arguments: {} };
	await Promise.all(
		Array.from({ length: 64 }, async () =>
			(
				await callOnce(large.url, gateway.key, "tools/call", params, session)
			).bytes(),
		),
	);
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

/** Load by `wrk` (from Debian): one prepared POST again and again, on core 1. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { median, QUICK, ROUNDS, SECONDS } from "./bench.ts";
import { cpuUs, LOAD, makeFolder } from "./processes.ts";

export type Era = "legacy" | "modern";

export type Target = {
	readonly url: string;
	/** Headers and body as wrk's script reads them. */
	readonly request: string;
	/** The process whose processor time is counted. */
	readonly pid: number;
};

export type Sample = {
	readonly perSecond: number;
	readonly p50Us: number;
	readonly p99Us: number;
	/** Processor time of the target for one call. */
	readonly cpuUs: number;
	/** How busy the load generator itself was. */
	readonly loadShare: number;
	readonly wrong: number;
};

let file = "";
let busiest = 0;

/** The load generator's own busy share at its worst: near 1 it was the limit, and not what was measured. */
export function busiestLoad(): number {
	return busiest;
}

export function measure(
	target: Target,
	connections: number,
	seconds = SECONDS,
): Sample {
	if (!existsSync(file)) file = join(makeFolder(), "request");
	writeFileSync(file, target.request);
	const before = cpuUs(target.pid);
	const startedMs = performance.now();
	const { stdout, resourceUsage } = Bun.spawnSync(
		[
			...["taskset", "-c", String(LOAD), "wrk", "-t1", `-c${connections}`],
			...[`-d${seconds}s`, "-s", join(import.meta.dir, "post.lua")],
			target.url,
		],
		{ env: { ...process.env, BENCH_REQUEST: file } },
	);
	const numbers = /BENCH (.*)/
		.exec(stdout.toString())?.[1]
		?.split(" ")
		.map(Number);
	if (!numbers) throw new Error(`wrk said: ${stdout}`);
	const [calls = 0, durationUs = 1, p50 = 0, p99 = 0, wrong = 0, failed = 0] =
		numbers;
	const loadShare =
		Number(resourceUsage.cpuTime.total) /
		((performance.now() - startedMs) * 1000);
	busiest = Math.max(busiest, loadShare);
	return {
		perSecond: (calls / durationUs) * 1e6,
		p50Us: p50,
		p99Us: p99,
		cpuUs: (cpuUs(target.pid) - before) / Math.max(1, calls),
		loadShare,
		wrong: wrong + failed,
	};
}

/** Every target is loaded for so long before it is measured, and well: compilers work by how much a program has done. */
const WARM_UP_SECONDS = QUICK ? 1 : 3;
const BUSY = 16;

/** Medians of interleaved rounds, of programs that are warm: A B C A B C …. */
export function interleaved(
	targets: readonly Target[],
	connections: number,
): readonly Sample[] {
	for (const target of targets)
		measure(target, Math.max(connections, BUSY), WARM_UP_SECONDS);
	const samples = targets.map((): Sample[] => []);
	for (let round = 0; round < ROUNDS; round++)
		for (const [at, target] of targets.entries())
			samples[at]?.push(measure(target, connections));
	return samples.map((rounds) => {
		const of = (figure: keyof Sample): number =>
			median(rounds.map((sample) => sample[figure]));
		return {
			perSecond: of("perSecond"),
			p50Us: of("p50Us"),
			p99Us: of("p99Us"),
			cpuUs: of("cpuUs"),
			loadShare: of("loadShare"),
			wrong: rounds.reduce((sum, { wrong }) => sum + wrong, 0),
		};
	});
}

const HEADERS = {
	"Content-Type": "application/json",
	Accept: "application/json, text/event-stream",
};

/** A request as wrk's script wants it; `@ID@` becomes another id each time. */
export function requestOf(
	era: Era,
	method: string,
	name: string | null,
	headers: Readonly<Record<string, string>> = {},
): string {
	const members = [
		...(name === null ? [] : [`"name":"${name}"`, '"arguments":{}']),
		...(era === "modern"
			? [
					'"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}',
				]
			: []),
	];
	const all = {
		...HEADERS,
		"MCP-Protocol-Version": era === "modern" ? "2026-07-28" : "2025-11-25",
		...(era === "modern" && {
			"Mcp-Method": method,
			...(name !== null && { "Mcp-Name": name }),
		}),
		...headers,
	};
	const lines = Object.entries(all).map(([key, value]) => `${key}: ${value}`);
	const body = `{"jsonrpc":"2.0","id":@ID@,"method":"${method}","params":{${members.join(",")}}}`;
	return [...lines, body].join("\n");
}

/** One call of our own, whole. */
export async function callOnce(
	url: string,
	key: string,
	method: string,
	params: unknown,
	session = "",
): Promise<Response> {
	return fetch(url, {
		method: "POST",
		headers: {
			...HEADERS,
			authorization: `Bearer ${key}`,
			...(session !== "" && { "mcp-session-id": session }),
		},
		body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
	});
}

/** Opens a legacy session and gives its id. */
export async function openSession(url: string, key: string): Promise<string> {
	const response = await callOnce(url, key, "initialize", {
		protocolVersion: "2025-11-25",
		capabilities: {},
		clientInfo: { name: "bench", version: "1" },
	});
	await response.bytes();
	return response.headers.get("mcp-session-id") ?? "";
}

/** The headers with which a client of the gateway comes. */
export async function credentialsFor(
	era: Era,
	url: string,
	key: string,
): Promise<Readonly<Record<string, string>>> {
	return {
		Authorization: `Bearer ${key}`,
		...(era === "legacy" && { "Mcp-Session-Id": await openSession(url, key) }),
	};
}

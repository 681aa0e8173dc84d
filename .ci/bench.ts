/**
 * Measures the gateway beside a direct connection and a pass-through that does nothing, interleaved in one run.
 *
 * The gateway or pass-through has core 0 to itself; the upstream and the load generator (`wrk`, from Debian) share
 * core 1. Ratios of medians are what counts: absolute figures do not travel. `--quick` measures less.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUN, install, ROOT, run } from "./install.ts";

const QUICK = process.argv.includes("--quick");
const ROUNDS = 3;
const SECONDS = QUICK ? 1 : 2;
const SIZES = QUICK ? [100, 16_384] : [100, 16_384, 1_048_576];
const CONNECTIONS = QUICK ? [1, 16] : [1, 16, 64];
const ERAS = ["legacy", "modern"] as const;
const EXECUTABLE = join(ROOT, "dist", "sallyport");

type Era = (typeof ERAS)[number];
type Sample = {
	readonly perSecond: number;
	readonly p50Us: number;
	readonly p99Us: number;
	readonly wrong: number;
};
type Target = {
	readonly name: string;
	readonly url: string;
	readonly request: string;
};

const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
const running: ReturnType<typeof Bun.spawn>[] = [];

/** Starts a program on a core and resolves with the port it prints. */
async function start(core: number, args: readonly string[]): Promise<number> {
	const child = Bun.spawn(["taskset", "-c", String(core), ...args], {
		stdout: "pipe",
		stderr: "ignore",
	});
	running.push(child);
	for await (const chunk of child.stdout) {
		const port = /listening (\d+)/.exec(new TextDecoder().decode(chunk))?.[1];
		if (port !== undefined) return Number(port);
	}
	throw new Error(`${args.join(" ")} did not start`);
}

function cli(...args: string[]): Record<string, unknown> {
	const { stdout, stderr, exitCode } = Bun.spawnSync([
		EXECUTABLE,
		...args,
		"--json",
		"--data-dir",
		folder,
	]);
	if (exitCode !== 0) throw new Error(stderr.toString());
	return JSON.parse(stdout.toString());
}

async function startGateway(): Promise<string> {
	const password = join(folder, "password");
	writeFileSync(password, "a password for a bench", { mode: 0o600 });
	cli(
		"init",
		"--admin-email",
		"bench@example.org",
		"--admin-password-file",
		password,
	);
	const port = 20_000 + (process.pid % 20_000);
	running.push(
		Bun.spawn(
			[
				"taskset",
				"-c",
				"0",
				EXECUTABLE,
				"serve",
				"--data-dir",
				folder,
				"--listen",
				`127.0.0.1:${port}`,
				"--allow-private-upstreams",
				"127.0.0.0/8",
				"--log-level",
				"error",
			],
			{ stdout: "ignore", stderr: "inherit" },
		),
	);
	for (let tries = 0; tries < 200; tries++) {
		const ready = await fetch(`http://127.0.0.1:${port}/readyz`).catch(
			() => null,
		);
		if (ready?.ok) return `http://127.0.0.1:${port}`;
		await Bun.sleep(25);
	}
	throw new Error("the gateway did not start");
}

/** Headers and body of one call, as wrk's script reads them. */
function requestOf(
	era: Era,
	headers: Readonly<Record<string, string>>,
): string {
	const meta =
		era === "modern"
			? ',"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
			: "";
	const all = {
		"Content-Type": "application/json",
		Accept: "application/json, text/event-stream",
		"MCP-Protocol-Version": era === "modern" ? "2026-07-28" : "2025-11-25",
		...(era === "modern"
			? { "Mcp-Method": "tools/call", "Mcp-Name": "sized" }
			: {}),
		...headers,
	};
	const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
	const body = `{"jsonrpc":"2.0","id":@ID@,"method":"tools/call","params":{"name":"sized","arguments":{}${meta}}}`;
	return [...lines, body].join("\n");
}

async function openSession(url: string, key: string): Promise<string> {
	const response = await fetch(url, {
		method: "POST",
		headers: {
			"content-type": "application/json",
			accept: "application/json, text/event-stream",
			authorization: `Bearer ${key}`,
		},
		body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}',
	});
	return response.headers.get("mcp-session-id") ?? "";
}

function measure(target: Target, connections: number): Sample {
	const file = join(folder, "request");
	writeFileSync(file, target.request);
	const { stdout } = Bun.spawnSync(
		[
			"taskset",
			"-c",
			"1",
			"wrk",
			"-t1",
			`-c${connections}`,
			`-d${SECONDS}s`,
			"-s",
			join(ROOT, "tests/bench/post.lua"),
			target.url,
		],
		{ env: { ...process.env, BENCH_REQUEST: file } },
	);
	const numbers = /BENCH (.*)/
		.exec(stdout.toString())?.[1]
		?.split(" ")
		.map(Number);
	if (!numbers) throw new Error(`wrk said: ${stdout}`);
	const [
		requests = 0,
		durationUs = 1,
		p50Us = 0,
		p99Us = 0,
		wrong = 0,
		failed = 0,
	] = numbers;
	return {
		perSecond: (requests / durationUs) * 1e6,
		p50Us,
		p99Us,
		wrong: wrong + failed,
	};
}

function median(numbers: readonly number[]): number {
	return (
		[...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ??
		Number.NaN
	);
}

function row(cells: readonly (string | number)[]): void {
	console.log(
		cells
			.map((cell, index) => String(cell).padStart(index === 0 ? 22 : 11))
			.join(""),
	);
}

install();
run([".ci/build.ts"]);
if (!Bun.which("wrk")) {
	console.error("wrk is missing: apt-get install wrk");
	process.exit(1);
}
try {
	const gateway = await startGateway();
	const { key } = cli(
		"keys",
		"create",
		"bench",
		"--user",
		"bench@example.org",
	) as { key: string };
	row([
		"calls/s",
		"direct",
		"pass",
		"gateway",
		"ratio",
		"p50 pass",
		"p50 gate",
		"p99 pass",
		"p99 gate",
		"wrong",
	]);
	for (const era of ERAS)
		for (const size of SIZES) {
			const port = await start(1, [
				BUN,
				join(ROOT, "tests/bench/upstream.ts"),
				"0",
				String(size),
				era,
			]);
			const direct = `http://127.0.0.1:${port}/mcp`;
			const pass = await start(0, [
				BUN,
				join(ROOT, "tests/bench/pass-through.ts"),
				"0",
				direct,
			]);
			const slug = `bench-${era}-${size}`;
			cli("servers", "add", slug, "--url", direct);
			const url = `${gateway}/mcp/${slug}`;
			const session =
				era === "legacy"
					? { "Mcp-Session-Id": await openSession(url, key) }
					: {};
			const targets: readonly Target[] = [
				{ name: "direct", url: direct, request: requestOf(era, {}) },
				{
					name: "pass",
					url: `http://127.0.0.1:${pass}/`,
					request: requestOf(era, {}),
				},
				{
					name: "gateway",
					url,
					request: requestOf(era, {
						Authorization: `Bearer ${key}`,
						...session,
					}),
				},
			];
			for (const connections of CONNECTIONS) {
				const samples = targets.map((): Sample[] => []);
				for (let round = 0; round < ROUNDS; round++)
					for (const [index, target] of targets.entries())
						samples[index]?.push(measure(target, connections));
				const of = (index: number, figure: keyof Sample): number =>
					median((samples[index] ?? []).map((sample) => sample[figure]));
				row([
					`${era} ${size} B × ${connections}`,
					Math.round(of(0, "perSecond")),
					Math.round(of(1, "perSecond")),
					Math.round(of(2, "perSecond")),
					(of(2, "perSecond") / of(1, "perSecond")).toFixed(2),
					of(1, "p50Us"),
					of(2, "p50Us"),
					of(1, "p99Us"),
					of(2, "p99Us"),
					samples.flat().reduce((sum, sample) => sum + sample.wrong, 0),
				]);
			}
		}
} finally {
	for (const child of running) child.kill();
	rmSync(folder, { recursive: true, force: true });
}

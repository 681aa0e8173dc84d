/**
 * Programs that a test starts: fixtures, reference servers, the executable. What a test started, it stops, by handle;
 * output is awaited, never slept for.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "./tools.ts";

const START_TIMEOUT_MS = 20_000;

export type Running = {
	readonly pid: number;
	/** Resolves to the first match in what the program has printed or will print (both streams). */
	readonly printed: (
		pattern: RegExp,
		timeoutMs?: number,
	) => Promise<RegExpExecArray>;
	readonly output: () => string;
	readonly exited: Promise<number>;
	readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
};

export type RunOptions = {
	readonly env?: Readonly<Record<string, string>>;
	readonly cwd?: string;
	/** Written to standard input, which is then closed. */
	readonly input?: string;
};

/** Starts a program with this environment only, plus PATH. */
export function run(
	command: readonly string[],
	options: RunOptions = {},
): Running {
	let output = "";
	let ended = false;
	const listeners = new Set<() => void>();
	const child = Bun.spawn([...command], {
		cwd: options.cwd ?? REPOSITORY,
		env: { PATH: Bun.env["PATH"] ?? "", ...options.env },
		stdin: new Blob([options.input ?? ""]),
		stdout: "pipe",
		stderr: "pipe",
	});
	const follow = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
		const decoder = new TextDecoder();
		for await (const chunk of stream) {
			output += decoder.decode(chunk, { stream: true });
			for (const listener of listeners) listener();
		}
	};
	const exited = Promise.all([
		child.exited,
		follow(child.stdout),
		follow(child.stderr),
	]).then(([code]) => {
		ended = true;
		for (const listener of listeners) listener();
		return code;
	});
	return {
		pid: child.pid,
		output: () => output,
		exited,
		printed: (pattern, timeoutMs = START_TIMEOUT_MS) =>
			new Promise((resolve, reject) => {
				const finish = (act: () => void): void => {
					clearTimeout(timer);
					listeners.delete(look);
					act();
				};
				const look = (): void => {
					const match = pattern.exec(output);
					if (match) finish(() => resolve(match));
					else if (ended)
						finish(() =>
							reject(new Error(`ended without ${pattern}: ${output}`)),
						);
				};
				const timer = setTimeout(
					() =>
						finish(() => reject(new Error(`no ${pattern} in time: ${output}`))),
					timeoutMs,
				);
				listeners.add(look);
				look();
			}),
		stop: async (signal = "SIGTERM") => {
			child.kill(signal);
			await child.exited;
		},
	};
}

/** Runs a program to its end. */
export async function runToEnd(
	command: readonly string[],
	options: RunOptions = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
	const child = Bun.spawn([...command], {
		cwd: options.cwd ?? REPOSITORY,
		env: { PATH: Bun.env["PATH"] ?? "", ...options.env },
		stdin: new Blob([options.input ?? ""]),
		stdout: "pipe",
		stderr: "pipe",
	});
	const [code, stdout, stderr] = await Promise.all([
		child.exited,
		new Response(child.stdout).text(),
		new Response(child.stderr).text(),
	]);
	return { code, stdout, stderr };
}

export type FixtureServer = {
	readonly url: string;
	readonly stop: () => Promise<void>;
};

/** The command line of a fixture over stdio. */
export function fixtureCommand(
	name: "modern" | "legacy" | "env" | "hostile" | "diary",
	...args: readonly string[]
): readonly [string, ...string[]] {
	return [
		process.execPath,
		join(REPOSITORY, `tests/fixtures/${name}.ts`),
		...args,
	];
}

/** The flags that add a server that is this command. */
export function stdioFlags([command, ...args]: readonly [
	string,
	...string[],
]): readonly string[] {
	return ["--command", command, "--", ...args];
}

/** A fixture that listens; `url` has no path. */
export async function startFixture(
	name: "modern" | "legacy" | "hostile",
	at = 0,
): Promise<FixtureServer> {
	const running = run(fixtureCommand(name, "http", String(at)));
	const [, port] = await running.printed(/^listening (\d+)$/m);
	return { url: `http://127.0.0.1:${port}`, stop: () => running.stop() };
}

/** npm's `server-everything`, listening; `url` is its endpoint. */
export async function startEverything(
	mode: "streamableHttp" | "sse",
): Promise<FixtureServer> {
	const port = await freePort();
	const running = run(
		[
			process.execPath,
			join(
				REPOSITORY,
				"node_modules/@modelcontextprotocol/server-everything/dist/index.js",
			),
			mode,
		],
		{ env: { PORT: String(port) } },
	);
	await running.printed(
		mode === "sse" ? /running on port/i : /listening on port/i,
	);
	return {
		url: `http://127.0.0.1:${port}/${mode === "sse" ? "sse" : "mcp"}`,
		stop: () => running.stop("SIGKILL"),
	};
}

/** A port that was free a moment ago, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
	const listener = Bun.listen({
		hostname: "127.0.0.1",
		port: 0,
		socket: { data() {} },
	});
	const { port } = listener;
	listener.stop(true);
	return port;
}

/** All processes below one, however deep. Linux only. */
export function descendantsOf(pid: number): readonly number[] {
	const path = `/proc/${pid}/task/${pid}/children`;
	if (!existsSync(path)) return [];
	const direct = readFileSync(path, "utf8")
		.trim()
		.split(/\s+/)
		.filter(Boolean)
		.map(Number);
	return direct.flatMap((child) => [child, ...descendantsOf(child)]);
}

/** A zombie is not alive: it holds nothing, and waits for a parent to look. Linux only. */
export function isAlive(pid: number): boolean {
	try {
		return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
	} catch {
		return false;
	}
}

/**
 * Programs of a run on the cores they belong to: whatever is measured has core 0 to itself, the upstreams and the load
 * share core 1.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QUICK } from "./bench.ts";

const ROOT = join(import.meta.dir, "../..");
export const EXECUTABLE = join(ROOT, "dist", "sallyport");
export const MEASURED = 0;
export const LOAD = 1;

export type Program = { readonly pid: number; readonly port: number };

const running: ReturnType<typeof Bun.spawn>[] = [];
const folders: string[] = [];

/** Ends whatever was started, and removes what it left. */
export function stopAll(): void {
	for (const child of running.splice(0)) child.kill("SIGKILL");
	for (const folder of folders.splice(0))
		rmSync(folder, { recursive: true, force: true });
}

export function makeFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
	folders.push(folder);
	return folder;
}

/** Starts a program of `tests/bench` and resolves when it says on which port it listens. */
export async function start(
	core: number,
	program: string,
	...args: readonly string[]
): Promise<Program> {
	const child = Bun.spawn(
		[
			"taskset",
			"-c",
			String(core),
			process.execPath,
			join(import.meta.dir, program),
			...args,
		],
		{ stdout: "pipe", stderr: "inherit" },
	);
	running.push(child);
	for await (const chunk of child.stdout) {
		const port = /listening (\d+)/.exec(new TextDecoder().decode(chunk))?.[1];
		if (port !== undefined) return { pid: child.pid, port: Number(port) };
	}
	throw new Error(`${program} did not start`);
}

/** A gateway on its own data, with an owner and an API key. */
export type Gateway = {
	readonly folder: string;
	readonly key: string;
	readonly cli: (...args: readonly string[]) => Record<string, unknown>;
	/** Starts it, if it does not run, and resolves when it is ready. */
	readonly start: () => Promise<{
		readonly url: string;
		readonly pid: number;
		readonly readyMs: number;
	}>;
	readonly stop: () => Promise<void>;
};

export const OWNER = {
	email: "bench@example.org",
	password: "a password for a bench",
};
/** What systemd sets for the gateway, by the unit that `install.sh` writes. */
const UNIT_ENVIRONMENT: Readonly<Record<string, string>> = Object.fromEntries(
	readFileSync(join(ROOT, "install.sh"), "utf8")
		.matchAll(/^\s*Environment=(\w+)=(\S+)$/gm)
		.map(([, name, value]) => [name, value]),
);
let nextPort = 20_000 + (process.pid % 10_000);

/** Makes a gateway and its key; it is stopped afterwards. */
export async function createGateway(): Promise<Gateway> {
	const folder = makeFolder();
	const cli: Gateway["cli"] = (...args) => {
		const end = args.includes("--") ? args.indexOf("--") : args.length;
		const { stdout, stderr, exitCode } = Bun.spawnSync([
			EXECUTABLE,
			...args.slice(0, end),
			...["--json", "--data-dir", folder],
			...args.slice(end),
		]);
		if (exitCode !== 0) throw new Error(stderr.toString());
		return JSON.parse(stdout.toString() || "null");
	};
	const password = join(folder, "password");
	writeFileSync(password, OWNER.password, { mode: 0o600 });
	cli("init", "--admin-email", OWNER.email, "--admin-password-file", password);
	let live: ReturnType<typeof Bun.spawn> | null = null;
	const port = nextPort++;
	const url = `http://127.0.0.1:${port}`;
	const start: Gateway["start"] = async () => {
		if (live) return { url, pid: live.pid, readyMs: 0 };
		const startedMs = performance.now();
		live = Bun.spawn(
			[
				"taskset",
				"-c",
				String(MEASURED),
				EXECUTABLE,
				"serve",
				...["--data-dir", folder, "--listen", `127.0.0.1:${port}`],
				...["--allow-private-upstreams", "127.0.0.0/8"],
				...["--log-level", "error"],
				// So that the sign-ins of many can come from here without being taken for one who tries too often.
				...["--trusted-proxy", "127.0.0.0/8"],
			],
			{
				stdout: "ignore",
				stderr: "inherit",
				env: { ...process.env, ...UNIT_ENVIRONMENT },
			},
		);
		running.push(live);
		for (;;) {
			const ready = await fetch(`${url}/readyz`).catch(() => null);
			if (ready?.ok) break;
			if (performance.now() - startedMs > 60_000)
				throw new Error("the gateway did not start");
			await Bun.sleep(2);
		}
		return { url, pid: live.pid, readyMs: performance.now() - startedMs };
	};
	const stop: Gateway["stop"] = async () => {
		live?.kill("SIGTERM");
		await live?.exited;
		live = null;
	};
	await start();
	const { key } = cli("keys", "create", "bench", "--user", OWNER.email) as {
		key: string;
	};
	return { folder, key, cli, start, stop };
}

/** Microseconds of processor time that a process has used, all its threads together. */
export function cpuUs(pid: number): number {
	const [, after = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
	const fields = after.split(" ");
	return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Resident memory in bytes. */
export function memoryOf(pid: number): number {
	const kib = /VmRSS:\s+(\d+)/.exec(
		readFileSync(`/proc/${pid}/status`, "utf8"),
	)?.[1];
	return Number(kib) * 1024;
}

/** Beyond the second of the collections that the engine makes when there is nothing to do: after 10 s, and 65 s later. */
const REST_SECONDS = QUICK ? 30 : 90;

/**
 * Memory once it has come to rest. By then connections that nobody uses were closed, the engine has collected what was
 * left over, and what was free went back to the system. Nothing is asked of the gateway meanwhile, and it does
 * nothing of the sort by itself. `--quick` does not wait for the second collection, and shows more than stays.
 */
export async function restingMemory(pid: number): Promise<number> {
	await Bun.sleep(REST_SECONDS * 1000);
	return memoryOf(pid);
}

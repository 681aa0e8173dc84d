/**
 * Child processes of stdio servers: the only place that starts, signals and remembers them.
 *
 * A child begins without a shell, in a session and process group of its own, with exactly the environment it is
 * given. Stopping it stops the whole group. Each one is recorded before anything is said to it, so that a gateway
 * that was killed finds at its next start what it left behind. It knows nothing of MCP.
 *
 * @see setsid(2), proc_pid_stat(5)
 */
import { closeSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { delay } from "../clock.ts";
import { describeError, SallyportError } from "../errors.ts";
import type { Bytes } from "../message.ts";
import { createChild, deleteChild, listChildren } from "../store/children.ts";
import type { Database } from "../store/database.ts";
import { InputPipe, OutputPipe, openPipe, type Pipe } from "./pipes.ts";

/** What to run. */
export type Program = {
	readonly command: string;
	readonly args: readonly string[];
	/** All of the environment. */
	readonly env: Readonly<Record<string, string>>;
	/** Made if it is not there. */
	readonly directory: string;
};

export type Exit = {
	readonly code: number | null;
	readonly signal: string | null;
};

export type Child = {
	readonly pid: number;
	/** Queues bytes for its standard input. False when too much waits there already: it does not read. */
	readonly write: (bytes: Bytes) => boolean;
	/**
	 * Reads its standard output, once.
	 * @returns when nothing more comes; rejects with what `onChunk` throws
	 */
	readonly read: (onChunk: (chunk: Bytes) => void) => Promise<void>;
	readonly stderr: ReadableStream<Bytes>;
	/** Resolves when it has ended, its group is gone, its record removed, and what it last said was read. */
	readonly exited: Promise<Exit>;
	/** Closes its input, then asks its group to end, then ends it. */
	readonly stop: () => Promise<void>;
};

/** After its input was closed, and after TERM. */
const CLOSE_GRACE_MS = 1000;
const TERM_GRACE_MS = 2000;
/** How long the rest of a dead child's output is waited for: somebody who left its group may hold it open. */
const DRAIN_MS = 500;
const INPUT_BYTES_MAX = 64 * 1024 * 1024;
const PROC = "/proc";

/** Starts a program. @throws SallyportError `upstream` when it cannot be started */
export function startChild(
	db: Database,
	serverId: string,
	program: Program,
): Child {
	mkdirSync(program.directory, { recursive: true, mode: 0o700 });
	const { child, stdin, stdout } = spawn(program);
	const { pid } = child;
	const record = identify(pid);
	if (record) createChild(db, { pid, serverId, ...record });

	const input = new InputPipe(stdin, INPUT_BYTES_MAX);
	const output = new OutputPipe(stdout);
	let drained: Promise<unknown> = Promise.resolve();
	const exited = child.exited.then(async (): Promise<Exit> => {
		// Grandchildren would hold its pipes, its ports and its memory.
		signalGroup(pid, "SIGKILL");
		deleteChild(db, pid);
		input.close();
		await within(drained, DRAIN_MS);
		output.close();
		const { exitCode, signalCode } = child;
		return {
			code: exitCode,
			signal: signalCode === null ? null : String(signalCode),
		};
	});
	const ends = (ms: number): Promise<boolean> => within(exited, ms);

	return {
		pid,
		stderr: child.stderr,
		exited,
		read: (onChunk) => {
			const ended = output.read(onChunk);
			drained = ended.catch(() => {}); // whoever reads hears of that
			return ended;
		},
		write: (bytes) => input.write(bytes),
		stop: async () => {
			input.end();
			if (await ends(CLOSE_GRACE_MS)) return;
			signalGroup(pid, "SIGTERM");
			if (await ends(TERM_GRACE_MS)) return;
			signalGroup(pid, "SIGKILL");
			await exited;
		},
	};
}

type Spawned = {
	readonly child: Bun.Subprocess<number, number, "pipe">;
	/** Our ends of its pipes. */
	readonly stdin: number;
	readonly stdout: number;
};

function spawn(program: Program): Spawned {
	const pipes: Pipe[] = [];
	try {
		const stdin = openPipe();
		pipes.push(stdin);
		const stdout = openPipe();
		pipes.push(stdout);
		const child = Bun.spawn([program.command, ...program.args], {
			cwd: program.directory,
			env: { ...program.env },
			stdin: stdin.theirs,
			stdout: stdout.theirs,
			stderr: "pipe",
			detached: true,
		});
		return { child, stdin: stdin.ours, stdout: stdout.ours };
	} catch (error) {
		for (const { ours } of pipes) closeSync(ours);
		const code = (error as { code?: unknown }).code;
		throw new SallyportError(
			"upstream",
			`cannot start ${program.command}: ${code === "ENOENT" ? "there is no such program" : `the system refused (${String(code ?? describeError(error))})`}`,
			{ hint: "check the command, and that the service's user may run it" },
		);
	} finally {
		for (const { theirs } of pipes) closeSync(theirs);
	}
}

/**
 * Ends what an earlier gateway on this machine left running. Returns how many process groups it ended.
 * A process is ours only if boot, pid and start time are those that were recorded. When the leader has gone, what is
 * left of its session is ours still: the kernel gives no new process a number that a session bears.
 */
export function reapOrphans(db: Database): number {
	let reaped = 0;
	for (const { pid, startTime, bootId } of listChildren(db)) {
		const now = readStat(pid);
		const ours = now ? now.startTime === startTime : hasSession(pid);
		if (bootId === readBootId() && ours && signalGroup(pid, "SIGKILL"))
			reaped++;
		deleteChild(db, pid);
	}
	return reaped;
}

function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): boolean {
	try {
		process.kill(-pid, signal);
		return true;
	} catch {
		return false; // ESRCH: nobody is left in it
	}
}

/** What tells this process from a later one of the same pid; null where there is no /proc (not Linux). */
function identify(
	pid: number,
): { readonly startTime: string; readonly bootId: string } | null {
	const stat = readStat(pid);
	const bootId = readBootId();
	return stat && bootId !== null ? { startTime: stat.startTime, bootId } : null;
}

function readStat(
	pid: number | string,
): { readonly session: string; readonly startTime: string } | null {
	const text = readText(`${PROC}/${pid}/stat`);
	if (text === null) return null;
	// The second field is the name in parentheses, and may hold spaces and parentheses itself.
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return { session: fields[3] ?? "", startTime: fields[19] ?? "" };
}

function readBootId(): string | null {
	return readText(`${PROC}/sys/kernel/random/boot_id`)?.trim() ?? null;
}

function hasSession(session: number): boolean {
	return readdirSync(PROC).some(
		(name) => /^\d+$/.test(name) && readStat(name)?.session === String(session),
	);
}

function readText(path: string): string | null {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return null; // it has ended meanwhile, or this is not Linux
	}
}

async function within(ended: Promise<unknown>, ms: number): Promise<boolean> {
	const stop = new AbortController();
	const inTime = await Promise.race([
		ended.then(() => true),
		delay(ms, stop.signal).then(() => false),
	]);
	stop.abort();
	return inTime;
}

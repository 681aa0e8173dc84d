import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createChild, listChildren } from "../../src/store/children.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import {
	type Child,
	reapOrphans,
	startChild,
} from "../../src/upstream/child.ts";
import { fixtureCommand, run } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { asCommand, callTool, startPool } from "../support/upstreams.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-child-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function start(db: Database, script: string): Child {
	return startChild(db, "srv_1", {
		command: "/bin/sh",
		args: ["-c", script],
		env: { PATH: "/usr/bin:/bin" },
		directory: join(folder, "own"),
	});
}

function firstLine(child: Child): Promise<string> {
	const line = Promise.withResolvers<string>();
	child
		.read((chunk) => line.resolve(Buffer.from(chunk).toString().trim()))
		.then(() => line.resolve(""), line.reject);
	return line.promise;
}

/** All that it says until it ends. */
async function everything(child: Child): Promise<string> {
	const chunks: Uint8Array[] = [];
	await child.read((chunk) => chunks.push(chunk));
	return Buffer.concat(chunks).toString();
}

/** Running, and not only a dead entry that nobody has asked about yet. */
function isRunning(pid: number): boolean {
	const path = `/proc/${pid}/stat`;
	if (!existsSync(path)) return false;
	try {
		return !/\) [ZX] /.test(readFileSync(path, "utf8"));
	} catch {
		return false;
	}
}

test("a child is recorded while it runs and forgotten when it has ended", async () => {
	const db = openDatabase(":memory:");
	const child = start(db, "cat");
	expect(listChildren(db)).toMatchObject([
		{ pid: child.pid, serverId: "srv_1" },
	]);
	expect(child.write(Buffer.from("hello\n"))).toBe(true);
	expect(await firstLine(child)).toBe("hello");
	await child.stop();
	expect(await child.exited).toEqual({ code: 0, signal: null });
	expect(listChildren(db)).toEqual([]);
});

test("what is said in one turn arrives in its order, also when it is the last", async () => {
	const db = openDatabase(":memory:");
	const child = start(db, "cat");
	const lines = ["one\n", "two\n", `${"x".repeat(100_000)}\n`, "three\n"];
	for (const line of lines) child.write(Buffer.from(line));
	const stopped = child.stop();
	const heard = await everything(child);
	expect(heard === lines.join("")).toBe(true);
	await stopped;
});

test("stopping ends the whole group, also what ignores the end of its input and TERM", async () => {
	const db = openDatabase(":memory:");
	const child = start(db, `trap "" TERM; sleep 1000 & echo $!; wait; wait`);
	const grandchild = Number(await firstLine(child));
	expect(isRunning(grandchild)).toBe(true);
	await child.stop();
	expect((await child.exited).signal).toBe("SIGKILL");
	await until("the grandchild is gone", () => !isRunning(grandchild));
}, 10_000);

test("a child that ends by itself takes its own children along", async () => {
	const db = openDatabase(":memory:");
	const child = start(db, "sleep 1000 >/dev/null 2>&1 & echo $!; exit 4");
	const grandchild = Number(await firstLine(child));
	expect((await child.exited).code).toBe(4);
	await until("the grandchild is gone", () => !isRunning(grandchild));
});

test("a child that does not read its input is not written to without an end", async () => {
	const db = openDatabase(":memory:");
	const child = start(db, "sleep 1000");
	const chunk = Buffer.alloc(16 * 1024 * 1024);
	const taken = [1, 2, 3, 4, 5, 6].map(() => child.write(chunk));
	expect(taken).toEqual([true, true, true, true, false, false]);
	process.kill(-child.pid, "SIGKILL");
	await child.exited;
});

test("after kill -9 of a gateway, its children and theirs are ended at the next start", async () => {
	const path = join(mkdtempSync(join(tmpdir(), "sallyport-reap-")), "s.db");
	const gateway = run([
		process.execPath,
		"-e",
		`import { openDatabase } from "./src/store/database.ts";
		 import { startChild } from "./src/upstream/child.ts";
		 const db = openDatabase(${JSON.stringify(path)});
		 const start = (script) => startChild(db, "srv_1", { command: "/bin/sh", args: ["-c", script], env: {}, directory: "/tmp" });
		 const one = start("sleep 1000 & echo $!; wait");
		 // this one ends with its input, and leaves a child of its own behind
		 const two = start("sleep 1000 & echo $!; cat");
		 for (const child of [one, two]) {
			const line = await new Promise((heard) => child.read(heard));
			console.log("child", child.pid, Buffer.from(line).toString().trim());
		 }
		 console.log("ready");
		 await new Promise(() => setInterval(() => {}, 1000));`,
	]);
	await gateway.printed(/^ready$/m);
	const pids = [...gateway.output().matchAll(/^child (\d+) (\d+)$/gm)].flatMap(
		([, leader, child]) => [Number(leader), Number(child)],
	);
	expect(pids.map(isRunning)).toEqual([true, true, true, true]);
	await gateway.stop("SIGKILL");
	await until("the second leader ended", () => !isRunning(pids[2] as number));
	expect(isRunning(pids[3] as number)).toBe(true);

	const db = openDatabase(path);
	expect(reapOrphans(db)).toBe(2);
	await until("all of them are gone", () => !pids.some(isRunning));
	expect(listChildren(db)).toEqual([]);
	db.close();
}, 15_000);

test("a process that only has the pid of an old child is left alone", async () => {
	const db = openDatabase(":memory:");
	const child = start(db, "sleep 1000");
	const [row] = listChildren(db) as [ReturnType<typeof listChildren>[0]];
	for (const other of [
		{ ...row, startTime: "1" },
		{ ...row, bootId: "another-boot" },
	]) {
		createChild(db, other);
		expect(reapOrphans(db)).toBe(0);
		expect(isRunning(child.pid)).toBe(true);
		expect(listChildren(db)).toEqual([]);
	}
	process.kill(-child.pid, "SIGKILL");
	await child.exited;
});

test("an idle process is stopped, its lists stay, and the next call wakes it", async () => {
	const pool = startPool({ idleStopMs: 50 });
	const upstream = pool.upstream("env", asCommand(fixtureCommand("env")));
	const tools = await upstream.list("tools");
	const pid = async (): Promise<number> =>
		JSON.parse(await callTool(upstream, "environment")).pid;
	const first = await pid();
	await until("it sleeps", () => upstream.state() === "asleep");
	await until("its process is gone", () => !isRunning(first));
	expect(await upstream.list("tools")).toBe(tools);
	expect(upstream.knownFacts()).not.toBeNull();
	expect(upstream.state()).toBe("asleep");
	expect(await pid()).not.toBe(first);
	await pool.close();
});

test("what a process writes to standard error is kept without its secrets", async () => {
	const pool = startPool();
	const upstream = pool.upstream(
		"speaks",
		asCommand(
			[
				"/bin/sh",
				"-c",
				'echo "key is $KEY" >&2; echo "other" >&2; printf %s "$KEY" | base64 >&2; exit 1',
			],
			{ KEY: "declared-in-clear" },
		),
	);
	await upstream.facts().catch(() => {});
	await until("it was read", () => upstream.logs().includes("other"));
	// A declared variable is no secret; one of a slot is.
	expect(upstream.logs()).toContain("key is declared-in-clear");
	await pool.close();
});

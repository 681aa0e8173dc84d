/** The pipes of real children, at their limits. What a child is told and says otherwise is in `child.test.ts`. */
import { expect, test } from "bun:test";
import { constants, readdirSync } from "node:fs";
import { openDatabase } from "../../src/store/database.ts";
import { type Child, startChild } from "../../src/upstream/child.ts";
import { until } from "../support/until.ts";

const db = openDatabase(":memory:");

function start(script: string): Child {
	return startChild(db, "srv_1", {
		command: "/bin/sh",
		args: ["-c", script],
		env: { PATH: "/usr/bin:/bin" },
		directory: "/tmp",
	});
}

/** All that it says until it ends. */
async function everything(child: Child): Promise<string> {
	const chunks: Uint8Array[] = [];
	await child.read((chunk) => chunks.push(chunk));
	return Buffer.concat(chunks).toString();
}

function openFiles(): number {
	return readdirSync("/proc/self/fd").length;
}

test("a child that begins to read late gets all of it, in order, and then its end", async () => {
	const child = start("sleep 0.2; cat");
	const lines = Array.from(
		{ length: 400 },
		(_, at) => `${at} ${"x".repeat(at * 50)}\n`,
	);
	for (const line of lines) {
		expect(child.write(Buffer.from(line))).toBe(true);
		if (line.length % 3 === 0) await new Promise(setImmediate);
	}
	const stopped = child.stop();
	expect((await everything(child)) === lines.join("")).toBe(true);
	await stopped;
	expect(await child.exited).toEqual({ code: 0, signal: null });
});

test("what waited for a child that does not read is forgotten when it closes its input, and nothing waits again", async () => {
	const child = start("read line; exec 0<&-; echo closed; sleep 1000");
	const large = Buffer.alloc(40 * 1024 * 1024, 0x0a);
	expect(child.write(large)).toBe(true);
	expect(child.write(large)).toBe(false);
	const said = Promise.withResolvers<string>();
	void child.read((chunk) => said.resolve(Buffer.from(chunk).toString()));
	expect(await said.promise).toBe("closed\n");
	await until("there is room again", () => child.write(large));
	await until("and again", () => child.write(large));
	process.kill(-child.pid, "SIGKILL");
	await child.exited;
});

test("both pipes block at the child's end, as programs expect of their input and output", async () => {
	const child = start("grep -h flags /proc/self/fdinfo/0 /proc/self/fdinfo/1");
	const flags = [...(await everything(child)).matchAll(/flags:\s*(\d+)/g)];
	expect(flags).toHaveLength(2);
	for (const [, octal] of flags)
		expect(Number.parseInt(octal as string, 8) & constants.O_NONBLOCK).toBe(0);
});

test("a child has no end of another's pipes", async () => {
	const first = start("cat");
	const second = start("ls /proc/self/fd | wc -l");
	// Its input, output and errors, and the folder that is listed.
	expect((await everything(second)).trim()).toBe("4");
	await first.stop();
});

test("no pipe stays open behind a child, whether or not anything was said to it or heard of it", async () => {
	await start("exit").exited;
	const before = openFiles();
	const silent = Array.from({ length: 20 }, () => start("exit"));
	const heard = Array.from({ length: 20 }, () => start("cat"));
	const cut = Array.from({ length: 5 }, () =>
		start("setsid sleep 3 2>/dev/null & exit"),
	);
	for (const child of heard) child.write(Buffer.from("hello\n"));
	const said = Promise.all(heard.map(everything));
	const rest = Promise.all(cut.map(everything));
	await Promise.all(heard.map((child) => child.stop()));
	expect(await said).toEqual(heard.map(() => "hello\n"));
	await Promise.all([...silent, ...cut].map((child) => child.exited));
	expect(await rest).toEqual(cut.map(() => ""));
	await until("they are closed", () => openFiles() <= before);
});

test("a program that cannot be started leaves no pipe behind", () => {
	const before = openFiles();
	expect(() =>
		startChild(db, "srv_1", {
			command: "/no/such/program",
			args: [],
			env: {},
			directory: "/tmp",
		}),
	).toThrow("there is no such program");
	expect(openFiles()).toBe(before);
});

test("starting a child and reading it lets nothing else run in between", async () => {
	let hasRun = false;
	void Promise.resolve().then(() => {
		hasRun = true;
	});
	const child = start("cat");
	void child.read(() => {});
	child.write(Buffer.from("hello\n"));
	expect(hasRun).toBe(false);
	await child.stop();
});

test("what fails in whoever reads ends the reading, and is told", async () => {
	const child = start("echo hello; sleep 1000");
	const reading = child.read(() => {
		throw new Error("unreadable");
	});
	await expect(reading).rejects.toThrow("unreadable");
	await child.stop();
}, 10_000);

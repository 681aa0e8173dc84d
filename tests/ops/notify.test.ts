/** What systemd is told, heard at a datagram socket of our own; systemd itself is in `tests/e2e/install`. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "../../src/log.ts";
import { createNotify } from "../../src/ops/notify.ts";
import { until } from "../support/until.ts";

const [AF_UNIX, SOCK_DGRAM, MSG_DONTWAIT] = [1, 2, 0x40];
const { i32, i64, u32, u64, ptr: pointer } = FFIType;
const { symbols: libc } = dlopen("libc.so.6", {
	socket: { args: [i32, i32, i32], returns: i32 },
	bind: { args: [i32, pointer, u32], returns: i32 },
	recv: { args: [i32, pointer, u64, i32], returns: i64 },
	close: { args: [i32], returns: i32 },
});

const closers: (() => void)[] = [];
afterEach(() => {
	for (const close of closers.splice(0)) close();
});

/** Listens as systemd does. @returns what was said since the last call */
function listen(path: string): () => readonly string[] {
	const address = Buffer.alloc(110);
	address.writeUInt16LE(AF_UNIX);
	const name = path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`;
	const length = 2 + address.write(name, 2);
	const descriptor = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
	if (libc.bind(descriptor, ptr(address), length) !== 0)
		throw new Error(`cannot listen at ${path}`);
	closers.push(() => libc.close(descriptor));
	return () => {
		const heard: string[] = [];
		const buffer = Buffer.alloc(1000);
		for (;;) {
			const got = Number(
				libc.recv(descriptor, ptr(buffer), BigInt(buffer.length), MSG_DONTWAIT),
			);
			if (got < 0) return heard;
			heard.push(buffer.toString("utf8", 0, got));
		}
	};
}

function open(environment: Readonly<Record<string, string>>): {
	notify: ReturnType<typeof createNotify>;
	lines: string[];
} {
	const lines: string[] = [];
	const write = (line: string): void => void lines.push(line);
	const log = createLog({ level: "debug", format: "json", write });
	return { notify: createNotify(environment, log), lines };
}

function folder(): string {
	const made = mkdtempSync(join(tmpdir(), "sallyport-notify-"));
	closers.push(() => rmSync(made, { recursive: true }));
	return made;
}

test.each([
	["a path", () => join(folder(), "notify")],
	["an abstract name", () => `@sallyport-test-${process.pid}`],
])(
	"at %s it says ready, feeds the watchdog twice in its time, and says that it stops",
	async (_kind, name) => {
		const path = name();
		const heard = listen(path);
		const { notify, lines } = open({
			NOTIFY_SOCKET: path,
			WATCHDOG_USEC: "40000",
		});
		notify.ready();
		expect(heard()).toEqual(["READY=1"]);
		const fed: string[] = [];
		await until("the watchdog is fed", () => {
			fed.push(...heard());
			return fed.length >= 2;
		});
		expect(new Set(fed)).toEqual(new Set(["WATCHDOG=1"]));
		notify.stopping();
		expect(heard()).toContain("STOPPING=1");
		expect(lines).toEqual([]);
	},
);

test("without systemd it says nothing, and where nobody listens only the log hears of it", () => {
	const alone = open({});
	alone.notify.ready();
	expect(alone.lines).toEqual([]);
	const lost = open({ NOTIFY_SOCKET: join(folder(), "nobody") });
	lost.notify.ready();
	lost.notify.stopping();
	expect(lost.lines).toHaveLength(2);
	expect(lost.lines[0]).toContain("systemd was not told");
});

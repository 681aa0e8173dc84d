/**
 * Tells systemd how the service does: ready, stopping, and alive (the watchdog). A datagram to the socket that it
 * names in the environment; without that name all of this does nothing. It knows nothing of what is served.
 *
 * Bun has no datagram sockets of the Unix kind, so libc's are called. When that fails the service must still run:
 * systemd then ends it at its own timeout, and the log says why.
 *
 * @see sd_notify(3), systemd.service(5) Type=notify and WatchdogSec=, unix(7)
 */
import { FFIType, ptr } from "bun:ffi";
import { every } from "../clock.ts";
import { describeError } from "../errors.ts";
import { openLibc } from "../libc.ts";
import type { Log } from "../log.ts";

export type Notify = {
	/** It serves. From here on the watchdog is fed from the event loop, so that a loop that hangs is found. */
	readonly ready: () => void;
	/** It was asked to end and drains; the watchdog is still fed. */
	readonly stopping: () => void;
};

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const FAMILY_BYTES = 2;
/** `sizeof(sun_path)`. */
const PATH_BYTES_MAX = 108;

/** @param environment the process's; `NOTIFY_SOCKET` and `WATCHDOG_USEC` are read */
export function createNotify(
	environment: Readonly<Record<string, string | undefined>>,
	log: Log,
): Notify {
	const socket = environment["NOTIFY_SOCKET"];
	if (socket === undefined || socket === "")
		return { ready: () => {}, stopping: () => {} };
	const send = (state: string): void => {
		try {
			sendDatagram(socket, state);
		} catch (error) {
			log.warn("systemd was not told", { reason: describeError(error) });
		}
	};
	return {
		ready: () => {
			send("READY=1");
			const watchdogMs = Number(environment["WATCHDOG_USEC"] ?? 0) / 1000;
			if (!(watchdogMs > 0)) return;
			every(watchdogMs / 2, () => send("WATCHDOG=1"));
		},
		stopping: () => send("STOPPING=1"),
	};
}

/** One datagram to a Unix socket: a path, or with a leading `@` a name in the abstract namespace. @throws when it was not taken */
function sendDatagram(socket: string, text: string): void {
	const address = socketAddress(socket);
	const message = Buffer.from(text);
	const libc = openLibc(LIBC);
	try {
		const { socket: open, sendto, close } = libc.symbols;
		const descriptor = open(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
		if (descriptor < 0) throw new Error("no socket could be made");
		const sent = sendto(
			descriptor,
			ptr(message),
			BigInt(message.length),
			0,
			ptr(address),
			address.length,
		);
		close(descriptor);
		if (Number(sent) !== message.length)
			throw new Error(`nothing was taken at ${socket}`);
	} finally {
		libc.close();
	}
}

/** `struct sockaddr_un`, as long as it needs to be: an abstract name has no terminator and counts every byte. */
function socketAddress(socket: string): Buffer {
	const isAbstract = socket.startsWith("@");
	const path = Buffer.from(isAbstract ? `\0${socket.slice(1)}` : `${socket}\0`);
	if (path.length > PATH_BYTES_MAX)
		throw new Error("the name of the socket is too long");
	const address = Buffer.alloc(FAMILY_BYTES + path.length);
	address.writeUInt16LE(AF_UNIX);
	path.copy(address, FAMILY_BYTES);
	return address;
}

const LIBC = {
	socket: {
		args: [FFIType.i32, FFIType.i32, FFIType.i32],
		returns: FFIType.i32,
	},
	sendto: {
		args: [
			FFIType.i32,
			FFIType.ptr,
			FFIType.u64,
			FFIType.i32,
			FFIType.ptr,
			FFIType.u32,
		],
		returns: FFIType.i64,
	},
	close: { args: [FFIType.i32], returns: FFIType.i32 },
} as const;

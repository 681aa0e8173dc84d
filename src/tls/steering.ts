/**
 * Which of two listeners on one port gets the new connections: always the newest.
 *
 * While a listener is being replaced, both share the port (SO_REUSEPORT) and the kernel spreads new connections over
 * them by hash; those that wait in the old one's queue when it closes are reset. A one-instruction program on the
 * group ("the socket at index 1") sends every new connection to the newest instead, so the old queue is empty when it
 * closes. Alone in its group, index 1 does not exist and the kernel falls back to the hash. It knows no HTTP and no TLS.
 *
 * @see socket(7) SO_ATTACH_REUSEPORT_CBPF
 */
import { dlopen, ptr } from "bun:ffi";
import { readdirSync, readlinkSync } from "node:fs";

const LIBC = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
const SO_ATTACH_REUSEPORT_CBPF = 51;
/** BPF_RET | BPF_K: return the constant. */
const BPF_RETURN = 0x06;
const NEWEST_OF_TWO = 1;
const SOCKADDR_BYTES = 128;
/** AF_INET and AF_INET6. */
const INTERNET = new Set([2, 10]);

/**
 * Steers new connections on a listening port of this process to whichever listener joins it last. Once is enough
 * for the life of the port.
 * @returns false where it cannot be done (not Linux, no libc): replacing may then cost a connection under load
 */
export function steerToNewest(port: number): boolean {
	if (process.platform !== "linux") return false;
	for (const name of LIBC) {
		try {
			return attach(open(name), port);
		} catch {
			// Not this libc; the next one may be ours.
		}
	}
	return false;
}

type Libc = ReturnType<typeof open>["symbols"];

function open(name: string) {
	return dlopen(name, {
		getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
		setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
		getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
	});
}

function attach({ symbols, close }: ReturnType<typeof open>, port: number) {
	try {
		// One group for each address the port is bound on.
		const found = openSockets().filter((fd) => listensOn(symbols, fd, port));
		return found.map((fd) => setProgram(symbols, fd)).some(Boolean);
	} finally {
		close();
	}
}

function openSockets(): readonly number[] {
	return readdirSync("/proc/self/fd").flatMap((fd) => {
		try {
			const link = readlinkSync(`/proc/self/fd/${fd}`);
			return link.startsWith("socket:") ? [Number(fd)] : [];
		} catch {
			return []; // closed since it was listed
		}
	});
}

function listensOn(libc: Libc, fd: number, port: number): boolean {
	const accepts = new Int32Array(1);
	const length = new Uint32Array([accepts.byteLength]);
	libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, ptr(accepts), ptr(length));
	if (accepts[0] !== 1) return false;
	const address = new Uint8Array(SOCKADDR_BYTES);
	length[0] = SOCKADDR_BYTES;
	if (libc.getsockname(fd, ptr(address), ptr(length)) !== 0) return false;
	const view = new DataView(address.buffer);
	// sockaddr_in and sockaddr_in6 both have the port, in network order, after the family.
	return INTERNET.has(view.getUint16(0, true)) && view.getUint16(2) === port;
}

/** struct sock_filter { u16 code; u8 jt, jf; u32 k } inside struct sock_fprog { u16 len; sock_filter *filter }. */
function setProgram(libc: Libc, fd: number): boolean {
	const filter = new DataView(new ArrayBuffer(8));
	filter.setUint16(0, BPF_RETURN, true);
	filter.setUint32(4, NEWEST_OF_TWO, true);
	const program = new DataView(new ArrayBuffer(16));
	program.setUint16(0, 1, true);
	program.setBigUint64(8, BigInt(ptr(filter)), true);
	return (
		libc.setsockopt(
			fd,
			SOL_SOCKET,
			SO_ATTACH_REUSEPORT_CBPF,
			ptr(program),
			program.byteLength,
		) === 0
	);
}

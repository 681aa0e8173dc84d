/**
 * A loopback proxy that signs requests in, because the suite can send no token. Everything else goes on as it came,
 * byte for byte, but for its own address in `Host` and `Origin`, which becomes the gateway's: the suite's rebinding
 * scenario sends good and evil values of both, and what is evil stays evil.
 */
import { connect, createServer, type Socket } from "node:net";

export type SignedProxy = {
	/** The gateway's URL, as seen through this proxy. */
	readonly url: string;
	readonly stop: () => Promise<void>;
};

const HEAD_BYTES_MAX = 64 * 1024;
const HEAD_END = "\r\n\r\n";

/** @param endpoint an `http` URL; its path is kept */
export async function startSignedProxy(
	endpoint: string,
	token: string,
): Promise<SignedProxy> {
	const target = new URL(endpoint);
	const open = new Set<Socket>();
	const track = (socket: Socket): void => {
		open.add(socket);
		socket.on("error", () => {}); // its `close` follows, which is what matters here
		socket.on("close", () => open.delete(socket));
	};
	const server = createServer((client) => {
		track(client);
		void forward(client, target, (head) =>
			signed(head, own, target, token),
		).catch(() => client.destroy());
	});
	await new Promise<void>((resolve) =>
		server.listen(0, "127.0.0.1", () => resolve()),
	);
	const address = server.address();
	if (typeof address !== "object" || address === null)
		throw new Error("the proxy does not listen");
	const own = `127.0.0.1:${address.port}`;
	return {
		url: `http://${own}${target.pathname}`,
		stop: async () => {
			for (const socket of open) socket.destroy();
			await new Promise<void>((resolve) => server.close(() => resolve()));
		},
	};
}

/** One request to the gateway and its answer back. */
async function forward(
	client: Socket,
	target: URL,
	sign: (head: readonly string[]) => readonly string[],
): Promise<void> {
	const request = await readHead(client);
	const gateway = connect(Number(target.port), target.hostname);
	gateway.on("error", () => {});
	// Either side's end is the other's: a client that hangs up cancels (2026-07-28, streamable-http).
	client.on("close", () => gateway.destroy());
	gateway.on("close", () => client.end());
	gateway.write(written(sign(request.head)));
	gateway.write(request.rest);
	client.pipe(gateway);
	const response = await readHead(gateway);
	client.write(written(response.head));
	client.write(response.rest);
	gateway.pipe(client);
}

/** The lines before the first empty one, and what came after them. @throws Error when there are none */
function readHead(
	socket: Socket,
): Promise<{ readonly head: readonly string[]; readonly rest: Buffer }> {
	let received = Buffer.alloc(0);
	return new Promise((resolve, reject) => {
		const onData = (chunk: Buffer): void => {
			received = Buffer.concat([received, chunk]);
			const end = received.indexOf(HEAD_END);
			if (end < 0) {
				if (received.length > HEAD_BYTES_MAX)
					reject(new Error("the head is too long"));
				return;
			}
			socket.off("data", onData);
			socket.pause();
			resolve({
				head: received.subarray(0, end).toString("latin1").split("\r\n"),
				rest: received.subarray(end + HEAD_END.length),
			});
		};
		socket.on("data", onData);
		socket.on("close", () => reject(new Error("closed before a head came")));
	});
}

function signed(
	head: readonly string[],
	own: string,
	target: URL,
	token: string,
): readonly string[] {
	const mapped = head.map((line) => {
		if (/^host:/i.test(line)) return line.replace(own, target.host);
		if (/^origin:/i.test(line))
			return line.replace(`http://${own}`, target.origin);
		return line;
	});
	return [...mapped, `Authorization: Bearer ${token}`];
}

/** One request a connection, and both sides are told so: no second head hides behind the first body. */
function written(head: readonly string[]): Buffer {
	const lines = head.filter(
		(line) => !/^(?:connection|keep-alive):/i.test(line),
	);
	return Buffer.from(
		[...lines, "Connection: close"].join("\r\n") + HEAD_END,
		"latin1",
	);
}

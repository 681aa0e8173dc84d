/**
 * A proxy that only passes connections on (CONNECT, RFC 9110 9.3.6): how a machine with a network of its own gets at
 * the package registry that this computer reaches.
 */
import { connect, createServer } from "node:net";

export type TunnelProxy = {
	readonly url: string;
	readonly stop: () => void;
};

/** @param address where the machine finds it */
export async function startTunnelProxy(address: string): Promise<TunnelProxy> {
	const server = createServer((client) => {
		client.once("data", (head) => {
			const [, host, port] =
				/^CONNECT ([^\s:]+):(\d+) /.exec(head.toString("latin1")) ?? [];
			if (host === undefined) return client.destroy();
			const far = connect(Number(port), host, () => {
				client.write("HTTP/1.1 200 OK\r\n\r\n");
				far.pipe(client).pipe(far);
			});
			far.on("error", () => client.destroy());
			client.on("error", () => far.destroy());
		});
	});
	await new Promise<void>((resolve) => server.listen(0, address, resolve));
	const { port } = server.address() as { port: number };
	return {
		url: `http://${address}:${port}`,
		stop: () => void server.close(),
	};
}

/**
 * The part of `internet.ts` that runs inside its network namespace: carries what arrives at any address on ports 80 and
 * 443 out to a socket file, what arrives at a socket file in to a port of loopback, and asks outside what a name means.
 * Prints `connected ADDRESS` for each connection that arrives, before anything is said on it.
 *
 * Arguments: the folder of the socket files (`web.sock`, `names.sock`; `in-PORT.sock` are made here), then the ports.
 */
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { encodeAnswer, parseQuestion } from "./dns.ts";

const [folder = "", ...ports] = Bun.argv.slice(2);

function join2(from: Socket, to: Socket): void {
	from.pipe(to).pipe(from);
	for (const [one, other] of [
		[from, to],
		[to, from],
	] as const) {
		one.on("error", () => other.destroy());
		one.on("close", () => other.destroy());
	}
}

for (const [port, path] of [
	[443, "web.sock"],
	[80, "plain.sock"],
] as const)
	createServer((socket) => {
		console.log(`connected ${socket.localAddress?.replace("::ffff:", "")}`);
		join2(socket, connect(join(folder, path)));
	}).listen({ port, host: "::" });

for (const port of ports)
	createServer((socket) =>
		join2(socket, connect(Number(port), "127.0.0.1")),
	).listen(join(folder, `in-${port}.sock`));

await Bun.udpSocket({
	hostname: "127.0.0.1",
	port: 53,
	socket: {
		async data(socket, query, port, address) {
			const { name, type } = parseQuestion(query);
			const answer = await fetch(`http://names/${type}/${name}`, {
				unix: join(folder, "names.sock"),
			});
			const found = (await answer.json()) as readonly string[] | null;
			socket.send(encodeAnswer(query, found), port, address);
		},
	},
});
console.log("plumbed");

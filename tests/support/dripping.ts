/** HTTP servers that hand out their answers drop by drop, or not at all. */

export type Dripping = {
	readonly url: string;
	/** Connections that are open now. */
	readonly open: () => number;
	readonly stop: () => void;
};

/**
 * Listens, and writes what `drops` gives to every connection that says anything.
 * @param everyMs the pause between two drops
 */
export function startDripping(
	drops: (asked: string) => Iterator<string>,
	everyMs: number,
): Dripping {
	let open = 0;
	const timers = new WeakMap<object, ReturnType<typeof setInterval>>();
	const listener = Bun.listen({
		hostname: "127.0.0.1",
		port: 0,
		socket: {
			open() {
				open++;
			},
			close(socket) {
				open--;
				clearInterval(timers.get(socket));
			},
			data(socket, asked) {
				clearInterval(timers.get(socket));
				const next = drops(asked.toString());
				timers.set(
					socket,
					setInterval(() => {
						const { done, value } = next.next();
						if (done) clearInterval(timers.get(socket));
						else socket.write(value);
					}, everyMs),
				);
			},
			error() {},
		},
	});
	return {
		url: `http://127.0.0.1:${listener.port}/mcp`,
		open: () => open,
		stop: () => listener.stop(true),
	};
}

/** The beginning of an answer, and then headers without an end. */
export function* endlessHeaders(): Generator<string> {
	yield "HTTP/1.1 200 OK\r\n";
	for (let header = 0; ; header++) yield `X-${header}: ${header}\r\n`;
}

/** Nothing. */
export function* silence(): Generator<string> {}

/** A JSON answer, byte by byte. */
export function* dripped(body: string): Generator<string> {
	yield `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
	yield* body;
}

/** A server that writes exactly the bytes a test wants, on connections the test can count and end. */
export type RawConnection = {
	/** The number of the connection, from 1. */
	readonly number: number;
	/** How many requests came on it, this one included. */
	readonly requests: number;
	readonly write: (text: string | Uint8Array) => number;
	/** Closes in order, after what was written. */
	readonly end: () => void;
	/** Resets. */
	readonly reset: () => void;
};

export type RawServer = {
	readonly url: string;
	readonly requests: string[];
	readonly connections: () => number;
	/** Connections that the other side has closed. */
	readonly closed: () => number;
	readonly stop: () => void;
};

type State = { number: number; requests: number; held: string };

/** @param script called for every whole request */
export function startRaw(
	script: (connection: RawConnection, request: string) => void,
	tls?: { readonly cert: string; readonly key: string },
): RawServer {
	const requests: string[] = [];
	let connections = 0;
	let closed = 0;
	const server = Bun.listen<State>({
		hostname: "127.0.0.1",
		port: 0,
		...(tls && { tls }),
		socket: {
			open: (socket) => {
				socket.data = { number: ++connections, requests: 0, held: "" };
			},
			close: () => void closed++,
			data: (socket, bytes) => {
				const state = socket.data;
				state.held += bytes.toString("latin1");
				const head = state.held.indexOf("\r\n\r\n");
				const length = /content-length: (\d+)/i.exec(state.held)?.[1] ?? "0";
				if (head < 0 || state.held.length < head + 4 + Number(length)) return;
				requests.push(state.held);
				const request = state.held;
				state.held = "";
				script(
					{
						number: state.number,
						requests: ++state.requests,
						write: (text) => socket.write(text),
						end: () => void socket.end(),
						reset: () => void socket.terminate(),
					},
					request,
				);
			},
		},
	});
	return {
		url: `${tls ? "https" : "http"}://127.0.0.1:${server.port}/mcp`,
		requests,
		connections: () => connections,
		closed: () => closed,
		stop: () => server.stop(true),
	};
}

/** A whole answer with its length. */
export function whole(body: string, status = "200 OK"): string {
	return `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

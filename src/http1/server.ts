/**
 * An HTTP/1.1 server: a socket that listens, the connections of its clients, and how long each may take.
 *
 * With TLS every connection is accepted in clear and made secure by itself, with the certificates of that moment: new
 * ones are shown from the next connection on, and nobody else notices.
 */
import type { SecureContext } from "node:tls";
import { every } from "../clock.ts";
import { HeadWriter } from "./head-writer.ts";
import { LIMITS, type Limits } from "./limits.ts";
import { RequestHead } from "./request-head.ts";
import { ServerConnection, type Shared } from "./server-connection.ts";

export type HttpServer = {
	/** The port that was bound; 0 for a Unix socket. */
	readonly port: number;
	/** Stops accepting; resolves when what was under way has ended, or was cut after `graceMs`. */
	readonly close: (graceMs: number) => Promise<void>;
};

/** Where to listen. */
export type Place =
	| { readonly hostname: string; readonly port: number }
	| { readonly unix: string };

/** Which certificate a client is shown. */
export type Certificates = {
	readonly first: SecureContext;
	readonly byName: ReadonlyMap<string, SecureContext>;
};

/**
 * Serves until it is closed.
 * @param certificates what to show now; null: in clear
 * @throws when it cannot listen there
 */
export function serve(
	place: Place,
	certificates: (() => Certificates) | null,
	handler: Shared["handler"],
	given: Partial<Limits> = {},
): HttpServer {
	const limits = { ...LIMITS, ...given };
	const scheme = certificates ? "https" : "http";
	const all = new Set<ServerConnection>();
	let stopTicking: (() => void) | null = null;
	let onEmpty: (() => void) | null = null;
	const shared: Shared = {
		handler,
		limits,
		parseHead: (bytes) => new RequestHead(bytes, scheme),
		heads: new HeadWriter(),
		isClosing: false,
		onGone: (connection) => {
			all.delete(connection);
			if (all.size > 0) return;
			stopTicking?.();
			stopTicking = null;
			onEmpty?.();
		},
	};
	const tick = (): void => {
		shared.heads.renewDate();
		for (const connection of all) connection.tick();
	};
	const admit = (socket: Bun.Socket<ServerConnection>): void => {
		if (all.size >= limits.connections || shared.isClosing) {
			socket.terminate();
			return;
		}
		const connection = new ServerConnection(shared, socket);
		socket.data = connection;
		all.add(connection);
		if (stopTicking) return;
		shared.heads.renewDate();
		stopTicking = every(1000, tick);
	};
	const listening = Bun.listen<ServerConnection>({
		...place,
		allowHalfOpen: true,
		socket: certificates
			? securedBy(certificates, admit)
			: { ...CONVERSING, open: admit },
	} as Bun.TCPSocketListenOptions<ServerConnection>);

	return {
		port: "port" in listening ? (listening.port as number) : 0,
		close: async (graceMs) => {
			listening.stop();
			shared.isClosing = true;
			for (const connection of [...all]) connection.retire();
			if (all.size === 0) return;
			const { promise, resolve } = Promise.withResolvers<void>();
			onEmpty = resolve;
			const timer = setTimeout(() => {
				for (const connection of [...all]) connection.destroy();
			}, graceMs);
			await promise;
			clearTimeout(timer);
		},
	};
}

/** What happens on a connection is its own business. */
const CONVERSING: Bun.SocketHandler<ServerConnection, "buffer"> = {
	binaryType: "buffer",
	data: ({ data }, bytes) => data?.receive(bytes),
	drain: ({ data }) => data?.drain(),
	end: ({ data }) => data?.ended(),
	close: ({ data }) => data?.gone(),
	error: ({ data }) => data?.destroy(),
};

type Upgrade = (options: {
	readonly tls: { readonly secureContext: unknown };
	readonly isServer: true;
	readonly socket: object;
}) => readonly [raw: unknown, secure: Bun.Socket<ServerConnection>];

/** Makes each connection secure before it is admitted. */
function securedBy(
	certificates: () => Certificates,
	admit: (socket: Bun.Socket<ServerConnection>) => void,
): Bun.SocketHandler<ServerConnection> {
	return {
		open: (raw) => {
			const { first, byName } = certificates();
			const [, secure] = (raw as unknown as { upgradeTLS: Upgrade }).upgradeTLS(
				{
					tls: { secureContext: first.context },
					isServer: true,
					socket: {
						...CONVERSING,
						serverName: (_data: unknown, name: string) =>
							byName.get(name.toLowerCase())?.context,
					},
				},
			);
			admit(secure);
		},
		data: () => {}, // what is encrypted is the other socket's
	};
}

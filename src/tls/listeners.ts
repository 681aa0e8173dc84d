/**
 * The gateway's ports and its admin socket, each served by a server of our own (`http1/server.ts`). The certificates of
 * an https listener can be replaced while it serves. Where certificates come from is not known here.
 */
import { X509Certificate } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { connect, createSecureContext, type SecureContext } from "node:tls";
import { describeError, SallyportError } from "../errors.ts";
import type { IncomingRequest } from "../http1/incoming.ts";
import type { Later } from "../http1/outgoing.ts";
import { textResponse } from "../http1/outgoing.ts";
import { type Certificates, type HttpServer, serve } from "../http1/server.ts";
import type { Answered, Connection } from "../http1/server-connection.ts";

export type Handler = (
	request: IncomingRequest,
	connection: Connection,
) => Answered | Later<Answered>;

export type Listener = HttpServer;

/** A certificate chain and its key, and which clients are shown it. */
export type TlsMaterial = {
	/** The name in the client's hello; null in the first entry only, which answers every other name and none. */
	readonly serverName: string | null;
	/** The chain in PEM, leaf first. */
	readonly chain: string;
	readonly key: string;
};

export type TlsListener = Listener & {
	/**
	 * Shows these certificates to every new connection; open ones go on undisturbed. Resolves once a connection of
	 * our own has seen the first of them. One at a time: a second call waits for the first.
	 * @throws SallyportError `invalid` when they cannot be served (the old ones still are), `internal` when another
	 * certificate is seen
	 */
	readonly replace: (materials: readonly TlsMaterial[]) => Promise<void>;
};

const PROBE_TIMEOUT_MS = 5000;
const ADMIN_SOCKET_MODE = 0o660;

/** Listens on an address. @throws SallyportError `conflict` when the port is taken */
export function listen(host: string, port: number, handler: Handler): Listener {
	return listening(`${host}:${port}`, () =>
		serve({ hostname: bindable(host), port }, null, handler),
	);
}

/** Why nobody of ours could listen on an address now; null: somebody could. */
export function findObstacle(host: string, port: number): string | null {
	try {
		void listen(host, port, nothing).close(0);
		return null;
	} catch (error) {
		return describeError(error);
	}
}

/**
 * Listens on an address with TLS 1.2 and 1.3.
 * @throws SallyportError `conflict` when the port is taken, `invalid` when a certificate cannot be served
 */
export function listenTls(
	host: string,
	port: number,
	materials: readonly TlsMaterial[],
	handler: Handler,
): TlsListener {
	let shown = certificatesOf(materials);
	const server = listening(`${host}:${port}`, () =>
		serve({ hostname: bindable(host), port }, () => shown, handler),
	);
	let replacing = Promise.resolve();
	const replace = async (next: readonly TlsMaterial[]): Promise<void> => {
		shown = certificatesOf(next);
		await probe(host, server.port, next);
	};
	return {
		...server,
		replace: (next) => {
			const done = replacing.then(() => replace(next));
			replacing = done.catch(() => {}); // its caller is told; the next in line is not concerned
			return done;
		},
	};
}

/** Listens on a Unix socket that only the owner and the group may open. A stale socket file is replaced. */
export function listenSocket(path: string, handler: Handler): Listener {
	rmSync(path, { force: true });
	const server = listening(path, () => serve({ unix: path }, null, handler));
	chmodSync(path, ADMIN_SOCKET_MODE);
	return {
		port: 0,
		close: async (graceMs) => {
			await server.close(graceMs);
			rmSync(path, { force: true });
		},
	};
}

function nothing(): Answered {
	return textResponse(503, "not served");
}

/** @throws SallyportError `invalid` when one of them cannot be served */
function certificatesOf(materials: readonly TlsMaterial[]): Certificates {
	const [first, ...others] = materials;
	if (!first)
		throw new SallyportError("invalid", "there is no certificate to serve");
	return {
		first: contextOf(first),
		byName: new Map(
			others.map((material) => [
				(material.serverName ?? "").toLowerCase(),
				contextOf(material),
			]),
		),
	};
}

function contextOf({ chain, key }: TlsMaterial): SecureContext {
	leafFingerprint(chain);
	try {
		return createSecureContext({ cert: chain, key });
	} catch (cause) {
		throw new SallyportError(
			"invalid",
			"the certificate and its key cannot be served together",
			{ hint: "check that they belong to each other", cause },
		);
	}
}

function leafFingerprint(chain: string): string {
	try {
		return new X509Certificate(chain).fingerprint256;
	} catch (cause) {
		throw new SallyportError("invalid", "the certificate is not one in PEM", {
			hint: "the file holds the certificate first, then its issuers, each between BEGIN and END lines",
			cause,
		});
	}
}

/** Looks at what a client sees, because nobody else will until it matters. */
async function probe(
	host: string,
	port: number,
	materials: readonly TlsMaterial[],
): Promise<void> {
	const expected = leafFingerprint(materials[0]?.chain ?? "");
	const seen = await shownFingerprint(reachable(host), port);
	if (seen === expected) return;
	throw new SallyportError(
		"internal",
		`${host}:${port} still shows another certificate`,
		{ hint: "restart the gateway" },
	);
}

/** Every address is every IPv4 address where the kernel was started without IPv6, and knows no other. */
function bindable(host: string): string {
	if (host !== "::") return host;
	const hasIpv6 = Object.values(networkInterfaces())
		.flat()
		.some((found) => found?.family === "IPv6");
	return hasIpv6 ? host : "0.0.0.0";
}

/** A listener on every IPv6 address is one on every IPv4 address too, and a machine may be without the former. */
function reachable(host: string): string {
	return host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
}

/** The fingerprint of the certificate that a client without a name is shown; null when none came in time. */
function shownFingerprint(host: string, port: number): Promise<string | null> {
	return new Promise((resolve) => {
		const socket = connect({ host, port, rejectUnauthorized: false });
		const finish = (fingerprint: string | null): void => {
			socket.destroy();
			resolve(fingerprint);
		};
		socket.setTimeout(PROBE_TIMEOUT_MS, () => finish(null));
		socket.once("error", () => finish(null));
		socket.once("secureConnect", () =>
			finish(socket.getPeerCertificate().fingerprint256 ?? null),
		);
	});
}

function listening(where: string, start: () => HttpServer): HttpServer {
	try {
		return start();
	} catch (cause) {
		throw new SallyportError("conflict", `cannot listen on ${where}`, {
			hint: "another program may be using it: stop that one, or choose another address with --listen",
			cause,
		});
	}
}

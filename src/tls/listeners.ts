/**
 * The only `Bun.serve`: the gateway's ports and its admin socket.
 *
 * A listener hands each request on with what only the connection knows: the peer's address, and a way to be patient
 * with a silent stream (`Bun.serve` cuts a request that has been silent for 10 s). The HTTPS listener's certificates
 * can be replaced while it serves: a second server joins the port, gets all new connections (`steering.ts`), and the
 * old one lives on until its last stream has ended. Where certificates come from is not known here.
 */
import { X509Certificate } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { connect } from "node:tls";
import { delay } from "../clock.ts";
import { describeError, SallyportError } from "../errors.ts";
import { steerToNewest } from "./steering.ts";

/** What a handler may know of the connection a request came on. */
export type Connection = {
	/** The peer's address; empty on the admin socket. */
	readonly address: string;
	/** Lets this request's response stay silent for as long as it likes. */
	patient(): void;
};

export type Handler = (
	request: Request,
	connection: Connection,
) => Response | Promise<Response>;

export type Listener = {
	/** The port that was bound (0 was asked for: the one the kernel gave). */
	readonly port: number;
	/** Stops accepting; resolves when the open requests have ended, or were cut after `graceMs`. */
	readonly close: (graceMs: number) => Promise<void>;
};

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

/** How long a superseded server still answers on its kept-alive connections, and tells them to close. */
const SUPERSEDED_MS = 500;
/** Superseded servers whose streams are still open; beyond these the oldest is cut. */
const SUPERSEDED_MAX = 64;
const PROBE_TIMEOUT_MS = 5000;
/** Bun tells how many requests are open, and not when there is none any more. */
const DRAIN_POLL_MS = 20;
/** Larger bodies are cut by the server itself; every route has a smaller bound of its own, the largest a backup. */
const REQUEST_BYTES_MAX = 80 * 1024 * 1024;
const ADMIN_SOCKET_MODE = 0o660;

/** Listens on an address. @throws SallyportError `conflict` when the port is taken */
export function listen(host: string, port: number, handler: Handler): Listener {
	const server = serving(`${host}:${port}`, () =>
		Bun.serve({
			hostname: bindable(host),
			port,
			maxRequestBodySize: REQUEST_BYTES_MAX,
			fetch: (request, server) => handler(request, peer(request, server)),
			error: internalError,
		}),
	);
	return {
		port: server.port ?? port,
		close: (graceMs) => stop(server, graceMs),
	};
}

/** Why nobody of ours could listen on an address now; null: somebody could. */
export function findObstacle(host: string, port: number): string | null {
	try {
		void listen(host, port, internalError).close(0);
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
	// Shared ports can be joined by anyone of our user: first make sure that the port is nobody's.
	if (port !== 0) listen(host, port, internalError).close(0);
	let current = serveTls(host, port, materials, handler);
	const bound = current.server.port ?? port;
	const superseded = new Set<Server>();
	let replacing = Promise.resolve();
	steerToNewest(bound);

	const replace = async (next: readonly TlsMaterial[]): Promise<void> => {
		const old = current;
		current = serveTls(host, bound, next, handler);
		old.supersede();
		await delay(SUPERSEDED_MS);
		superseded.add(old.server);
		old.server.stop(false).finally(() => superseded.delete(old.server));
		const [oldest] = superseded;
		if (superseded.size > SUPERSEDED_MAX) oldest?.stop(true);
		await probe(host, bound, next);
	};

	return {
		port: bound,
		replace: (next) => {
			const done = replacing.then(() => replace(next));
			replacing = done.catch(() => {}); // its caller is told; the next in line is not concerned
			return done;
		},
		close: async (graceMs) => {
			await replacing;
			const servers = [current.server, ...superseded];
			await Promise.all(servers.map((server) => stop(server, graceMs)));
		},
	};
}

/** Listens on a Unix socket that only the owner and the group may open. A stale socket file is replaced. */
export function listenSocket(path: string, handler: Handler): Listener {
	rmSync(path, { force: true });
	const server = serving(path, () =>
		Bun.serve({
			unix: path,
			maxRequestBodySize: REQUEST_BYTES_MAX,
			fetch: (request, server) =>
				handler(request, {
					address: "",
					patient: () => server.timeout(request, 0),
				}),
			error: internalError,
		}),
	);
	chmodSync(path, ADMIN_SOCKET_MODE);
	return {
		port: 0,
		close: async (graceMs) => {
			await stop(server, graceMs);
			rmSync(path, { force: true });
		},
	};
}

type Server = ReturnType<typeof Bun.serve>;

function peer(request: Request, server: Server): Connection {
	return new Peer(request, server);
}

/** A class, because every request makes one; few want to know the address, which the kernel is asked for. */
class Peer implements Connection {
	readonly #request: Request;
	readonly #server: Server;

	constructor(request: Request, server: Server) {
		this.#request = request;
		this.#server = server;
	}

	get address(): string {
		return this.#server.requestIP(this.#request)?.address ?? "";
	}

	patient(): void {
		this.#server.timeout(this.#request, 0);
	}
}

function serveTls(
	host: string,
	port: number,
	materials: readonly TlsMaterial[],
	handler: Handler,
): { readonly server: Server; readonly supersede: () => void } {
	let isSuperseded = false;
	const answer = (response: Response): Response =>
		isSuperseded ? closing(response) : response;
	const server = serving(`${host}:${port}`, () =>
		Bun.serve({
			hostname: bindable(host),
			port,
			reusePort: true,
			tls: tlsOptions(materials),
			maxRequestBodySize: REQUEST_BYTES_MAX,
			fetch: (request, server) => {
				const answered = handler(request, peer(request, server));
				return answered instanceof Promise
					? answered.then(answer)
					: answer(answered);
			},
			error: internalError,
		}),
	);
	return {
		server,
		supersede: () => {
			isSuperseded = true;
		},
	};
}

/** The platform accepts a key without a certificate and serves no TLS then: everything is parsed here first. */
function tlsOptions(materials: readonly TlsMaterial[]): Bun.TLSOptions[] {
	if (materials.length === 0)
		throw new SallyportError("invalid", "there is no certificate to serve");
	return materials.map(({ serverName, chain, key }) => {
		leafFingerprint(chain);
		return { ...(serverName !== null && { serverName }), cert: chain, key };
	});
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

/** Tells the client to open a new connection for its next request, which the newest server will get. */
function closing(response: Response): Response {
	response.headers.set("connection", "close");
	return response;
}

/** Bun ignores a replaced certificate in silence elsewhere (`reload`), so the new one is looked at. */
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

function serving(where: string, start: () => Server): Server {
	try {
		return start();
	} catch (cause) {
		if (cause instanceof SallyportError) throw cause;
		if (String((cause as { code?: unknown }).code).startsWith("ERR_OSSL"))
			throw new SallyportError(
				"invalid",
				"the certificate and its key cannot be served together",
				{ hint: "check that they belong to each other", cause },
			);
		throw new SallyportError("conflict", `cannot listen on ${where}`, {
			hint: "another program may be using it: stop that one, or choose another address with --listen",
			cause,
		});
	}
}

/**
 * Stops accepting, waits for the requests that are open, and cuts what is left. A connection that was opened ahead of
 * a request, as browsers do, is not waited for: left alone it would hold a server that stops for 10 s.
 */
async function stop(server: Server, graceMs: number): Promise<void> {
	const stopped = server.stop(false);
	for (let waitedMs = 0; waitedMs < graceMs; waitedMs += DRAIN_POLL_MS) {
		if (server.pendingRequests === 0) break;
		await Promise.race([stopped, delay(DRAIN_POLL_MS)]);
	}
	await server.stop(true);
}

/** Handlers answer for their own errors; this is for what they could not. */
function internalError(): Response {
	return new Response("internal error\n", { status: 500 });
}

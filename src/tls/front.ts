/**
 * The gateway's front: which listeners face its clients, and what keeps their certificates. With a CA or with files
 * every address speaks https, and another one answers challenges and redirects; otherwise all is in clear. What is
 * served is not known here, and who may serve how was judged before (`serving.ts`).
 *
 * A gateway with a CA and without an owner has doors beside its origin, for whoever sets it up: its address, in case
 * its name does not work yet, and a port on loopback to which an SSH tunnel leads, in case no certificate comes.
 */
import { PRIVATE_NETWORKS } from "../addresses.ts";
import type { Clock } from "../clock.ts";
import { createEgress, type Egress } from "../egress.ts";
import { SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Address, Issuer, Serving, Tls } from "../serving.ts";
import type { Database } from "../store/database.ts";
import type { Vault } from "../vault.ts";
import { type Acme, createAcme } from "./acme.ts";
import { type Authority, authorityOf, caaIdentityOf } from "./authority.ts";
import { readBindingKey, readTrust } from "./authority-files.ts";
import { openCertificateFiles } from "./certificate-files.ts";
import {
	type Certificates,
	filedCertificates,
	keptCertificates,
	noCertificates,
} from "./certificates.ts";
import { type Challenges, createChallenges } from "./challenges.ts";
import { parseIdentifier } from "./identifiers.ts";
import { openKeeper } from "./keeper.ts";
import {
	type Handler,
	type Listener,
	listen,
	listenTls,
	type TlsListener,
	type TlsMaterial,
} from "./listeners.ts";

export type Front = {
	/** The origin clients use. */
	readonly origin: () => string;
	/** Whether that is a public URL, and not only how this machine reaches itself. */
	readonly isNamed: () => boolean;
	/** Whether it began without a public URL: whoever sets it up came by an address, and is led on from there. */
	readonly beganUnnamed: boolean;
	/** Every origin that a client may have reached us by: the public one, those of the listeners, former public ones. */
	readonly origins: () => readonly string[];
	/** Makes this the public URL. Its certificate is there already (`certificates.orders`), or is somebody else's. */
	readonly move: (publicUrl: string) => void;
	/** Origins of their own, until the next start. */
	readonly doors: Doors;
	readonly certificates: Certificates;
	/** Begins to order and to renew: when challenges can be answered and requests be served. */
	readonly start: () => void;
	/** Ends orders, then listeners, as `Listener.close` does. */
	readonly close: (graceMs: number) => Promise<void>;
};

export type Doors = {
	/** `https://` and the machine's address; null: it has none that the world knows. */
	readonly address: string | null;
	/** `http://localhost` with a port; null: no tunnel is needed. */
	readonly tunnel: string | null;
};

/** Who may come in before all is set up. */
export type Reception = {
	/** Nobody owns the gateway yet. */
	readonly isUnclaimed: boolean;
	/** An address by which the world reaches this machine; null: none is known. */
	readonly address: string | null;
};

type FrontDeps = {
	readonly db: Database;
	readonly vault: Vault;
	readonly clock: Clock;
	readonly log: Log;
};

/** What a mode of TLS comes down to. */
type Ways = {
	readonly certificates: Certificates;
	/** What an https listener shows at first; null: it speaks http. */
	readonly materials: readonly TlsMaterial[] | null;
	readonly start: () => void;
	readonly stop: () => Promise<void>;
};

type Files = Extract<Tls, { mode: "files" }>;
type Show = (materials: readonly TlsMaterial[]) => Promise<void>;

/** Former public URLs still lead their visitors on, until a restart. */
const PUBLIC_URLS_MAX = 5;
const WILDCARDS = new Set(["0.0.0.0", "::"]);
/** What people expect; another port serves as well. */
const TUNNEL_PORT = 8080;

/**
 * Opens the ports.
 * @throws SallyportError `conflict` when one is taken, `invalid` when a certificate cannot be served
 */
export async function openFront(
	deps: FrontDeps,
	serving: Serving,
	handler: Handler,
	reception: Reception,
): Promise<Front> {
	const { tls, publicUrl, httpListen } = serving;
	const challenges = createChallenges();
	const secure: TlsListener[] = [];
	const show: Show = async (materials) => {
		await Promise.all(secure.map((listener) => listener.replace(materials)));
	};
	const openWays = async (): Promise<Ways> => {
		if (tls.mode === "off") return inClear();
		if (tls.mode === "files") return withFiles(deps, tls, publicUrl, show);
		return withAuthority(deps, tls, publicUrl, challenges, show);
	};
	const ways = await openWays();
	const { materials } = ways;
	const facing = serving.listen.map(({ host, port }): Listener => {
		if (materials === null) return listen(host, port, handler);
		const listener = listenTls(host, port, materials, handler);
		secure.push(listener);
		return listener;
	});
	const scheme = materials === null ? "http" : "https";
	const own = facing.map(({ port }, index) =>
		originOf(scheme, serving.listen[index] as Address, port),
	);
	const publicUrls = publicUrl === null ? [] : [publicUrl];
	const named = (): string | null => publicUrls.at(-1) ?? null;
	const hasDoors = tls.mode === "acme" && reception.isUnclaimed;
	const tunnel = hasDoors ? listenToTunnel(handler) : null;
	const byAddress =
		reception.address && facing[0]
			? originOf(scheme, { host: reception.address, port: 0 }, facing[0].port)
			: null;
	const listeners = [
		...facing,
		...(tunnel === null ? [] : [tunnel]),
		...(httpListen === null
			? []
			: [listenPlain(httpListen, challenges, named)]),
	];

	return {
		origin: () => named() ?? (own[0] as string),
		isNamed: () => named() !== null,
		beganUnnamed: publicUrl === null,
		origins: () => [...publicUrls.toReversed(), ...own],
		move: (next) => {
			const at = publicUrls.indexOf(next);
			if (at >= 0) publicUrls.splice(at, 1);
			publicUrls.push(next);
			if (publicUrls.length > PUBLIC_URLS_MAX) publicUrls.shift();
		},
		doors: {
			address: hasDoors ? byAddress : null,
			tunnel: tunnel && `http://localhost:${tunnel.port}`,
		},
		certificates: ways.certificates,
		start: ways.start,
		close: async (graceMs) => {
			await ways.stop();
			await Promise.all(listeners.map((listener) => listener.close(graceMs)));
		},
	};
}

function inClear(): Ways {
	return {
		certificates: noCertificates(),
		materials: null,
		start: () => {},
		stop: async () => {},
	};
}

function withFiles(
	deps: FrontDeps,
	{ chainFile, keyFile }: Files,
	publicUrl: string | null,
	show: Show,
): Ways {
	// A bare word, as in a private network, is no identifier of ours: its certificate is not judged.
	const identifier = publicUrl && parseIdentifier(hostOf(publicUrl));
	const files = openCertificateFiles(
		{ ...deps, show },
		{ chain: chainFile, key: keyFile },
		identifier ? [identifier] : [],
	);
	let unwatch = (): void => {};
	return {
		certificates: filedCertificates(files),
		materials: files.materials(),
		start: () => {
			unwatch = files.watch();
		},
		stop: async () => unwatch(),
	};
}

async function withAuthority(
	deps: FrontDeps,
	tls: Extract<Tls, { mode: "acme" }>,
	publicUrl: string | null,
	challenges: Challenges,
	show: Show,
): Promise<Ways> {
	const authority = requireAuthority(tls);
	const speakTo = (issuer: Issuer): Acme =>
		createAcme(
			{ ...deps, challenges, egress: egressTo(issuer) },
			requireAuthority(issuer),
		);
	const acme = speakTo(tls);
	const fallback = tls.fallback && speakTo(tls.fallback);
	const keeper = await openKeeper(
		{ ...deps, acme, fallback, directory: acme.directory, show },
		publicUrl === null ? [] : [[hostOf(publicUrl)]],
	);
	const certificates = keptCertificates(keeper, caaIdentityOf(authority));
	return {
		certificates,
		materials: keeper.materials(),
		start: () => {
			for (const { trusted, fingerprint } of certificates.list())
				if (!trusted)
					deps.log.warn(
						"certificate is signed by itself until a CA issues one",
						{
							reason: `SHA-256 ${fingerprint}`,
						},
					);
			keeper.start();
		},
		stop: keeper.stop,
	};
}

function requireAuthority(issuer: Issuer): Authority {
	const { directory, staging, profile, email, binding } = issuer;
	return authorityOf({
		...(directory !== null && { directory }),
		staging,
		profile,
		email,
		binding: binding && {
			keyId: binding.keyId,
			key: readBindingKey(binding.keyFile),
		},
	});
}

function egressTo({ directory, caFile }: Issuer): Egress {
	return createEgress({
		// A directory that the operator names may live on the operator's own network.
		allowPrivate: directory === null ? [] : PRIVATE_NETWORKS,
		...(caFile !== null && { ca: readTrust(caFile) }),
	});
}

/** Whatever host a plain request names, there is one place to go on to: no redirect leads elsewhere. */
function listenPlain(
	{ host, port }: Address,
	challenges: Challenges,
	named: () => string | null,
): Listener {
	return listen(host, port, challenges.handler(named));
}

/** @throws SallyportError `conflict` when no port is free at all */
function listenToTunnel(handler: Handler): Listener {
	try {
		return listen("localhost", TUNNEL_PORT, handler);
	} catch (error) {
		if (error instanceof SallyportError && error.code === "conflict")
			return listen("localhost", 0, handler);
		throw error;
	}
}

function hostOf(origin: string): string {
	return new URL(origin).hostname;
}

/** A listener on every address is reached from its own machine by name. */
function originOf(
	scheme: "http" | "https",
	{ host }: Address,
	port: number,
): string {
	const name = WILDCARDS.has(host) ? "localhost" : host;
	const written = name.includes(":") ? `[${name}]` : name;
	return new URL(`${scheme}://${written}:${port}`).origin;
}

/**
 * How the gateway faces its clients: the addresses it listens on, the origin they use, and who holds the certificate.
 * Judges which of these go together, as text from the configuration; no file is read and no port opened here.
 */
import { resolve } from "node:path";
import { SallyportError } from "./errors.ts";

export type Address = { readonly host: string; readonly port: number };

/** `localhost:8080`, `[::1]:8080` */
export function addressText({ host, port }: Address): string {
	return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export type Tls =
	/** In clear: on loopback, or behind a proxy that holds the certificate. */
	| { readonly mode: "off" }
	/** PEM files that somebody else renews. */
	| {
			readonly mode: "files";
			readonly chainFile: string;
			readonly keyFile: string;
	  }
	/** Certificates of our own, from a CA, and if that fails from another one. */
	| (Issuer & { readonly mode: "acme"; readonly fallback: Issuer | null });

/** A CA, and who we are to it. */
export type Issuer = {
	/** Null: the directory of the CA we chose. */
	readonly directory: string | null;
	/** Its directory for rehearsals; null: the one that is known of it, if any. */
	readonly staging: string | null;
	/** Whom to trust for that directory, in PEM; null: the public authorities. */
	readonly caFile: string | null;
	readonly profile: string | null;
	readonly email: string | null;
	readonly binding: {
		readonly keyId: string;
		readonly keyFile: string;
	} | null;
};

export type Serving = {
	readonly listen: readonly Address[];
	/** The origin clients use, without a trailing slash; null: that of the first listener. */
	readonly publicUrl: string | null;
	readonly tls: Tls;
	/** Where challenges are answered and plain http is redirected; null: nowhere. */
	readonly httpListen: Address | null;
};

/** What was configured, by its name in the file. */
export type Given = {
	readonly one: (name: string) => string | undefined;
	readonly many: (name: string) => readonly string[];
};

const MODES = ["acme", "files", "off"] as const;
type Mode = (typeof MODES)[number];

const LISTEN_CLEAR = "localhost:8080";
/** Every address of the machine, IPv4 too. */
const LISTEN_TLS = "[::]:443";
const HTTP_PORT = 80;
const LOOPBACK_HOSTS = new Set(["localhost", "127.0.0.1", "::1", "[::1]"]);

/** Which settings mean nothing without which mode. */
const BELONGS_TO: Readonly<Record<string, readonly Mode[]>> = {
	tls_cert: ["files"],
	tls_key: ["files"],
	acme_directory: ["acme"],
	acme_staging: ["acme"],
	acme_ca: ["acme"],
	acme_profile: ["acme"],
	acme_email: ["acme"],
	acme_eab_kid: ["acme"],
	acme_eab_key_file: ["acme"],
	acme_fallback_directory: ["acme"],
	acme_fallback_ca: ["acme"],
	acme_fallback_eab_kid: ["acme"],
	acme_fallback_eab_key_file: ["acme"],
	http_listen: ["acme", "files"],
};

/**
 * Reads how to serve. Without `tls` it is `off` where that is safe, and `acme` everywhere else.
 * @throws SallyportError `invalid` naming what does not go together, and what would
 */
export function parseServing(given: Given): Serving {
	const publicUrl = parseOrigin(given.one("public_url"));
	const listen = given.many("listen").map(parseAddress);
	const isClearSafe = mayBeClear(
		listen,
		publicUrl,
		given.many("trusted_proxy").length > 0,
	);
	const mode = parseMode(given.one("tls")) ?? (isClearSafe ? "off" : "acme");
	if (mode === "off" && !isClearSafe) throw refuseClearText();
	refuseStrangers(given, mode);
	if (listen.length === 0)
		listen.push(parseAddress(mode === "off" ? LISTEN_CLEAR : LISTEN_TLS));
	if (mode !== "off") requireSecureOrigin(listen, publicUrl, mode);
	return {
		listen,
		publicUrl,
		tls: parseTls(given, mode, publicUrl),
		httpListen: parseHttpListen(given, mode, listen),
	};
}

/** Nothing but loopback, and https behind a proxy we trust, is ever served in clear (contract.md 3). */
function mayBeClear(
	listen: readonly Address[],
	publicUrl: string | null,
	hasProxy: boolean,
): boolean {
	const isLoopback =
		listen.every(({ host }) => LOOPBACK_HOSTS.has(host)) &&
		(publicUrl === null || LOOPBACK_HOSTS.has(new URL(publicUrl).hostname));
	return isLoopback || (hasProxy && isSecure(publicUrl));
}

function refuseClearText(): SallyportError {
	return new SallyportError(
		"invalid",
		"tls off would serve this address in clear",
		{
			hint: "listen on localhost, or set --public-url https://… and --trusted-proxy of the proxy that holds the certificate",
		},
	);
}

/** A setting that the mode ignores is a misunderstanding, and is not ignored in silence. */
function refuseStrangers(given: Given, mode: Mode): void {
	for (const [name, modes] of Object.entries(BELONGS_TO)) {
		if (given.one(name) === undefined || modes.includes(mode)) continue;
		throw new SallyportError(
			"invalid",
			`${flagOf(name)} has no meaning with tls ${mode}`,
			{
				hint: `use --tls ${modes.join(" or ")} with it, or leave ${flagOf(name)} away`,
			},
		);
	}
}

function requireSecureOrigin(
	listen: readonly Address[],
	publicUrl: string | null,
	mode: Mode,
): void {
	if (publicUrl !== null && !isSecure(publicUrl))
		throw new SallyportError(
			"invalid",
			`tls ${mode} serves https, and ${publicUrl} does not begin with it`,
			{ hint: "set --public-url https://…" },
		);
	// With a CA the name may come later: the wizard asks for it, and orders its certificate.
	const isKnown =
		mode === "acme" || listen.every(({ host }) => LOOPBACK_HOSTS.has(host));
	if (publicUrl === null && !isKnown)
		throw new SallyportError(
			"invalid",
			`tls ${mode} needs to know the name of this gateway`,
			{ hint: "set --public-url https://NAME, which the certificate is for" },
		);
}

function parseTls(given: Given, mode: Mode, publicUrl: string | null): Tls {
	if (mode === "off") return { mode };
	if (mode === "files") {
		const [chainFile, keyFile] = requirePair(given, "tls_cert", "tls_key");
		return { mode, chainFile: resolve(chainFile), keyFile: resolve(keyFile) };
	}
	const issuer = parseIssuer(given, "acme");
	if (issuer.directory === null && publicUrl !== null) refuseLocal(publicUrl);
	return { mode, ...issuer, fallback: parseFallback(given) };
}

/** @param prefix what the names of its settings begin with */
function parseIssuer(given: Given, prefix: string): Issuer {
	const caFile = given.one(`${prefix}_ca`);
	return {
		directory: parseDirectory(given.one(`${prefix}_directory`)),
		staging: parseDirectory(given.one(`${prefix}_staging`)),
		caFile: caFile === undefined ? null : resolve(caFile),
		profile: given.one(`${prefix}_profile`) ?? null,
		email: parseContact(given.one("acme_email")),
		binding: parseBinding(given, prefix),
	};
}

/** Nobody is asked who was not named. */
function parseFallback(given: Given): Issuer | null {
	const fallback = parseIssuer(given, "acme_fallback");
	if (fallback.directory !== null) return fallback;
	if (fallback.caFile === null && fallback.binding === null) return null;
	throw new SallyportError("invalid", "--acme-fallback-directory is not set", {
		hint: "it names the second CA, which the other --acme-fallback settings are about",
	});
}

function parseBinding(
	given: Given,
	prefix: string,
): { readonly keyId: string; readonly keyFile: string } | null {
	const names = [`${prefix}_eab_kid`, `${prefix}_eab_key_file`] as const;
	if (names.every((name) => given.one(name) === undefined)) return null;
	const [keyId, keyFile] = requirePair(given, ...names);
	return { keyId, keyFile: resolve(keyFile) };
}

/** Two settings that need each other. */
function requirePair(
	given: Given,
	first: string,
	second: string,
): readonly [string, string] {
	const [one, two] = [given.one(first), given.one(second)];
	if (one !== undefined && two !== undefined) return [one, two];
	const missing = flagOf(one === undefined ? first : second);
	throw new SallyportError("invalid", `${missing} is not set`, {
		hint: `give both ${flagOf(first)} and ${flagOf(second)}`,
	});
}

/** A public CA proves names from outside. A directory that was named may be one that sees this machine. */
function refuseLocal(publicUrl: string): void {
	if (!LOOPBACK_HOSTS.has(new URL(publicUrl).hostname)) return;
	throw new SallyportError(
		"invalid",
		`no public CA issues a certificate for ${new URL(publicUrl).hostname}`,
		{
			hint: "use --tls off on localhost, or set --public-url to a name that the world can reach",
		},
	);
}

function parseHttpListen(
	given: Given,
	mode: Mode,
	listen: readonly Address[],
): Address | null {
	const text = given.one("http_listen");
	const fallback =
		mode === "acme" ? { host: listen[0]?.host ?? "::", port: HTTP_PORT } : null;
	const address = text === undefined ? fallback : parseAddress(text);
	const isTaken =
		address?.port !== 0 && listen.some(({ port }) => port === address?.port);
	if (!isTaken) return address;
	throw new SallyportError(
		"invalid",
		`port ${address?.port} cannot speak http and https at once`,
		{
			hint: "let --listen be for https (443) and --http-listen for challenges and redirects (80)",
		},
	);
}

function parseMode(text: string | undefined): Mode | null {
	if (text === undefined) return null;
	const mode = MODES.find((candidate) => candidate === text);
	if (mode) return mode;
	throw new SallyportError("invalid", `tls ${text} is not known`, {
		hint: `use ${MODES.join(", ").replace(/, (\w+)$/, " or $1")}`,
	});
}

function parseDirectory(text: string | undefined): string | null {
	if (text === undefined) return null;
	if (URL.parse(text)?.protocol === "https:") return text;
	throw new SallyportError("invalid", `${text} is not an ACME directory`, {
		hint: "a directory is an https URL, like https://acme-v02.api.letsencrypt.org/directory",
	});
}

function parseContact(text: string | undefined): string | null {
	if (text === undefined) return null;
	if (/^[^\s@,?]+@[^\s@,?]+$/.test(text)) return text;
	throw new SallyportError("invalid", `${text} is not an e-mail address`, {
		hint: "it looks like ada@example.org; it may be left away",
	});
}

function parseAddress(text: string): Address {
	const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text);
	const port = Number(match?.[2]);
	if (!match || port > 65535)
		throw new SallyportError(
			"invalid",
			`${text} is not an address to listen on`,
			{
				hint: "an address looks like localhost:8080 or [::1]:8080",
			},
		);
	return { host: (match[1] as string).replace(/^\[|\]$/g, ""), port };
}

/** Reads a public URL. @throws SallyportError `invalid` */
export function parseOrigin(text: string | undefined): string | null {
	if (text === undefined) return null;
	const url = URL.parse(text);
	if (
		!url ||
		!(url.protocol === "https:" || url.protocol === "http:") ||
		url.pathname !== "/" ||
		url.search !== "" ||
		url.hash !== "" ||
		url.username !== ""
	)
		throw new SallyportError("invalid", `${text} is not a public URL`, {
			hint: "a public URL looks like https://gate.example.org, without a path",
		});
	return url.origin;
}

function isSecure(origin: string | null): boolean {
	return origin?.startsWith("https://") ?? false;
}

function flagOf(name: string): string {
	return `--${name.replaceAll("_", "-")}`;
}

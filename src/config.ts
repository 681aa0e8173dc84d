/**
 * Configuration: flags, then `SALLYPORT_*`, then a TOML file, then the database, then defaults, parsed into one frozen
 * value that knows where each setting came from. Unknown keys are errors with a suggestion; `.env` is never read.
 * The database is only open once the others are read, so what it holds is added afterwards (`withDatabase`).
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ipaddr from "ipaddr.js";
import { parse as parseToml } from "smol-toml";
import { SallyportError } from "./errors.ts";
import { type LogFormat, type LogLevel, parseLogLevel } from "./log.ts";
import { addressText, parseServing, type Serving } from "./serving.ts";

/** The nearest first. */
const ORIGINS = ["flag", "environment", "file", "database", "default"] as const;
export type Origin = (typeof ORIGINS)[number];

/** A setting as it is in force. */
export type ShownSetting = {
	/** Its name in the file. */
	readonly name: string;
	/** Null when there is none. What may be a secret is only said to be there. */
	readonly value: string | readonly string[] | null;
	readonly origin: Origin;
};

export type Config = Serving & {
	readonly dataDir: string;
	/** What can be made again: package caches. */
	readonly cacheDir: string;
	/** The API over a Unix socket. */
	readonly adminSocket: string;
	readonly trustedProxies: readonly string[];
	/** CIDRs of private networks that upstream servers may live in. */
	readonly allowPrivateUpstreams: readonly string[];
	/** Name servers to ask about the gateway's own name; none: the machine's. */
	readonly dnsServers: readonly string[];
	/** Where what must not be missed is told; null: in the log and on pages only. It may hold a secret of its own. */
	readonly alertWebhook: string | null;
	readonly kekFile: string;
	readonly logLevel: LogLevel;
	readonly logFormat: LogFormat;
	/** Where each setting came from, by its name in the file. */
	readonly origins: Readonly<Record<string, Origin>>;
	/** Every setting, for people to read. */
	readonly settings: readonly ShownSetting[];
	/**
	 * The same with what people chose in the browser, wherever nothing else says otherwise.
	 * @throws SallyportError `invalid` when that does not go together with the rest
	 */
	readonly withDatabase: (stored: Readonly<Record<string, string>>) => Config;
};

type Setting = {
	readonly name: string;
	readonly list: boolean;
	readonly placeholder: string;
	readonly summary: string;
};

/** Every setting once: its name in the file (`log_level`), from which flag (`--log-level`) and variable follow. */
export const SETTINGS: readonly Setting[] = [
	{
		name: "data_dir",
		list: false,
		placeholder: "DIR",
		summary: "everything the gateway keeps",
	},
	{
		name: "cache_dir",
		list: false,
		placeholder: "DIR",
		summary: "what it can make again (cache/ in the data directory)",
	},
	{
		name: "admin_socket",
		list: false,
		placeholder: "PATH",
		summary: "the command line's way in (admin.sock in the data directory)",
	},
	{
		name: "listen",
		list: true,
		placeholder: "ADDR:PORT",
		summary: "where to listen (again for more)",
	},
	{
		name: "public_url",
		list: false,
		placeholder: "URL",
		summary: "the address clients use",
	},
	{
		name: "tls",
		list: false,
		placeholder: "acme|files|off",
		summary:
			"whose certificate: a CA's, files, or none (on loopback, or behind a trusted proxy)",
	},
	{
		name: "tls_cert",
		list: false,
		placeholder: "F",
		summary: "tls files: the certificate and its issuers, in PEM",
	},
	{
		name: "tls_key",
		list: false,
		placeholder: "F",
		summary: "tls files: its key, in PEM",
	},
	{
		name: "http_listen",
		list: false,
		placeholder: "ADDR:PORT",
		summary: "where a CA looks and plain http is redirected (port 80)",
	},
	{
		name: "acme_directory",
		list: false,
		placeholder: "URL",
		summary: "tls acme: another CA than Let's Encrypt",
	},
	{
		name: "acme_staging",
		list: false,
		placeholder: "URL",
		summary: "tls acme: where that CA lets names be proved first",
	},
	{
		name: "acme_ca",
		list: false,
		placeholder: "F",
		summary: "tls acme: whom to trust for that directory, in PEM",
	},
	{
		name: "acme_profile",
		list: false,
		placeholder: "NAME",
		summary: "tls acme: one of the CA's profiles",
	},
	{
		name: "acme_email",
		list: false,
		placeholder: "E",
		summary: "tls acme: the account's contact",
	},
	{
		name: "acme_eab_kid",
		list: false,
		placeholder: "ID",
		summary: "tls acme: the key id of an account binding",
	},
	{
		name: "acme_eab_key_file",
		list: false,
		placeholder: "F",
		summary: "tls acme: the key of an account binding",
	},
	{
		name: "acme_fallback_directory",
		list: false,
		placeholder: "URL",
		summary: "tls acme: a second CA, for when the first one fails",
	},
	{
		name: "acme_fallback_ca",
		list: false,
		placeholder: "F",
		summary: "tls acme: whom to trust for that directory, in PEM",
	},
	{
		name: "acme_fallback_eab_kid",
		list: false,
		placeholder: "ID",
		summary: "tls acme: the key id of an account binding there",
	},
	{
		name: "acme_fallback_eab_key_file",
		list: false,
		placeholder: "F",
		summary: "tls acme: the key of an account binding there",
	},
	{
		name: "alert_webhook",
		list: false,
		placeholder: "URL",
		summary: "told when a certificate is about to end",
	},
	{
		name: "trusted_proxy",
		list: true,
		placeholder: "CIDR",
		summary: "whose X-Forwarded-For is believed",
	},
	{
		name: "allow_private_upstreams",
		list: true,
		placeholder: "CIDR",
		summary: "private networks that servers may live in",
	},
	{
		name: "dns_server",
		list: true,
		placeholder: "ADDR[:PORT]",
		summary: "whom to ask where a name leads (the machine's own name servers)",
	},
	{
		name: "kek_file",
		list: false,
		placeholder: "FILE",
		summary: "the master key",
	},
	{
		name: "log_level",
		list: false,
		placeholder: "LEVEL",
		summary: "debug, info, warn or error",
	},
	{
		name: "log_format",
		list: false,
		placeholder: "FORMAT",
		summary: "json or pretty",
	},
];

const DEFAULTS: Readonly<Record<string, string | readonly string[]>> = {
	data_dir: ".sallyport",
	// Which of these is the default follows from the others (`serving.ts`).
	listen: [],
	tls: [],
	trusted_proxy: [],
	dns_server: [],
	allow_private_upstreams: [],
	log_level: "info",
	log_format: "json",
};

const HIDDEN = "(set, and not shown)";
const SYSTEM_FILE = "/etc/sallyport/sallyport.toml";
const ENVIRONMENT_PREFIX = "SALLYPORT_";

type Values = Map<
	string,
	{ readonly value: readonly string[]; readonly origin: Origin }
>;

/**
 * Reads the configuration.
 * @param args flags only (`--listen`, `localhost:8080`, `--tls=off`, …)
 * @throws SallyportError `invalid` naming the setting and what it accepts
 */
export function parseConfig(
	args: readonly string[],
	environment: Readonly<Record<string, string | undefined>> = {},
): Config {
	const values: Values = new Map();
	for (const [name, value] of Object.entries(DEFAULTS))
		values.set(name, { value: [value].flat(), origin: "default" });
	const file = environment["SALLYPORT_CONFIG"] ?? SYSTEM_FILE;
	if (existsSync(file)) readFile(file, values);
	readEnvironment(environment, values);
	readFlags(args, values);
	return freeze(values, environment);
}

function readFile(path: string, values: Values): void {
	let table: Record<string, unknown>;
	try {
		table = parseToml(readFileSync(path, "utf8"));
	} catch (cause) {
		throw new SallyportError("invalid", `cannot read ${path}`, {
			hint: "check that it is TOML and that this user may read it",
			cause,
		});
	}
	for (const [name, value] of Object.entries(table)) {
		const setting = requireSetting(name, `the key ${name} in ${path}`);
		const list = [value].flat().map(String);
		values.set(setting.name, { value: list, origin: "file" });
	}
}

function readEnvironment(
	environment: Readonly<Record<string, string | undefined>>,
	values: Values,
): void {
	for (const setting of SETTINGS) {
		const name = ENVIRONMENT_PREFIX + setting.name.toUpperCase();
		const path = environment[`${name}_FILE`];
		const text =
			environment[name] ??
			// `SALLYPORT_KEK_FILE` is a setting of its own, not the file that holds a setting named `kek`.
			(path !== undefined ? readFileSync(path, "utf8").trim() : undefined);
		if (text === undefined) continue;
		values.set(setting.name, {
			value: setting.list ? text.split(",").map((part) => part.trim()) : [text],
			origin: "environment",
		});
	}
}

function readFlags(args: readonly string[], values: Values): void {
	const given = new Map<string, string[]>();
	for (let index = 0; index < args.length; index++) {
		const [flag = "", ...inline] = (args[index] as string).split("=");
		if (!flag.startsWith("--"))
			throw new SallyportError("invalid", `unexpected argument ${flag}`, {
				hint: "flags look like --listen localhost:8080; see sallyport serve --help",
			});
		const setting = requireSetting(
			flag.slice(2).replaceAll("-", "_"),
			`the flag ${flag}`,
		);
		const value = inline.length > 0 ? inline.join("=") : args[++index];
		if (value === undefined)
			throw new SallyportError("invalid", `the flag ${flag} needs a value`, {
				hint: `${flag} ${setting.placeholder}`,
			});
		const list = given.get(setting.name) ?? [];
		if (list.length > 0 && !setting.list)
			throw new SallyportError("invalid", `the flag ${flag} stands twice`, {
				hint: "give it once",
			});
		given.set(setting.name, [...list, value]);
	}
	for (const [name, value] of given)
		values.set(name, { value, origin: "flag" });
}

function requireSetting(name: string, what: string): Setting {
	const setting = SETTINGS.find((candidate) => candidate.name === name);
	if (setting) return setting;
	const near = nearest(
		name,
		SETTINGS.map((candidate) => candidate.name),
	);
	const spelled =
		what.includes("--") && near ? `--${near.replaceAll("_", "-")}` : near;
	throw new SallyportError("invalid", `${what} is not known`, {
		hint: spelled ? `did you mean ${spelled}` : "see sallyport serve --help",
	});
}

function freeze(
	values: Values,
	environment: Readonly<Record<string, string | undefined>>,
): Config {
	const one = (name: string): string | undefined => values.get(name)?.value[0];
	const many = (name: string): readonly string[] =>
		values.get(name)?.value ?? [];
	const dataDir = resolve(one("data_dir") as string);
	const serving = parseServing({ one, many });
	const places = {
		dataDir,
		cacheDir: placed(values, "cache_dir") ?? join(dataDir, "cache"),
		adminSocket: placed(values, "admin_socket") ?? join(dataDir, "admin.sock"),
		kekFile: kekFile(
			dataDir,
			one("kek_file"),
			environment["CREDENTIALS_DIRECTORY"],
		),
	};
	return Object.freeze({
		...serving,
		...places,
		trustedProxies: many("trusted_proxy").map(parseCidr),
		allowPrivateUpstreams: many("allow_private_upstreams").map(parseCidr),
		dnsServers: many("dns_server").map(parseDnsServer),
		alertWebhook: parseWebhook(one("alert_webhook")),
		logLevel: requireOne(
			"log level",
			parseLogLevel(one("log_level") as string),
			"debug, info, warn or error",
		),
		logFormat: requireOne(
			"log format",
			parseLogFormat(one("log_format") as string),
			"json or pretty",
		),
		origins: Object.fromEntries(
			[...values].map(([name, { origin }]) => [name, origin]),
		),
		settings: showSettings(values, {
			data_dir: places.dataDir,
			cache_dir: places.cacheDir,
			admin_socket: places.adminSocket,
			kek_file: places.kekFile,
			listen: serving.listen.map(addressText),
			http_listen: serving.httpListen && addressText(serving.httpListen),
			tls: serving.tls.mode,
			alert_webhook: many("alert_webhook").length > 0 ? HIDDEN : null,
		}),
		withDatabase: (stored: Readonly<Record<string, string>>) =>
			freeze(addStored(values, stored), environment),
	});
}

/** @param inForce what follows from the others where it was not given, or was given in another form */
function showSettings(
	values: Values,
	inForce: Readonly<Record<string, ShownSetting["value"]>>,
): readonly ShownSetting[] {
	return SETTINGS.map(({ name, list }) => {
		const given = values.get(name);
		const value = (list ? given?.value : given?.value[0]) ?? null;
		return {
			name,
			value: name in inForce ? (inForce[name] ?? null) : value,
			origin: given?.origin ?? "default",
		};
	});
}

function addStored(
	values: Values,
	stored: Readonly<Record<string, string>>,
): Values {
	const all: Values = new Map(values);
	for (const [name, value] of Object.entries(stored)) {
		const origin = all.get(name)?.origin ?? "default";
		if (origin === "default")
			all.set(name, { value: [value], origin: "database" });
	}
	return all;
}

/**
 * A path beside the data. Whoever names a data directory means all of it (contract.md 3): what the file says of paths
 * does not follow a `--data-dir` elsewhere.
 */
function placed(values: Values, name: string): string | null {
	const path = values.get(name);
	const dataDir = values.get("data_dir");
	if (path === undefined || dataDir === undefined) return null;
	const isNearer =
		ORIGINS.indexOf(dataDir.origin) < ORIGINS.indexOf(path.origin);
	return isNearer ? null : resolve(path.value[0] as string);
}

/** A systemd credential wins, then the setting, then the file beside the data. */
function kekFile(
	dataDir: string,
	setting: string | undefined,
	credentials: string | undefined,
): string {
	if (credentials !== undefined) {
		const path = join(credentials, "master.key");
		if (existsSync(path)) return path;
	}
	return setting === undefined ? join(dataDir, "master.key") : resolve(setting);
}

/** Never quoted: what chat services give out as a webhook is a password. */
function parseWebhook(text: string | undefined): string | null {
	if (text === undefined) return null;
	if (/^https?:$/.test(URL.parse(text)?.protocol ?? "")) return text;
	throw new SallyportError("invalid", "the alert webhook is not a URL", {
		hint: "it looks like https://ntfy.example.org/gate",
	});
}

function parseCidr(text: string): string {
	const [address = ""] = text.split("/");
	const isV6 = address.includes(":");
	const cidr = text.includes("/") ? text : `${text}/${isV6 ? 128 : 32}`;
	// The library also reads `10.1` and `0x7f.1`; here they are more likely a slip.
	const isWhole = isV6 || ipaddr.IPv4.isValidFourPartDecimal(address);
	if (isWhole && ipaddr.isValidCIDR(cidr)) return cidr;
	throw new SallyportError("invalid", `${text} is not a network`, {
		hint: "a network looks like 10.0.0.0/8 or fd00::/8",
	});
}

function parseDnsServer(text: string): string {
	const [, bracketed, plain] =
		/^(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::\d{1,5})?$/i.exec(text) ?? [];
	const address = bracketed ?? plain ?? text;
	if (ipaddr.isValid(address)) return text;
	throw new SallyportError("invalid", `${text} is not a name server`, {
		hint: "a name server looks like 9.9.9.9, 127.0.0.1:5353 or [2620:fe::fe]:53",
	});
}

function parseLogFormat(text: string): LogFormat | null {
	return text === "json" || text === "pretty" ? text : null;
}

function requireOne<T>(what: string, value: T | null, accepted: string): T {
	if (value === null)
		throw new SallyportError("invalid", `that ${what} is not known`, {
			hint: `use ${accepted}`,
		});
	return value;
}

/** The candidate within two typing errors of `word`, if any: for "did you mean". */
export function nearest(
	word: string,
	candidates: readonly string[],
): string | null {
	const scored = candidates
		.map((candidate) => ({
			candidate,
			distance: editDistance(word, candidate),
		}))
		.sort((a, b) => a.distance - b.distance);
	const best = scored[0];
	return best && best.distance <= Math.max(2, Math.floor(word.length / 3))
		? best.candidate
		: null;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
	let row = Array.from({ length: b.length + 1 }, (_, index) => index);
	for (let i = 1; i <= a.length; i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++)
			next.push(
				Math.min(
					(row[j] as number) + 1,
					(next[j - 1] as number) + 1,
					(row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1),
				),
			);
		row = next;
	}
	return row[b.length] as number;
}

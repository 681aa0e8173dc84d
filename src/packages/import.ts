/**
 * What becomes of a server in a client's file: settings as the API takes them, secrets apart from them, and the slots
 * whose value is still to be given because the file has a blank there (`${input:key}` of VS Code, `${env:KEY}` of
 * Cursor, `${KEY}` of Claude Code). What may be secret, by its name or its looks, goes into a slot; an argument cannot,
 * so a server with a secret there is refused, because arguments are kept in clear and shown to whoever lists processes.
 */
import { SallyportError } from "../errors.ts";
import { objectOf } from "../message.ts";
import { isSecretName, type Slot } from "../store/servers.ts";
import { type ClientServer, namesOf } from "./client-file.ts";
import { slotName } from "./declaration.ts";
import { type Way, wayOf } from "./runner.ts";

export type ImportPlan = {
	readonly slug: string;
	/** The body of `POST /api/mcp/servers` but for its name. */
	readonly settings: Readonly<Record<string, unknown>>;
	/** Values of slots, by the slot's name. */
	readonly secrets: ReadonlyMap<string, string>;
	/** Slots without a value yet, and what the file has in its place. */
	readonly blanks: ReadonlyMap<string, string>;
	readonly leftOut: readonly string[];
};

type Values = {
	readonly plain: Readonly<Record<string, string>>;
	readonly slots: readonly Slot[];
	readonly secrets: ReadonlyMap<string, string>;
	readonly blanks: ReadonlyMap<string, string>;
};

const SLUG_LENGTH_MAX = 32;
const BLANK = /\$\{[^{}]*\}/;
/** A value that is a blank and nothing else: its name becomes the slot's. */
const WHOLE_BLANK = /^\$\{([A-Za-z_][A-Za-z0-9_.-]*)\}$/;
/** `${KEY:-value}`, the one form of blank that brings its value along. */
const WITH_DEFAULT = /\$\{[A-Za-z_]\w*:-([^{}]*)\}/g;
/** What documentation has where a value belongs. */
const TO_FILL_IN =
	/^(?:(?:bearer|basic|token) )?(?:<[^<>]*>|(?:your|insert|replace)[-_ ].*|x{4,}|\.{3})$/i;

const SECRET_WORD = /(?:^|[_-])(?:pat|pass|auth|dsn)(?:$|[_-])/i;
/** Beginnings that vendors give their keys, a password in a URL, a private key. */
const KNOWN_SECRET =
	/^(?:bearer|basic) \S|(?:^|[^A-Za-z0-9])(?:sk-|[sr]k_live_|gh[opsu]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|AKIA[0-9A-Z]{12}|AIza|eyJ[\w-]{8}|pat[A-Za-z0-9]{14}\.|lin_api_|ntn_|npm_|hf_|whsec_|sp_(?:at|rt|ak)_)|:\/\/[^\s/:@]*:[^\s/@]+@|-----BEGIN [A-Z ]*PRIVATE KEY/i;
const RANDOM =
	/^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[\w+=-]{20,}$|^[0-9a-fA-F]{32,}$/;
/** Names of arguments that hold `key` or `token` and are about something else: a place, a number. */
const ABOUT_A_SECRET = /(?:file|path|dir|env|limit|count|tokens)$/i;

/** What an exported file says in the words of the API. */
const OUR_FIELDS = [
	"mode",
	"access",
	"tools",
	"pinning",
	"destructiveTools",
	"resultBytesMax",
];

/** A slug for a client's name: `My Server` → `my-server`. */
export function slugFor(name: string): string {
	const words = name
		.normalize("NFKD")
		.toLowerCase()
		.replaceAll(/[^a-z0-9]+/g, "-")
		.replaceAll(/^-+|-+$/g, "");
	return (/^[a-z]/.test(words) ? words : `server-${words}`)
		.slice(0, SLUG_LENGTH_MAX)
		.replace(/-+$/, "");
}

/**
 * Settings and secrets of a server.
 * @param personal whether its secrets are each user's own, where the file does not say
 * @throws SallyportError `invalid` when it cannot be carried over: nothing of it is kept then
 */
export function planImport(
	name: string,
	server: ClientServer,
	personal: boolean,
): ImportPlan {
	const slug = slugFor(name);
	const way: Way =
		server.url === null
			? wayOf(server.command)
			: {
					kind: "remote",
					url: server.url,
					mode: server.mode,
					headers: server.headers,
					leftOut: [],
				};
	const ours = objectOf(server.ours);
	const { plain, slots, secrets, blanks } = settle(
		way,
		server,
		objectOf(ours["slots"]),
		personal,
	);
	const leftOut = [
		...(way.kind === "remote"
			? [
					...way.leftOut,
					...Object.keys(server.env)
						.filter((key) => !isUsed(way.headers, key))
						.map((key) => `env.${key}`),
				]
			: Object.keys(server.headers).map((key) => `headers.${key}`)),
		...Object.keys(ours)
			.filter((key) => ![...OUR_FIELDS, "slots"].includes(key))
			.map((key) => `sallyport.${key}`),
	];
	return {
		slug,
		settings: {
			...settingsOf(slug, way, plain),
			...Object.fromEntries(
				Object.entries(ours).filter(([key]) => OUR_FIELDS.includes(key)),
			),
			slots,
			enabled: server.enabled,
		},
		secrets,
		blanks,
		leftOut: [...server.leftOut, ...namesOf(leftOut)],
	};
}

function settingsOf(
	slug: string,
	way: Way,
	plain: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
	if (way.kind === "remote")
		return { url: filled(slug, way.url), mode: way.mode, headers: plain };
	const program = filled(slug, way.kind === "npm" ? way.npm : way.command);
	const args = way.args.map((word) => filled(slug, word));
	refuseSecretArguments(slug, [program, ...args]);
	return { [way.kind]: program, args, env: plain };
}

/** Tells values, secrets and blanks apart. */
function settle(
	way: Way,
	server: ClientServer,
	ours: Readonly<Record<string, unknown>>,
	personal: boolean,
): Values {
	const injection = way.kind === "remote" ? "header" : "env";
	const given =
		way.kind === "remote"
			? mapped(way.headers, (value) => withVariables(value, server))
			: server.env;
	const plain: Record<string, string> = {};
	const slots: Slot[] = [];
	const secrets = new Map<string, string>();
	const blanks = new Map<string, string>();
	for (const [target, raw] of Object.entries(given)) {
		const value = raw.replaceAll(WITH_DEFAULT, "$1");
		const isSecret = isSecretName(target) || SECRET_WORD.test(target);
		const isBlank =
			BLANK.test(value) ||
			TO_FILL_IN.test(value.trim()) ||
			(isSecret && value.trim() === "");
		if (!isBlank && !isSecret && !looksSecret(value)) {
			plain[target] = value;
			continue;
		}
		const whole = WHOLE_BLANK.exec(value)?.[1] ?? "";
		const isFree = whole !== "" && slots.every((slot) => slot.name !== whole);
		const name = isFree ? whole : slotName(target);
		const own = objectOf(ours[name]);
		slots.push({
			name,
			injection,
			target,
			personal:
				typeof own["personal"] === "boolean" ? own["personal"] : personal,
			optional: own["optional"] === true,
		});
		if (isBlank) blanks.set(name, shownBlank(value));
		else secrets.set(name, value);
	}
	return { plain, slots, secrets, blanks };
}

/** mcp-remote fills its headers in from its own variables: that is where their secrets are. */
function withVariables(value: string, { env }: ClientServer): string {
	return value.replaceAll(/\$\{([A-Za-z_]\w*)\}/g, (blank, name: string) =>
		Object.hasOwn(env, name) ? (env[name] ?? blank) : blank,
	);
}

/** Whether a variable was filled in: then it is not lost. */
function isUsed(
	headers: Readonly<Record<string, string>>,
	variable: string,
): boolean {
	return Object.values(headers).some((value) =>
		value.includes(`\${${variable}}`),
	);
}

function mapped(
	values: Readonly<Record<string, string>>,
	change: (value: string) => string,
): Readonly<Record<string, string>> {
	return Object.fromEntries(
		Object.entries(values).map(([name, value]) => [name, change(value)]),
	);
}

/** What a person may see of a value with a blank: what is around it may be half a secret. */
function shownBlank(value: string): string {
	const [scheme = ""] = /^(?:bearer|basic|token) /i.exec(value) ?? [];
	const blanks = value.match(/\$\{[\w:. -]{1,60}\}|^<[^<>]{1,60}>$/g) ?? [];
	return blanks.length === 0 ? "" : scheme + blanks.join("…");
}

/** A text without blanks. @throws SallyportError `invalid` when only the client could fill one in */
function filled(slug: string, text: string): string {
	const value = text.replaceAll(WITH_DEFAULT, "$1");
	if (!BLANK.test(value)) return value;
	throw new SallyportError(
		"invalid",
		`its command or URL holds ${shownBlank(value)}, which only the client can fill in`,
		{
			hint: `write what it stands for into the file, or add it yourself: sallyport servers add ${slug} …`,
		},
	);
}

/** @param argv with the program: whole command lines for a shell stand in either */
function refuseSecretArguments(slug: string, argv: readonly string[]): void {
	for (const [at, word] of argv.entries()) {
		const found = secretIn(word, argv[at - 1] ?? "") ?? secretWithin(word);
		if (found === null) continue;
		throw new SallyportError(
			"invalid",
			`its ${at === 0 ? "command" : `argument ${at}`} ${found}, and arguments are kept in clear`,
			{
				hint: `see whether it takes it from a variable: sallyport servers add ${slug} … --slot NAME=env:NAME`,
			},
		);
	}
}

/** `sh -c "KEY=… npx …"`: an argument of several words. */
function secretWithin(word: string): string | null {
	const words = word.split(/\s+/).map((one) => one.replace(/^["']+/, ""));
	if (words.length === 1) return null;
	return (
		words
			.map((one, at) => secretIn(one, words[at - 1] ?? ""))
			.find((found) => found !== null) ?? null
	);
}

/** Why an argument seems to be secret; it is never repeated itself. */
function secretIn(word: string, before: string): string | null {
	const [, name = "", value = ""] =
		/^(-{0,2}[\w.-]+)(?:=|:\s*)(.+)$/s.exec(word) ?? [];
	if (isSecretFlag(name, value)) return `has a secret's name, ${name}`;
	if (/^-[^=]*$/.test(before) && !word.startsWith("-"))
		if (isSecretFlag(before, word)) return `is named as a secret by ${before}`;
	const query = URL.parse(word)?.searchParams.keys() ?? [];
	return KNOWN_SECRET.test(word) || [...query].some(isSecretName)
		? "looks like a secret"
		: null;
}

/** A flag that is named like a secret, but for numbers and places. */
function isSecretFlag(name: string, value: string): boolean {
	return (
		(isSecretName(name) || SECRET_WORD.test(name)) &&
		!ABOUT_A_SECRET.test(name) &&
		!/^(?:\d*|true|false)$/.test(value)
	);
}

function looksSecret(value: string): boolean {
	return KNOWN_SECRET.test(value) || RANDOM.test(value);
}

/** The flags of `servers add`, and the three that have a grammar of their own: headers, variables, slots. */
import { SallyportError } from "../errors.ts";
import { isSecretName, type Slot } from "../store/servers.ts";
import type { Context, Flag } from "./command.ts";

const SLOT_FLAG = "NAME=env:VAR|header:NAME[,personal|shared][,optional]";

/** Every flag of `servers add`. */
export const ADD_FLAGS: readonly Flag[] = [
	{ name: "url", value: "URL", summary: "a server on the network" },
	{
		name: "transport",
		value: "auto|http|sse",
		summary: "how to speak with that URL (auto finds out)",
	},
	{
		name: "header",
		value: "'K: V'",
		repeat: true,
		summary: "a header for that URL; never a secret",
	},
	{
		name: "npm",
		value: "PKG[@VERSION]",
		summary: "a server from npm, installed at an exact version",
	},
	{
		name: "command",
		value: "CMD",
		summary: "a program on this machine, run without a shell",
	},
	{
		name: "from-catalogue",
		value: "ID",
		summary: "a server of the catalogue (sallyport servers catalogue)",
	},
	{
		name: "env",
		value: "K=V",
		repeat: true,
		summary: "a variable for the program; never a secret",
	},
	{
		name: "slot",
		value: "NAME=env:VAR|header:NAME[,personal|shared][,optional]",
		repeat: true,
		summary: "a secret that the server needs, and where it goes",
	},
	{
		name: "access",
		value: "everyone|admins|USER,…",
		summary: "who may use it (everyone)",
	},
	{
		name: "tools",
		value: "NAME,…",
		summary: "the only tools that may be used (all)",
	},
	{
		name: "destructive",
		value: "on|off",
		summary: "tools that say they are destructive start so (on)",
	},
	{
		name: "pinning",
		value: "hold|auto|off",
		summary: "changed and new tools wait, new ones do not, nothing does (hold)",
	},
	{
		name: "result-limit",
		value: "BYTES|off",
		summary: "page results larger than this (off)",
	},
	{ name: "disabled", summary: "add it without starting it" },
];

/** The flags of `servers update`: what is given is changed. */
export const UPDATE_FLAGS: readonly Flag[] = ADD_FLAGS.filter(
	({ name }) => name !== "disabled",
).map((flag) =>
	flag.name === "tools"
		? {
				...flag,
				value: "NAME,…|all",
				summary: "the only tools that may be used",
			}
		: flag,
);

/** What was given on the command line, as the API takes it; what was not given is left out. */
export function addBody(
	context: Context,
	slug: string,
): Readonly<Record<string, unknown>> {
	return withoutUndefined({
		name: slug,
		...commonBody(context, slug),
		slots: readSlots(context.many("slot")),
		enabled: !context.has("disabled"),
	});
}

/** What `servers update` changes. @throws SallyportError `invalid` when that is nothing */
export function updateBody(
	context: Context,
	slug: string,
): Readonly<Record<string, unknown>> {
	const body = withoutUndefined({
		...commonBody(context, slug),
		slots: context.has("slot") ? readSlots(context.many("slot")) : undefined,
	});
	if (Object.keys(body).length === 0)
		throw new SallyportError("invalid", "nothing to change was given", {
			hint: "see sallyport servers update --help",
		});
	return body;
}

function commonBody(
	context: Context,
	slug: string,
): Readonly<Record<string, unknown>> {
	const tools = context.one("tools");
	const access = context.one("access");
	const destructive = context.one("destructive");
	const limit = context.one("result-limit");
	return {
		url: context.one("url"),
		mode: context.one("transport"),
		npm: context.one("npm"),
		command: context.one("command"),
		headers: context.has("header")
			? readPairs(slug, "header", context.many("header"))
			: undefined,
		env: context.has("env")
			? readPairs(slug, "env", context.many("env"))
			: undefined,
		args: context.rest.length > 0 ? context.rest : undefined,
		access: access === undefined ? undefined : accessValue(access),
		tools:
			tools === undefined
				? undefined
				: tools === "all"
					? null
					: splitList(tools),
		destructiveTools:
			destructive === undefined ? undefined : isOn("destructive", destructive),
		pinning: context.one("pinning"),
		resultBytesMax: limit === undefined ? undefined : resultLimit(limit),
	};
}

/** Who may use something: a word, or addresses with commas between them. */
export function accessValue(text: string): string | readonly string[] {
	return text === "everyone" || text === "admins" ? text : splitList(text);
}

/** A number of bytes, or null for `off`. @throws SallyportError `invalid` */
export function resultLimit(text: string): number | null {
	if (text === "off") return null;
	const bytes = Number(text);
	if (text.trim() !== "" && Number.isInteger(bytes)) return bytes;
	throw new SallyportError("invalid", "--result-limit is a number of bytes", {
		hint: "--result-limit 60000, or --result-limit off",
	});
}

function isOn(flag: string, text: string): boolean {
	if (text === "on" || text === "off") return text === "on";
	throw new SallyportError("invalid", `--${flag} is on or off`, {
		hint: `--${flag} on`,
	});
}

function withoutUndefined(
	body: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
	return Object.fromEntries(
		Object.entries(body).filter(([, value]) => value !== undefined),
	);
}

/**
 * Headers (`K: V`) or variables (`K=V`).
 * @throws SallyportError `invalid` when one is neither, stands twice, or has a name that says it is secret
 */
function readPairs(
	slug: string,
	kind: "header" | "env",
	texts: readonly string[],
): Readonly<Record<string, string>> {
	const separator = kind === "header" ? ":" : "=";
	const pairs = new Map<string, string>();
	for (const text of texts) {
		const at = text.indexOf(separator);
		// The text is never repeated: whatever it is, it may hold a secret.
		if (at < 1)
			throw new SallyportError("invalid", `a --${kind} has no name`, {
				hint: kind === "header" ? "--header 'Name: value'" : "--env NAME=value",
			});
		const name = text.slice(0, at).trim();
		if (isSecretName(name)) throw secretInClear(slug, kind, name);
		if (pairs.has(name))
			throw new SallyportError("invalid", `--${kind} ${name} stands twice`, {
				hint: "give it once",
			});
		pairs.set(
			name,
			kind === "header" ? text.slice(at + 1).trim() : text.slice(at + 1),
		);
	}
	return Object.fromEntries(pairs);
}

/** Slots, as `NAME=env:VAR,personal,optional`; shared unless it says personal. @throws SallyportError `invalid` */
function readSlots(texts: readonly string[]): readonly Slot[] {
	return texts.map(readSlot);
}

function readSlot(text: string): Slot {
	const match = /^([^=]+)=(env|header):([^,]+)((?:,[a-z]+)*)$/.exec(text);
	const words = match?.[4]?.split(",").slice(1) ?? [];
	const unknown = words.find(
		(word) => !["personal", "shared", "optional"].includes(word),
	);
	if (
		!match ||
		unknown !== undefined ||
		(words.includes("personal") && words.includes("shared"))
	)
		throw new SallyportError("invalid", "a --slot cannot be read", {
			hint: `--slot ${SLOT_FLAG}`,
		});
	return {
		name: match[1] as string,
		injection: match[2] as Slot["injection"],
		target: match[3] as string,
		personal: words.includes("personal"),
		optional: words.includes("optional"),
	};
}

function secretInClear(
	slug: string,
	kind: "header" | "env",
	name: string,
): SallyportError {
	const slot = name.replaceAll(/[^A-Za-z0-9]+/g, "_").toUpperCase();
	return new SallyportError(
		"invalid",
		`--${kind} ${name} looks like a secret, and would be kept in clear`,
		{
			hint: `use --slot ${slot}=${kind}:${name}, then: sallyport secrets set ${slug} ${slot} < FILE`,
		},
	);
}

/** A list with commas between its items. */
export function splitList(text: string): readonly string[] {
	return text
		.split(",")
		.map((part) => part.trim())
		.filter((part) => part !== "");
}

/**
 * What a client can be asked through the gateway, in one canonical form: elicitation, roots and sampling, each with
 * only the parts that we carry, and the extensions that we carry. Two clients with the same abilities are the same to
 * a server.
 *
 * @see specification 2025-11-25, basic/lifecycle ("Capability Negotiation"); 2026-07-28, basic ("_meta")
 */
import { objectOf, parseJson, textOf } from "../message.ts";
import { EXTENSION, META } from "../protocol.ts";
import type { Envelope } from "./envelope.ts";

/** Nothing can be asked. */
export const NO_CAPABILITIES = "{}";

const CARRIED: Readonly<Record<string, readonly string[]>> = {
	elicitation: ["form", "url"],
	roots: [],
	sampling: ["context", "tools"],
};

/** The canonical JSON of declared capabilities, whatever else they hold. */
function canonicalCapabilities(declared: unknown): string {
	const known = objectOf(declared);
	const kept = Object.entries(CARRIED).flatMap(([name, parts]) => {
		if (known[name] === undefined) return [];
		const inner = objectOf(known[name]);
		const own = parts.filter((part) => inner[part] !== undefined);
		return [[name, Object.fromEntries(own.map((part) => [part, {}]))] as const];
	});
	const extensions = carriedExtensions(known["extensions"]);
	return JSON.stringify({
		...Object.fromEntries(kept),
		...(Object.keys(extensions).length > 0 ? { extensions } : {}),
	});
}

/** The same of what a modern request declares, which its client says again with every other. */
export function declaredCapabilities(envelope: Envelope): string {
	const { params } = envelope;
	const declared = envelope.metaAt(META.clientCapabilities);
	if (!params || !declared || declared.end - declared.start === EMPTY_LENGTH)
		return NO_CAPABILITIES;
	const raw = textOf(params, declared);
	const known = remembered.get(raw);
	if (known !== undefined) return known;
	const made = canonicalCapabilities(parseJson(params, declared));
	if (remembered.size >= REMEMBERED_MAX) remembered.clear();
	if (raw.length <= REMEMBERED_LENGTH_MAX) remembered.set(raw, made);
	return made;
}

/** Of an object without members: most clients declare that. */
const EMPTY_LENGTH = 2;
/** By what was declared, as it was written. */
const remembered = new Map<string, string>();
/** Beyond these all are forgotten. */
const REMEMBERED_MAX = 200;
const REMEMBERED_LENGTH_MAX = 1000;

/**
 * The same for a legacy session: its client may also say unasked that its roots have changed, and cannot be handed a
 * task of the modern era, whatever it says.
 */
export function sessionCapabilities(declared: unknown): string {
	const { [EXTENSION.tasks]: _, ...extensions } = objectOf(
		objectOf(declared)["extensions"],
	);
	const canonical = canonicalCapabilities({
		...objectOf(declared),
		extensions,
	});
	return objectOf(objectOf(declared)["roots"])["listChanged"] === true
		? canonical.replace('"roots":{}', '"roots":{"listChanged":true}')
		: canonical;
}

/** Whether a server may have to tell such a client something, or be told by it, when a call is over. */
export function isTied(capabilities: string): boolean {
	return (
		capabilities.includes('"url":{}') || capabilities.includes('"listChanged"')
	);
}

/** Whether a client that declares all of these has them declared to servers too. */
export function carriesAll(required: unknown): boolean {
	const { extensions, ...others } = objectOf(required);
	return (
		Object.keys(others).every((name) => name in CARRIED) &&
		Object.keys(objectOf(extensions)).every(
			(name) => name === EXTENSION.tasks || name === EXTENSION.ui,
		)
	);
}

/** Types that a client may name for its pages; more are of no use to anybody. */
const MIME_TYPES_MAX = 8;
const MIME_TYPE_LENGTH_MAX = 100;

/** The extensions that we carry, of those that either end declares, each with the settings it is known to have. */
export function carriedExtensions(
	declared: unknown,
): Readonly<Record<string, unknown>> {
	const known = objectOf(declared);
	const mimeTypes = objectOf(known[EXTENSION.ui])["mimeTypes"];
	return {
		...(known[EXTENSION.tasks] === undefined ? {} : { [EXTENSION.tasks]: {} }),
		...(known[EXTENSION.ui] === undefined
			? {}
			: {
					[EXTENSION.ui]: Array.isArray(mimeTypes)
						? { mimeTypes: mimeTypes.filter(isShort).slice(0, MIME_TYPES_MAX) }
						: {},
				}),
	};
}

function isShort(value: unknown): value is string {
	return typeof value === "string" && value.length <= MIME_TYPE_LENGTH_MAX;
}

/** Whether somebody can be asked anything; extensions alone ask nobody. */
export function isAskable(capabilities: string): boolean {
	return (
		capabilities !== NO_CAPABILITIES &&
		!capabilities.startsWith('{"extensions"')
	);
}

/** Whether the client that declared this can be handed a task instead of a result. */
export function declaresTasks(capabilities: string): boolean {
	return capabilities.includes(`"${EXTENSION.tasks}"`);
}

/**
 * The envelope of what we send to a server: our own id, our own progress token, and for a modern server our own
 * reserved `_meta`. An envelope belongs to one hop, so what a client put into those places does not travel on; every
 * other byte of the params does, untouched.
 *
 * @see specification 2026-07-28, basic ("_meta"), and basic/utilities/progress
 */

import {
	digitsIn,
	type Edit,
	join,
	put,
	putNumber,
	splice,
	splicedSize,
	spliceInto,
	type Writable,
} from "../assembly.ts";
import { CLOSE_OBJECT } from "../bytes.ts";
import { skipSpace } from "../json.ts";
import {
	type Bytes,
	isObject,
	type Member,
	memberOf,
	membersOf,
	textOf,
	toBytes,
} from "../message.ts";
import {
	type Era,
	META,
	MODERN_REVISION,
	RESERVED_META_PREFIX,
} from "../protocol.ts";

export type Envelope = {
	readonly id: number;
	readonly method: string;
	readonly params: Bytes | null;
	readonly era: Era;
	/** Raw JSON; what the calling client can be asked through us. */
	readonly clientCapabilities: string;
	/** Raw JSON; what a modern server is told when the client's own `_meta` says nothing of it. */
	readonly logLevel?: string | undefined;
	/** Our own version, as the client we are. */
	readonly version: string;
};

/**
 * Wraps a request, whose bytes are written where they are sent.
 * @throws MalformedMessage when the params are not an object, or a member stands twice
 */
export function wrapRequest(envelope: Envelope): WrappedRequest {
	return new WrappedRequest(envelope, rewritten(envelope));
}

/** A class, because every call makes one. */
export class WrappedRequest implements Writable {
	readonly length: number;
	/** The client's own progress token as raw JSON; null when it wants no progress. */
	readonly progressToken: string | null;
	readonly #id: number;
	/** What stands between the id and the params. */
	readonly #middle: Bytes;
	readonly #params: Bytes;
	readonly #edits: readonly Edit[];

	constructor({ id, method }: Envelope, rewrite: Rewrite) {
		const { params, edits, progressToken } = rewrite;
		this.progressToken = progressToken;
		this.#id = id;
		this.#middle = middleOf(method, params.length > 0);
		this.#params = params;
		this.#edits = edits;
		this.length =
			START.length +
			digitsIn(id) +
			this.#middle.length +
			splicedSize(params, edits) +
			1;
	}

	writeTo(whole: Bytes, start: number): void {
		let at = start + put(whole, start, START);
		at += putNumber(whole, at, this.#id);
		at += put(whole, at, this.#middle);
		at = spliceInto(whole, at, this.#params, this.#edits);
		whole[at] = CLOSE_OBJECT;
	}
}

const START = toBytes('{"jsonrpc":"2.0","id":');

/** By method, with params and without. */
const middles = {
	with: new Map<string, Bytes>(),
	bare: new Map<string, Bytes>(),
};
/** Beyond these all are forgotten. */
const REMEMBERED_MAX = 200;

function middleOf(method: string, hasParams: boolean): Bytes {
	const known = hasParams ? middles.with : middles.bare;
	return (
		known.get(method) ?? remember(known, method, makeMiddle(method, hasParams))
	);
}

function makeMiddle(method: string, hasParams: boolean): Bytes {
	const middle = `,"method":${JSON.stringify(method)}`;
	return toBytes(hasParams ? `${middle},"params":` : middle);
}

/** Wraps a notification; its params travel as they are. */
export function wrapNotification(method: string, params: Bytes | null): Bytes {
	const head = `{"jsonrpc":"2.0","method":${JSON.stringify(method)}`;
	return params ? join([head, ',"params":', params, "}"]) : join([head, "}"]);
}

/** Tells a server to stop; null for `initialize`, which is never cancelled (basic/utilities/cancellation). */
export function wrapCancellation(request: {
	readonly id: number;
	readonly method: string;
}): Bytes | null {
	if (request.method === "initialize") return null;
	return wrapNotification(
		"notifications/cancelled",
		toBytes(`{"requestId":${request.id}}`),
	);
}

/** Wraps our answer to a request of the server; `id` is raw JSON. */
export function wrapAnswer(
	id: string,
	member: "result" | "error",
	body: Bytes | string,
): Bytes {
	return join(answerParts(id, member, body));
}

/** The same as parts, which are put together where they are sent. */
export function answerParts(
	id: string,
	member: "result" | "error",
	body: Bytes | string,
): readonly (Bytes | string)[] {
	return [START, id, ANSWER_MIDDLES[member], body, ANSWER_END];
}

/** What stands in front of the body of an answer. */
export function answerStart(id: string, member: "result" | "error"): Bytes {
	return join([START, id, ANSWER_MIDDLES[member]]);
}

const ANSWER_MIDDLES = {
	result: toBytes(',"result":'),
	error: toBytes(',"error":'),
};
/** What stands behind it. */
export const ANSWER_END = toBytes("}");

/** A progress notification with the client's own token in place of ours; null when it is not about `id`. */
export function restoreProgressToken(
	notification: Bytes,
	params: { readonly start: number },
	id: number,
	token: string,
): Bytes | null {
	const member = memberOf(notification, params.start, "progressToken");
	if (!member || textOf(notification, member) !== String(id)) return null;
	return splice(notification, [{ ...member, text: token }]);
}

/** How the params are sent. */
type Rewrite = {
	/** Empty: without. */
	readonly params: Bytes;
	readonly edits: readonly Edit[];
	readonly progressToken: string | null;
};

const NOTHING = new Uint8Array();
const EMPTY_OBJECT = toBytes("{}");
const NO_EDITS: readonly Edit[] = [];

function rewritten(envelope: Envelope): Rewrite {
	const { params, era } = envelope;
	const meta = params ? memberOf(params, 0, "_meta") : undefined;
	if (params && meta && isObject(params, meta.start))
		return rewrittenMeta(envelope, params, meta);
	if (era === "legacy")
		return { params: params ?? NOTHING, edits: NO_EDITS, progressToken: null };
	const own = ownMeta(envelope, envelope.logLevel);
	const whole = params ?? EMPTY_OBJECT;
	return {
		params: whole,
		edits: [withMeta(whole, meta, own)],
		progressToken: null,
	};
}

/** Puts `_meta` first among the params, or in the place of one that is none. */
function withMeta(params: Bytes, meta: Member | undefined, own: OwnMeta): Edit {
	if (meta) return { start: meta.start, end: meta.end, text: own.object };
	const isEmpty = params[skipSpace(params, 1)] === CLOSE_OBJECT;
	return { start: 1, end: 1, text: isEmpty ? own.member : own.first };
}

function rewrittenMeta(
	envelope: Envelope,
	params: Bytes,
	meta: Member,
): Rewrite {
	const entries = membersOf(params, meta.start);
	let kept = 0;
	let level: Member | null = null;
	for (const entry of entries)
		if (!isReserved(entry)) kept++;
		else if (entry.key === META.logLevel) level = entry;
	const own = ownMeta(
		envelope,
		level ? textOf(params, level) : envelope.logLevel,
	);
	if (kept === 0) {
		const { start, end } = meta;
		return {
			params,
			edits: [{ start, end, text: own.object }],
			progressToken: null,
		};
	}
	const token = entries.find(({ key }) => key === "progressToken");
	return {
		params,
		edits: keepingEdits(meta, entries, own, String(envelope.id)),
		progressToken: token ? textOf(params, token) : null,
	};
}

/** Puts our own members in the place of those that are not kept, and our progress token in that of the client's. */
function keepingEdits(
	meta: Member,
	entries: readonly Member[],
	own: OwnMeta,
	token: string,
): readonly Edit[] {
	const edits: Edit[] = [];
	const first = meta.start + 1;
	if (own.members.length > 0)
		edits.push({ start: first, end: first, text: own.members });
	const lastKept = entries.findLast((entry) => !isReserved(entry)) as Member;
	entries.forEach((entry, at) => {
		if (entry.key === "progressToken") edits.push({ ...entry, text: token });
		if (isReserved(entry) && entry.keyStart < lastKept.keyStart) {
			const next = entries[at + 1] as Member;
			edits.push({ start: entry.keyStart, end: next.keyStart, text: "" });
		}
	});
	// What is dropped after the last that stays goes together with the comma before it.
	const last = entries.at(-1);
	if (last && last !== lastKept)
		edits.push({ start: lastKept.end, end: last.end, text: "" });
	return edits;
}

function isReserved({ key }: Member): boolean {
	return key.startsWith(RESERVED_META_PREFIX);
}

/** Our reserved members for a modern server, ready for each place that they are put into; empty for a legacy one. */
type OwnMeta = {
	readonly version: string;
	/** As the whole `_meta`. */
	readonly object: Bytes;
	/** As the only param, and as the first of several. */
	readonly member: Bytes;
	readonly first: Bytes;
	/** In front of others in `_meta`. */
	readonly members: Bytes;
};

function ownMeta(
	{ era, clientCapabilities, version }: Envelope,
	logLevel: string | undefined,
): OwnMeta {
	if (era === "legacy") return LEGACY_META;
	const level = logLevel === undefined ? "" : `,"${META.logLevel}":${logLevel}`;
	const key = level + clientCapabilities;
	const known = ownMetas.get(key);
	if (known?.version === version) return known;
	const own = `${OWN_META}${clientCapabilities},"${META.clientInfo}":${clientInfo(version)}${level}`;
	return remember(ownMetas, key, metaOf(own, version));
}

function metaOf(own: string, version: string): OwnMeta {
	return {
		version,
		object: toBytes(`{${own}}`),
		member: toBytes(`"_meta":{${own}}`),
		first: toBytes(`"_meta":{${own}},`),
		members: toBytes(own === "" ? "" : `${own},`),
	};
}

const LEGACY_META = metaOf("", "");
/** By what is declared and wanted. */
const ownMetas = new Map<string, OwnMeta>();
const OWN_META = `"${META.protocolVersion}":"${MODERN_REVISION}","${META.clientCapabilities}":`;

function remember<T>(known: Map<string, T>, key: string, made: T): T {
	if (known.size >= REMEMBERED_MAX) known.clear();
	known.set(key, made);
	return made;
}

/** Who we are as a client, as raw JSON. */
export function clientInfo(version: string): string {
	return `{"name":"sallyport","version":"${version}"}`;
}

/**
 * The envelope of what we send to a server: our own id, our own progress token, and for a modern server our own
 * reserved `_meta`. An envelope belongs to one hop, so what a client put into those places does not travel on; every
 * other byte of the params does, untouched.
 *
 * @see specification 2026-07-28, basic ("_meta"), and basic/utilities/progress
 */
import { CLOSE_OBJECT } from "../bytes.ts";
import { skipSpace } from "../json.ts";
import {
	type Bytes,
	type Edit,
	isObject,
	join,
	type Member,
	memberOf,
	membersOf,
	splice,
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

export type Enveloped = {
	readonly bytes: Bytes;
	/** The client's own progress token as raw JSON; null when it wants no progress. */
	readonly progressToken: string | null;
};

/** Wraps a request. @throws MalformedMessage when the params are not an object, or a member stands twice */
export function wrapRequest(envelope: Envelope): Enveloped {
	const { params, progressToken } = rewriteParams(envelope);
	const head = `{"jsonrpc":"2.0","id":${envelope.id},"method":${JSON.stringify(envelope.method)}`;
	return {
		bytes: params
			? join([`${head},"params":`, params, "}"])
			: toBytes(`${head}}`),
		progressToken,
	};
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
	return join([`{"jsonrpc":"2.0","id":${id},"${member}":`, body, "}"]);
}

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

/** The params as they are sent. */
type Rewritten = {
	readonly params: Bytes | null;
	/** The client's own progress token. */
	readonly progressToken: string | null;
};

function rewriteParams(envelope: Envelope): Rewritten {
	const { params } = envelope;
	if (!params) {
		const own = ownMeta(envelope, envelope.logLevel);
		return {
			params: own === "" ? null : toBytes(`{"_meta":{${own}}}`),
			progressToken: null,
		};
	}
	const meta = memberOf(params, 0, "_meta");
	if (!meta || !isObject(params, meta.start)) {
		const own = ownMeta(envelope, envelope.logLevel);
		if (own === "") return { params, progressToken: null };
		const comma = params[skipSpace(params, 1)] === CLOSE_OBJECT ? "" : ",";
		const edit: Edit = meta
			? { start: meta.start, end: meta.end, text: `{${own}}` }
			: { start: 1, end: 1, text: `"_meta":{${own}}${comma}` };
		return { params: splice(params, [edit]), progressToken: null };
	}
	return rewriteMeta(envelope, params, meta);
}

function rewriteMeta(
	envelope: Envelope,
	params: Bytes,
	meta: Member,
): Rewritten {
	const entries = membersOf(params, meta.start);
	const kept: Member[] = [];
	let level: Member | null = null;
	for (const entry of entries)
		if (!entry.key.startsWith(RESERVED_META_PREFIX)) kept.push(entry);
		else if (entry.key === META.logLevel) level = entry;
	const own = ownMeta(
		envelope,
		level ? textOf(params, level) : envelope.logLevel,
	);
	if (kept.length === 0)
		return {
			params: splice(params, [
				{ start: meta.start, end: meta.end, text: `{${own}}` },
			]),
			progressToken: null,
		};
	return keepMeta(envelope, params, meta, entries, kept, own);
}

/** Puts our own members in the place of what is not kept. */
function keepMeta(
	envelope: Envelope,
	params: Bytes,
	meta: Member,
	entries: readonly Member[],
	kept: readonly Member[],
	own: string,
): Rewritten {
	const edits: Edit[] = [];
	if (own !== "")
		edits.push({
			start: meta.start + 1,
			end: meta.start + 1,
			text: `${own},`,
		});
	const token = kept.find(({ key }) => key === "progressToken");
	const lastKept = kept.at(-1);
	entries.forEach((entry, at) => {
		if (entry === token) edits.push({ ...entry, text: String(envelope.id) });
		if (kept.includes(entry)) return;
		if (lastKept && entry.keyStart < lastKept.keyStart) {
			const next = entries[at + 1] as Member;
			edits.push({ start: entry.keyStart, end: next.keyStart, text: "" });
		}
	});
	// What is dropped after the last that stays goes together with the comma before it.
	const last = entries.at(-1);
	if (last && last !== lastKept)
		edits.push({
			start: lastKept?.end ?? meta.start + 1,
			end: last.end,
			text: "",
		});
	return {
		params: splice(params, edits),
		progressToken: token ? textOf(params, token) : null,
	};
}

/** Our reserved members for a modern server, as JSON without the braces; nothing for a legacy one. */
function ownMeta(
	{ era, clientCapabilities, version }: Envelope,
	logLevel: string | undefined,
): string {
	if (era === "legacy") return "";
	const own = `${OWN_META}${clientCapabilities},"${META.clientInfo}":${clientInfo(version)}`;
	return logLevel === undefined ? own : `${own},"${META.logLevel}":${logLevel}`;
}

const OWN_META = `"${META.protocolVersion}":"${MODERN_REVISION}","${META.clientCapabilities}":`;

/** Who we are as a client, as raw JSON. */
export function clientInfo(version: string): string {
	return `{"name":"sallyport","version":"${version}"}`;
}

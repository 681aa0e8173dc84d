/**
 * Which era a request speaks, decided from the request alone.
 *
 * Modern: it carries the `_meta` envelope, or says so in `MCP-Protocol-Version`, or asks `server/discover`.
 * Legacy: everything else; `initialize` always. Headers must say what the body says, because an intermediary may
 * have acted on them.
 *
 * @see specification 2026-07-28, basic/versioning and basic/transports/streamable-http
 */

import type { HttpRequest } from "../http1/incoming.ts";
import { type Bytes, isObject } from "../message.ts";
import {
	ASSUMED_LEGACY_REVISION,
	type Era,
	HEADER,
	LEGACY_REVISIONS,
	META,
	MODERN_REVISION,
	RPC,
} from "../protocol.ts";
import {
	mirrorHeaders,
	NAMED_BY,
	type ParamHeaders,
} from "../upstream/mirror.ts";
import type { Envelope } from "./envelope.ts";
import { RpcError } from "./rpc.ts";

/** Every revision that is spoken here, the newest first. */
export const SUPPORTED_REVISIONS = [MODERN_REVISION, ...LEGACY_REVISIONS];

/**
 * The era of a request, checked.
 * @throws RpcError when a modern request lacks its envelope, asks for a revision we do not speak, or its headers
 * disagree with its body
 */
export function eraOf(
	envelope: Envelope,
	headers: HttpRequest["headers"],
): Era {
	const { method } = envelope;
	const claimed = envelope.meta(META.protocolVersion);
	const header = headers.get(HEADER.protocolVersion);
	// `initialize` without the modern envelope opens a legacy session, whatever a header says.
	if (method === "initialize" && claimed === undefined) return "legacy";
	if (
		claimed === undefined &&
		header !== MODERN_REVISION &&
		method !== "server/discover"
	) {
		requireLegacyRevision(header);
		return "legacy";
	}
	requireEnvelope(envelope);
	requireHeader(HEADER.protocolVersion, header, String(claimed));
	if (claimed !== MODERN_REVISION)
		throw new RpcError(
			RPC.unsupportedProtocolVersion,
			`the revision ${String(claimed).slice(0, 40)} is not supported`,
			{
				data: { supported: SUPPORTED_REVISIONS, requested: claimed },
				status: 400,
			},
		);
	requireHeader(HEADER.method, headers.get(HEADER.method), method);
	const name = routedName(envelope);
	if (name !== null)
		requireHeader(HEADER.name, decodeHeader(headers.get(HEADER.name)), name);
	return "modern";
}

/** The revision a legacy request speaks. */
function requireLegacyRevision(header: string | null): string {
	const version = header ?? ASSUMED_LEGACY_REVISION;
	if ((LEGACY_REVISIONS as readonly string[]).includes(version)) return version;
	throw new RpcError(
		RPC.invalidRequest,
		`the revision in ${HEADER.protocolVersion} is not supported`,
		{ data: { supported: SUPPORTED_REVISIONS }, status: 400 },
	);
}

/** Whether a request without a body (GET, DELETE) speaks the modern era, in which it means nothing. */
export function isModernHeader(headers: HttpRequest["headers"]): boolean {
	return headers.get(HEADER.protocolVersion) === MODERN_REVISION;
}

/** What `Mcp-Name` must repeat: the tool, prompt, resource or task that is asked for. */
function routedName(envelope: Envelope): string | null {
	const { method } = envelope;
	const key = NAMED_BY.get(method);
	const name = key === undefined ? undefined : envelope.param(key);
	return typeof name === "string" ? name : null;
}

function requireEnvelope(envelope: Envelope): void {
	const { params } = envelope;
	const declared = envelope.metaAt(META.clientCapabilities);
	const missing =
		typeof envelope.meta(META.protocolVersion) !== "string"
			? META.protocolVersion
			: !params || !declared || !isObject(params, declared.start)
				? META.clientCapabilities
				: null;
	if (missing === null) return;
	throw new RpcError(
		RPC.invalidParams,
		`params._meta must hold ${missing} in revision ${MODERN_REVISION}`,
		{ status: 400 },
	);
}

function requireHeader(
	name: string,
	value: string | null,
	expected: string,
): void {
	if (value === expected) return;
	throw new RpcError(
		RPC.headerMismatch,
		value === null
			? `the header ${name} is missing`
			: `the header ${name} does not say what the body says`,
		{ status: 400 },
	);
}

/**
 * The arguments that a tool marked with `x-mcp-header` must stand in the headers as they stand in the body.
 * @throws RpcError `-32020` when one is missing, different, or there without its argument
 */
export function requireMirrored(
	params: Bytes | null,
	marked: ParamHeaders,
	headers: HttpRequest["headers"],
): void {
	if (marked.length === 0) return;
	const expected = mirrorHeaders("tools/call", params, marked);
	for (const { header } of marked) {
		const name = `Mcp-Param-${header}`;
		const wanted = expected[name] ?? null;
		const given = headers.get(name);
		if (decodeHeader(given) === decodeHeader(wanted)) continue;
		throw new RpcError(
			RPC.headerMismatch,
			`the header ${name} does not say what the arguments say`,
			{ status: 400 },
		);
	}
}

/** A header value that is not plain ASCII travels as `=?base64?…?=` (SEP-2243); sloppy Base64 is no value at all. */
function decodeHeader(value: string | null): string | null {
	if (!value?.startsWith("=?")) return value;
	const encoded = /^=\?base64\?(.*)\?=$/.exec(value)?.[1];
	if (encoded === undefined) return value;
	const bytes = Buffer.from(encoded, "base64");
	return bytes.toString("base64") === encoded ? bytes.toString("utf8") : null;
}

/**
 * Which era a server is of, found out by talking to it, and what it says of itself.
 *
 * A modern server answers `server/discover`; any refusal that is not one of the modern era's own sends us to
 * `initialize`. Refused credentials and a server in trouble say nothing about its era and are failures.
 *
 * @see specification 2026-07-28, basic/versioning ("Compatibility"); 2025-11-25, basic/lifecycle
 */
import type { Abortable } from "../abort.ts";
import { MalformedMessage } from "../malformed.ts";
import { isRecord, objectOf, parseJson, toBytes } from "../message.ts";
import {
	isModernErrorCode,
	LATEST_LEGACY_REVISION,
	LEGACY_REVISIONS,
	META,
	MODERN_REVISION,
	RPC,
} from "../protocol.ts";
import type { Talk } from "./connection.ts";
import { clientInfo, wrapNotification } from "./envelope.ts";
import { LinkError, type Speaking } from "./link.ts";
import { READ_BYTES_MAX, wholeBody } from "./reply.ts";
import type { Reply, ServerFacts } from "./upstream.ts";

const MODERN: Speaking = { era: "modern", protocolVersion: MODERN_REVISION };
const UNAGREED: Speaking = { era: "legacy", protocolVersion: null };
const KNOWN_LEGACY: readonly string[] = [...LEGACY_REVISIONS, "2024-11-05"];
const INSTRUCTIONS_LENGTH_MAX = 64 * 1024;

/**
 * Asks a server as a modern one.
 * @returns its facts, or null when the answer is that of a legacy server
 * @throws LinkError when the answer says nothing about its era
 */
export async function discover(
	talk: Talk,
	signal: Abortable,
	timeoutMs: number,
): Promise<ServerFacts | null> {
	const ask = (): Promise<Reply> =>
		talk.request(
			{ method: "server/discover", params: null, signal },
			MODERN,
			timeoutMs,
		);
	let reply: Reply;
	let body: Readonly<Record<string, unknown>>;
	try {
		reply = await ask();
		body = await contentOf(reply);
		// A server that is one of several may not be the one that refused.
		if (reply.member === "error" && offersModern(body)) {
			reply = await ask();
			body = await contentOf(reply);
		}
	} catch (error) {
		if (isEraEvidence(error)) return null;
		throw error;
	}
	if (reply.member === "error") return judgeRefusal(body);
	const { supportedVersions, capabilities, instructions } = body;
	if (!Array.isArray(supportedVersions)) return null;
	if (!supportedVersions.includes(MODERN_REVISION)) {
		if (supportedVersions.some(isLegacy)) return null;
		throw strangeRevisions(supportedVersions);
	}
	return {
		era: "modern",
		protocolVersion: MODERN_REVISION,
		capabilities: objectOf(capabilities),
		serverInfo: objectOf(objectOf(body["_meta"])[META.serverInfo]),
		instructions: textIn(instructions),
	};
}

/** The legacy handshake. @throws LinkError */
export async function initialize(
	talk: Talk,
	signal: Abortable,
	timeoutMs: number,
): Promise<ServerFacts> {
	const params = toBytes(
		`{"protocolVersion":"${LATEST_LEGACY_REVISION}","capabilities":${talk.self.capabilities},"clientInfo":${clientInfo(talk.self.version)}}`,
	);
	const reply = await talk.request(
		{ method: "initialize", params, signal },
		UNAGREED,
		timeoutMs,
	);
	const body = await contentOf(reply);
	if (reply.member === "error")
		throw new LinkError("final", "the server refused to be initialised", {
			hint: "look at its log: sallyport servers logs SLUG",
		});
	const { protocolVersion, capabilities, serverInfo, instructions } = body;
	if (!isLegacy(protocolVersion)) throw strangeRevisions([protocolVersion]);
	await talk.link.notify(wrapNotification("notifications/initialized", null), {
		era: "legacy",
		protocolVersion,
	});
	return {
		era: "legacy",
		protocolVersion,
		capabilities: objectOf(capabilities),
		serverInfo: objectOf(serverInfo),
		instructions: textIn(instructions),
	};
}

/** Statuses with which a legacy server refuses what it does not know; 401, 403 and 5xx say nothing. */
export function isEraEvidence(error: unknown): boolean {
	if (!(error instanceof LinkError) || error.reach !== "final") return false;
	const { status } = error;
	if (status === undefined) return error.code === "upstream";
	return status < 300 || [400, 404, 405, 406, 415, 422].includes(status);
}

/** Whether a refusal of our revision names that very revision as one that it takes. */
function offersModern({
	code,
	data,
}: Readonly<Record<string, unknown>>): boolean {
	const { supported } = objectOf(data);
	return (
		code === RPC.unsupportedProtocolVersion &&
		Array.isArray(supported) &&
		supported.includes(MODERN_REVISION)
	);
}

/** Null when the error is any legacy server's; modern servers refuse with codes of their own. */
function judgeRefusal(error: Readonly<Record<string, unknown>>): null {
	const { code, data } = error;
	if (!isModernErrorCode(code)) return null;
	const { supported } = objectOf(data);
	if (code === RPC.unsupportedProtocolVersion && Array.isArray(supported)) {
		if (supported.some(isLegacy)) return null;
		throw strangeRevisions(supported);
	}
	throw new LinkError(
		"final",
		`the server refuses to say what it can do (${String(code)})`,
	);
}

function isLegacy(revision: unknown): revision is string {
	return typeof revision === "string" && KNOWN_LEGACY.includes(revision);
}

const REVISION = /^[\w.-]{1,32}$/;

function strangeRevisions(revisions: readonly unknown[]): LinkError {
	const named = revisions
		.filter((each) => typeof each === "string" && REVISION.test(each))
		.slice(0, 8)
		.join(", ");
	return new LinkError(
		"final",
		`the server speaks only revisions that we do not know (${named || "unnamed"})`,
		{ hint: "upgrade sallyport, or the server" },
	);
}

/** A small body, parsed. @throws LinkError when it is not an object */
async function contentOf(
	reply: Reply,
): Promise<Readonly<Record<string, unknown>>> {
	const bytes = await wholeBody(reply.body, READ_BYTES_MAX);
	try {
		const value = parseJson(bytes);
		if (isRecord(value)) return value;
	} catch (error) {
		if (!(error instanceof MalformedMessage)) throw error;
	}
	throw new LinkError(
		"final",
		"the server answered with something that is not an MCP message",
	);
}

function textIn(value: unknown): string | undefined {
	return typeof value === "string"
		? value.slice(0, INSTRUCTIONS_LENGTH_MAX)
		: undefined;
}

/**
 * A server's refusal in the codes of its client's era. Some codes speak of one hop alone, and would have a client mend
 * headers, a revision or capabilities that are not its own; some an era must not say any more. Only the code changes:
 * message and data are the server's.
 *
 * @see specification 2026-07-28, basic ("Error Codes"); 2025-11-25, server/resources ("Error Handling")
 */
import { splice } from "../assembly.ts";
import {
	type Bytes,
	isObject,
	memberOf,
	objectOf,
	parseJson,
	textOf,
} from "../message.ts";
import { type Era, isModernErrorCode, RPC } from "../protocol.ts";
import { carriesAll } from "./capabilities.ts";

/** Between whom a refusal passes, and to what. */
export type Passage = {
	readonly client: Era;
	readonly server: Era;
	readonly method: string;
};

/** The error with the code that its client may take at its word. */
export function refusalFor(passage: Passage, error: Bytes): Bytes {
	if (!isObject(error, 0)) return error;
	const code = memberOf(error, 0, "code");
	if (!code) return error;
	const said = textOf(error, code);
	const becomes = String(codeFor(passage, Number(said), error));
	return becomes === said || Number.isNaN(Number(said))
		? error
		: splice(error, [{ ...code, text: becomes }]);
}

function codeFor(
	{ client, server, method }: Passage,
	code: number,
	error: Bytes,
): number {
	const isRead = method === "resources/read";
	if (client === "legacy") {
		// What an older server means by a code of the modern range, its client knows.
		if (server === "legacy") return code;
		if (isRead && code === RPC.invalidParams) return RPC.resourceNotFound;
		return isModernErrorCode(code) ? RPC.internalError : code;
	}
	if (code === RPC.resourceNotFound)
		return isRead ? RPC.invalidParams : RPC.internalError;
	if (code === RPC.missingClientCapability && server === "modern")
		return isForClient(error) ? code : RPC.internalError;
	return code === RPC.urlElicitationRequired || isModernErrorCode(code)
		? RPC.internalError
		: code;
}

/** Whether a client could declare what is missing, and be heard: the server sees only what we carry. */
function isForClient(error: Bytes): boolean {
	const data = memberOf(error, 0, "data");
	const { requiredCapabilities } = objectOf(data && parseJson(error, data));
	return carriesAll(requiredCapabilities);
}

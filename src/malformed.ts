/** Bytes that are no message: what is said of them, and with which code. */

/** Nesting deeper than this is refused: no MCP message needs it, and recursion elsewhere must not be provoked. */
export const DEPTH_MAX = 256;

/** The text is not JSON, or not an object where one is needed; `reason` is in our words and safe to show. */
export class MalformedMessage extends Error {
	readonly code: -32700 | -32600;
	constructor(code: -32700 | -32600, reason: string) {
		super(reason);
		this.name = "MalformedMessage";
		this.code = code;
	}
}

export function notJson(): MalformedMessage {
	return new MalformedMessage(-32700, "the message is not JSON");
}

export function tooDeep(): MalformedMessage {
	return new MalformedMessage(-32600, "the message is nested too deeply");
}

/**
 * Failures that people can act on.
 *
 * A `SallyportError` says what happened (`message`) and what to do about it (`hint`). Its `code` is the
 * contract: the one table here maps it to an HTTP status and to an exit code of the command line.
 * Anything else that is thrown is a bug: it is logged whole, and the world sees "internal error" and a request id.
 */

const CODES = {
	invalid: { status: 400, exit: 2 },
	unauthorized: { status: 401, exit: 4 },
	forbidden: { status: 403, exit: 4 },
	not_found: { status: 404, exit: 3 },
	conflict: { status: 409, exit: 5 },
	too_large: { status: 413, exit: 2 },
	too_many: { status: 429, exit: 6 },
	internal: { status: 500, exit: 1 },
	upstream: { status: 502, exit: 7 },
	unavailable: { status: 503, exit: 6 },
	/** A check found a failure: what `doctor` and `verify` end with. */
	unsound: { status: 500, exit: 8 },
} as const;

export type ErrorCode = keyof typeof CODES;

/** An expected failure: stable code, what happened, and what to do. */
export class SallyportError extends Error {
	readonly code: ErrorCode;
	readonly hint: string | undefined;

	constructor(
		code: ErrorCode,
		message: string,
		options: { hint?: string; cause?: unknown } = {},
	) {
		super(
			message,
			options.cause === undefined ? undefined : { cause: options.cause },
		);
		this.name = "SallyportError";
		this.code = code;
		this.hint = options.hint;
	}
}

/** The HTTP status that stands for a code. */
export function httpStatus(code: ErrorCode): number {
	return CODES[code].status;
}

/** The exit code of the command line that stands for a code (contract.md 2). */
export function exitCode(code: ErrorCode): number {
	return CODES[code].exit;
}

/** Reads a code that came over the wire; an unknown one is `internal`. */
export function parseErrorCode(value: unknown): ErrorCode {
	return typeof value === "string" && value in CODES
		? (value as ErrorCode)
		: "internal";
}

const DISK_FULL = new Set(["SQLITE_FULL", "ENOSPC", "EDQUOT"]);

/** The failure that a thrown value is, if it is one that people can act on; null: it is a bug. */
export function asExpected(error: unknown): SallyportError | null {
	if (error instanceof SallyportError) return error;
	const code = (error as { readonly code?: unknown } | null)?.code;
	if (typeof code !== "string" || !DISK_FULL.has(code)) return null;
	return new SallyportError("unavailable", "the disk is full", {
		hint: "make room where the gateway keeps its data, and try again",
		cause: error,
	});
}

/** What any thrown value says of itself, for a log line; never for the world. */
export function describeError(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

/** A message or a hint as a page says it: those begin in lower case and end without a full stop, as a terminal speaks. */
export function sentence(text: string): string {
	const capital = text.charAt(0).toUpperCase() + text.slice(1);
	return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

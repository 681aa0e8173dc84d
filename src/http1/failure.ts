/**
 * What goes wrong between two that speak HTTP/1.1: a request of ours that got no answer, and what arrives, on either
 * side, and is no HTTP. No message says what was called: the caller knows, and where a server lives may be nobody else's
 * business.
 */
import { SallyportError } from "../errors.ts";

/**
 * `unsent`: the server did not get it. `lost`: nobody knows whether it did. `late`: it did not answer in time.
 * What was answered and is no HTTP is a plain SallyportError: to ask again would change nothing.
 */
export class EgressError extends SallyportError {
	readonly reach: "unsent" | "lost" | "late";

	constructor(reach: EgressError["reach"], message: string, hint: string) {
		super("upstream", message, { hint });
		this.name = "EgressError";
		this.reach = reach;
	}
}

/** No connection came about. */
export function unreachable(reason: string): EgressError {
	return new EgressError(
		"unsent",
		`cannot be reached: ${reason}`,
		"check the URL, and that the server is running",
	);
}

/** The connection ended before the answer did. */
export function brokenOff(): EgressError {
	return new EgressError(
		"lost",
		"the connection broke before the answer was complete",
		"check that the server is running",
	);
}

export function late(timeoutMs: number): EgressError {
	return new EgressError(
		"late",
		`did not answer within ${Math.ceil(timeoutMs / 1000)} s`,
		"check that the server is running and not overloaded",
	);
}

/** What arrived is not HTTP/1.1, or could be read in two ways. */
export class Malformed extends Error {
	/** Whose it is depends on who reads. */
	readonly fault: string;

	/** What a client is answered with. */
	readonly status: number;

	/** @param fault in our words: what was written is never quoted */
	constructor(fault: string, status = 400) {
		super(fault);
		this.name = "Malformed";
		this.fault = fault;
		this.status = status;
	}
}

/** The server speaks, but not HTTP as it should be. @param fault in our words */
export function malformed(fault: string): SallyportError {
	return new SallyportError(
		"upstream",
		`the server's answer is not HTTP/1.1: ${fault}`,
		{ hint: "check that the URL is the server's MCP endpoint" },
	);
}

export function abandoned(): SallyportError {
	return new SallyportError("unavailable", "the request was cancelled");
}

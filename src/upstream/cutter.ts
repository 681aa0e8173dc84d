/**
 * Cuts the `result` (or `error`) member out of a JSON-RPC response while it still arrives.
 *
 * Large answers are handed on as they come, so the gateway never holds one whole. The cut is exact: strings are
 * jumped over, brackets are counted and matched, and whatever stands around the member must be a response to the
 * request that was sent. When the id comes after the result, a wrong one is found only at the end; then `finish`
 * throws, and the receiver's stream breaks instead of ending.
 *
 * @see https://www.jsonrpc.org/specification 5
 */
import {
	type Bytes,
	DEPTH_MAX,
	join,
	MalformedMessage,
	parseJson,
} from "../message.ts";

export type Cutter = {
	/** Which member it is, once that is known. */
	readonly member: () => "result" | "error" | null;
	/** Takes a chunk and gives the part of it that belongs to the member. @throws MalformedMessage */
	readonly push: (chunk: Bytes) => readonly Bytes[];
	/** The answer has ended. @throws MalformedMessage when it was not whole, or not the answer to this request */
	readonly finish: () => void;
};

/** What stands around the member is an envelope: small. */
const ENVELOPE_BYTES_MAX = 64 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

type State =
	| "start"
	| "key-or-end"
	| "key"
	| "colon"
	| "value"
	| "comma"
	| "done";

/** A cutter for the response to the request with this id, as raw JSON. */
export function createCutter(id: string): Cutter {
	let state: State = "start";
	let member: "result" | "error" | null = null;
	let key: string | null = null;
	let idSeen = false;
	let versionSeen = false;
	let value: ValueScan | null = null;
	let held: Bytes[] = [];
	let heldBytes = 0;

	const hold = (part: Bytes): void => {
		heldBytes += part.length;
		if (heldBytes > ENVELOPE_BYTES_MAX)
			throw new MalformedMessage(-32600, "the message's envelope is too large");
		held.push(part);
	};
	const take = (): Bytes => {
		const whole = join(held);
		held = [];
		return whole;
	};

	const begin = (name: string): void => {
		if (name === "result" || name === "error") {
			if (member) throw broken("a response has one result or one error");
			member = name;
		}
		key = name;
		value = createValueScan();
		state = "value";
	};
	const end = (): void => {
		const raw = take();
		if (key === "id") {
			if (idSeen || String.fromCharCode(...raw) !== id)
				throw broken("the response is to another request");
			idSeen = true;
		}
		if (key === "jsonrpc") {
			if (versionSeen || parseJson(raw) !== "2.0")
				throw broken('the message must say "jsonrpc": "2.0"');
			versionSeen = true;
		}
		value = null;
		state = "comma";
	};

	/** Inside a value (or key): how far it reaches in this chunk. */
	const scan = (chunk: Bytes, at: number, out: Bytes[]): number => {
		const current = value as ValueScan;
		const stop = current.push(chunk, at);
		const part = chunk.subarray(at, stop);
		const streamed = state === "value" && (key === "result" || key === "error");
		if (streamed) {
			if (part.length > 0) out.push(part);
		} else hold(part);
		if (!current.ended()) return stop;
		if (state === "value") end();
		else {
			key = String(parseJson(take()));
			value = null;
			state = "colon";
		}
		return stop;
	};

	const step = (byte: number): void => {
		switch (state) {
			case "start":
				if (byte !== 0x7b) throw broken("the message is not a JSON object");
				state = "key-or-end";
				return;
			case "key-or-end":
			case "comma":
				if (byte === 0x7d) state = "done";
				else if (state === "comma" && byte === 0x2c) state = "key";
				else throw broken();
				return;
			case "colon":
				if (byte !== 0x3a) throw broken();
				begin(key as string);
				return;
			default:
				throw broken("there is text after the message");
		}
	};

	return {
		member: () => member,
		push: (chunk) => {
			const out: Bytes[] = [];
			let at = 0;
			while (at < chunk.length) {
				if (value && (value.started() || !isSpace(chunk[at] as number))) {
					at = scan(chunk, at, out);
					continue;
				}
				const byte = chunk[at] as number;
				if (isSpace(byte)) {
					at++;
					continue;
				}
				if (byte === QUOTE && (state === "key-or-end" || state === "key")) {
					state = "key";
					value = createValueScan();
					continue;
				}
				step(byte);
				at++;
			}
			return out;
		},
		finish: () => {
			if (state !== "done" || !member || !versionSeen) throw broken();
			if (!idSeen) throw broken("the response does not say what it answers");
		},
	};
}

type ValueScan = {
	readonly started: () => boolean;
	readonly ended: () => boolean;
	/** Scans from `at`; gives where the value ends in this chunk, or the chunk's length. */
	readonly push: (chunk: Bytes, at: number) => number;
};

/** Follows one JSON value over chunks: nesting, strings and their escapes. */
function createValueScan(): ValueScan {
	let started = false;
	let ended = false;
	let inString = false;
	let escaped = false;
	const closers: number[] = [];

	/** Scans inside a string; gives where it ends, or the chunk's length. */
	const string = (chunk: Bytes, start: number): number => {
		let at = start;
		if (escaped) {
			escaped = false;
			at++;
		}
		while (at < chunk.length) {
			const quote = chunk.indexOf(QUOTE, at);
			const stop = quote < 0 ? chunk.length : quote;
			let slashes = 0;
			while (
				stop - 1 - slashes >= at &&
				chunk[stop - 1 - slashes] === BACKSLASH
			)
				slashes++;
			const odd = slashes % 2 === 1;
			if (quote < 0) {
				escaped = odd;
				return stop;
			}
			at = quote + 1;
			if (!odd) {
				inString = false;
				ended = closers.length === 0;
				return at;
			}
		}
		return at;
	};

	const push = (chunk: Bytes, start: number): number => {
		let at = start;
		while (at < chunk.length) {
			if (inString) {
				at = string(chunk, at);
				if (ended) return at;
				continue;
			}
			const byte = chunk[at] as number;
			if (started && closers.length === 0) {
				// a number, true, false or null: it ends before what cannot be part of it
				if (isSpace(byte) || byte === 0x2c || byte === 0x7d || byte === 0x5d) {
					ended = true;
					return at;
				}
				if (!isScalar(byte)) throw broken();
				at++;
				continue;
			}
			started = true;
			at++;
			if (byte === QUOTE) inString = true;
			else if (byte === 0x7b) open(0x7d);
			else if (byte === 0x5b) open(0x5d);
			else if (byte === 0x7d || byte === 0x5d) {
				if (closers.pop() !== byte) throw broken();
				if (closers.length === 0) {
					ended = true;
					return at;
				}
			} else if (closers.length === 0 && !isScalar(byte)) throw broken();
		}
		return at;
	};
	const open = (closer: number): void => {
		if (closers.push(closer) > DEPTH_MAX)
			throw broken("the message is nested too deeply");
	};
	return { started: () => started, ended: () => ended, push };
}

function isSpace(byte: number): boolean {
	return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isScalar(byte: number): boolean {
	return (
		(byte >= 0x30 && byte <= 0x39) ||
		(byte >= 0x61 && byte <= 0x7a) ||
		byte === 0x2b ||
		byte === 0x2d ||
		byte === 0x2e ||
		byte === 0x45
	);
}

function broken(reason = "the message is not JSON"): MalformedMessage {
	return new MalformedMessage(-32600, reason);
}

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

import { join } from "../assembly.ts";
import { CLOSE_OBJECT, COLON, COMMA, OPEN_OBJECT, QUOTE } from "../bytes.ts";
import { isSpace } from "../json.ts";
import { MalformedMessage, notJson } from "../malformed.ts";
import { type Bytes, parseJson } from "../message.ts";
import { createValueScan, type ValueScan } from "../value-scan.ts";

export type Cutter = {
	/** Which member it is, once that is known. */
	readonly member: () => "result" | "error" | null;
	/** How many bytes stand around the member at the least: those in front of it that were seen, and the last one. */
	readonly around: () => number;
	/** Takes a chunk and gives the part of it that belongs to the member. @throws MalformedMessage */
	readonly push: (chunk: Bytes) => readonly Bytes[];
	/** The answer has ended. @throws MalformedMessage when it was not whole, or not the answer to this request */
	readonly finish: () => void;
};

/** What stands around the member is an envelope: small. */
const ENVELOPE_BYTES_MAX = 64 * 1024;

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
	/** Bytes of the chunks before this one, and those in front of the member's value. */
	let passed = 0;
	let front = 0;
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
			if (member) throw invalid("a response has one result or one error");
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
				throw invalid("the response is to another request");
			idSeen = true;
		}
		if (key === "jsonrpc") {
			if (versionSeen || parseJson(raw) !== "2.0")
				throw invalid('the message must say "jsonrpc": "2.0"');
			versionSeen = true;
		}
		value = null;
		state = "comma";
	};

	/** Inside a value (or key): how far it reaches in this chunk. */
	const scan = (chunk: Bytes, at: number, out: Bytes[]): number => {
		const current = value as ValueScan;
		const isStarting = !current.started();
		const stop = current.push(chunk, at);
		const part = chunk.subarray(at, stop);
		const streamed = state === "value" && (key === "result" || key === "error");
		if (streamed) {
			if (isStarting) front = passed + at;
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
				if (byte !== OPEN_OBJECT)
					throw invalid("the message is not a JSON object");
				state = "key-or-end";
				return;
			case "key-or-end":
			case "comma":
				if (byte === CLOSE_OBJECT) state = "done";
				else if (state === "comma" && byte === COMMA) state = "key";
				else throw notJson();
				return;
			case "colon":
				if (byte !== COLON) throw notJson();
				begin(key as string);
				return;
			default:
				throw new MalformedMessage(-32700, "there is text after the message");
		}
	};

	return {
		member: () => member,
		around: () => front + 1,
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
			passed += chunk.length;
			return out;
		},
		finish: () => {
			if (state !== "done" || !member || !versionSeen) throw notJson();
			if (!idSeen) throw invalid("the response does not say what it answers");
		},
	};
}

function invalid(reason: string): MalformedMessage {
	return new MalformedMessage(-32600, reason);
}

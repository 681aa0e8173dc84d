/**
 * What a client's message asks: its method, and its params as bytes that were looked through once. A param is read
 * where it stands when somebody wants to know it; arguments nobody here does.
 */
import { MalformedMessage } from "../malformed.ts";
import {
	type Bytes,
	isObject,
	type Member,
	membersOf,
	type Range,
	valueIn,
} from "../message.ts";

const NONE: readonly Member[] = [];

/** A class, because every call makes one. */
export class Envelope {
	readonly method: string;
	/** The params' own bytes. */
	readonly params: Bytes | null;
	readonly #members: readonly Member[];
	readonly #meta: readonly Member[];

	/** @throws MalformedMessage when a param stands twice, or `_meta` is no object or holds something twice */
	constructor(method: string, params: Bytes | null) {
		this.method = method;
		this.params = params;
		this.#members = params ? membersOf(params, 0) : NONE;
		const meta = memberIn(this.#members, "_meta");
		if (params && meta && !isObject(params, meta.start))
			throw new MalformedMessage(-32600, "params._meta must be an object");
		this.#meta = params && meta ? membersOf(params, meta.start) : NONE;
	}

	/** A param; undefined when it is not there. */
	param(key: string): unknown {
		return this.#valueOf(memberIn(this.#members, key));
	}

	/** A member of `_meta`, likewise. */
	meta(key: string): unknown {
		return this.#valueOf(this.metaAt(key));
	}

	/** Where it stands in the params. */
	metaAt(key: string): Range | undefined {
		return memberIn(this.#meta, key);
	}

	#valueOf(range: Range | undefined): unknown {
		return this.params && range ? valueIn(this.params, range) : undefined;
	}
}

function memberIn(members: readonly Member[], key: string): Member | undefined {
	for (const member of members) if (member.key === key) return member;
	return undefined;
}

/** Answers a DNS question about addresses, as the bytes of RFC 1035 4. Knows A and AAAA, and that a name is not there. */

const TYPES = { A: 1, AAAA: 28 } as const;
const HEADER_BYTES = 12;
const NAME_ERROR = 3;

export type Question = {
	readonly name: string;
	readonly type: "A" | "AAAA" | "other";
};

/** The one question of a query. */
export function parseQuestion(query: Uint8Array): Question {
	const { name, end } = readName(query);
	const code = ((query[end] ?? 0) << 8) | (query[end + 1] ?? 0);
	return {
		name,
		type: code === TYPES.A ? "A" : code === TYPES.AAAA ? "AAAA" : "other",
	};
}

/** @param addresses null: there is no such name; none: there is, but not of this type */
export function encodeAnswer(
	query: Uint8Array,
	addresses: readonly string[] | null,
): Uint8Array {
	const { type } = parseQuestion(query);
	const wanted = (addresses ?? []).filter(
		(address) =>
			type !== "other" && address.includes(":") === (type === "AAAA"),
	);
	const question = query.subarray(HEADER_BYTES, readName(query).end + 4);
	const header = Buffer.alloc(HEADER_BYTES);
	header.set(query.subarray(0, 2));
	header.writeUInt16BE(0x8180 | (addresses === null ? NAME_ERROR : 0), 2);
	header.writeUInt16BE(1, 4);
	header.writeUInt16BE(wanted.length, 6);
	return Buffer.concat([header, question, ...wanted.map(encodeRecord)]);
}

/** A record of the name that was asked for, which nobody may keep. */
function encodeRecord(address: string): Uint8Array {
	const data = address.includes(":")
		? bytesOfIpv6(address)
		: address.split(".").map(Number);
	const type = address.includes(":") ? TYPES.AAAA : TYPES.A;
	return Buffer.from([
		0xc0,
		HEADER_BYTES,
		0,
		type,
		0,
		1,
		0,
		0,
		0,
		0,
		0,
		data.length,
		...data,
	]);
}

function bytesOfIpv6(address: string): readonly number[] {
	const [head = "", tail = ""] = address.split("::");
	const groups = (text: string): number[] =>
		text === ""
			? []
			: text.split(":").map((group) => Number.parseInt(group, 16));
	const [left, right] = [groups(head), groups(tail)];
	const zeros = Array.from({ length: 8 - left.length - right.length }, () => 0);
	return [...left, ...zeros, ...right].flatMap((group) => [
		group >> 8,
		group & 255,
	]);
}

function readName(query: Uint8Array): {
	readonly name: string;
	readonly end: number;
} {
	const labels: string[] = [];
	let at = HEADER_BYTES;
	for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
		labels.push(
			Buffer.from(query.subarray(at + 1, at + 1 + length)).toString("latin1"),
		);
		at += 1 + length;
	}
	return { name: labels.join(".").toLowerCase(), end: at + 1 };
}

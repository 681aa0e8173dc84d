/**
 * Answers a DNS question as the bytes of RFC 1035 4. Knows A, AAAA and CAA (RFC 8659), that a name is not there, and how
 * to fail; and a server on loopback that answers so.
 */

const TYPES = { A: 1, AAAA: 28, CAA: 257 } as const;
const HEADER_BYTES = 12;
const SERVER_FAILURE = 2;
const NAME_ERROR = 3;

export type Question = {
	readonly name: string;
	readonly type: keyof typeof TYPES | "other";
};

/** The one question of a query. */
export function parseQuestion(query: Uint8Array): Question {
	const { name, end } = readName(query);
	const code = ((query[end] ?? 0) << 8) | (query[end + 1] ?? 0);
	return {
		name,
		type:
			(Object.keys(TYPES) as (keyof typeof TYPES)[]).find(
				(name) => TYPES[name] === code,
			) ?? "other",
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
			(type === "A" || type === "AAAA") &&
			address.includes(":") === (type === "AAAA"),
	);
	return encode(
		query,
		addresses === null ? NAME_ERROR : 0,
		wanted.map((address) =>
			recordOf(type === "AAAA" ? "AAAA" : "A", bytesOf(address)),
		),
	);
}

function encode(
	query: Uint8Array,
	code: number,
	records: readonly Uint8Array[],
): Uint8Array {
	const question = query.subarray(HEADER_BYTES, readName(query).end + 4);
	const header = Buffer.alloc(HEADER_BYTES);
	header.set(query.subarray(0, 2));
	header.writeUInt16BE(0x8180 | code, 2);
	header.writeUInt16BE(1, 4);
	header.writeUInt16BE(records.length, 6);
	return Buffer.concat([header, question, ...records]);
}

/** A record of the name that was asked for, which nobody may keep. */
function recordOf(
	type: keyof typeof TYPES,
	data: readonly number[],
): Uint8Array {
	return Buffer.from([
		0xc0,
		HEADER_BYTES,
		TYPES[type] >> 8,
		TYPES[type] & 255,
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

function bytesOf(address: string): readonly number[] {
	return address.includes(":")
		? bytesOfIpv6(address)
		: address.split(".").map(Number);
}

function bytesOfCaa([tag, value]: readonly [
	string,
	string,
]): readonly number[] {
	return [0, tag.length, ...Buffer.from(tag), ...Buffer.from(value)];
}

/** What a name server of a test knows: names that are not there are not, `fails` is what it is broken for. */
export type Zone = Readonly<
	Record<
		string,
		| {
				readonly addresses?: readonly string[];
				readonly caa?: readonly (readonly [tag: string, value: string])[];
		  }
		| "fails"
	>
>;

export type NameServer = {
	/** `127.0.0.1:port` */
	readonly at: string;
	readonly set: (zone: Zone) => void;
	readonly stop: () => void;
};

/** A name server on loopback. */
export async function startNameServer(zone: Zone = {}): Promise<NameServer> {
	let known = zone;
	const answer = (query: Uint8Array): Uint8Array => {
		const { name, type } = parseQuestion(query);
		const entry = known[name];
		if (entry === "fails") return encode(query, SERVER_FAILURE, []);
		if (type !== "CAA")
			return encodeAnswer(query, entry?.addresses ?? (entry ? [] : null));
		const records = (entry?.caa ?? []).map((pair) =>
			recordOf("CAA", bytesOfCaa(pair)),
		);
		return encode(query, entry ? 0 : NAME_ERROR, records);
	};
	const socket = await Bun.udpSocket({
		hostname: "127.0.0.1",
		port: 0,
		socket: {
			data: (self, query, port, address) =>
				void self.send(answer(query), port, address),
		},
	});
	return {
		at: `127.0.0.1:${socket.port}`,
		set: (next) => {
			known = next;
		},
		stop: () => socket.close(),
	};
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

/**
 * Recognisable secrets, and the search for them in everything that a run leaves behind. A hit counts in clear,
 * in base64 at any of its three offsets, in hex, percent-encoded, and in UTF-16.
 */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export type Hit = {
	readonly where: string;
	readonly canary: string;
	readonly form: string;
};

export type Canaries = {
	/** A new secret under this name. */
	readonly make: (name: string) => string;
	/** A secret that somebody else made (a token) under this name. */
	readonly add: (name: string, secret: string) => void;
	/** Every hit in these texts and in all files under these directories. */
	readonly search: (places: {
		readonly directories?: readonly string[];
		readonly texts?: Readonly<Record<string, string>>;
	}) => readonly Hit[];
	readonly names: () => readonly string[];
};

/** Below this a secret would be found by chance. */
const LENGTH_MIN = 11;

/** A flock of canaries for one run. */
export function createCanaries(): Canaries {
	const secrets = new Map<string, string>();
	const add = (name: string, secret: string): void => {
		if (secret.length < LENGTH_MIN)
			throw new Error(`the canary ${name} is too short`);
		secrets.set(name, secret);
	};
	return {
		add,
		make(name) {
			const secret = `canary-${name}-${randomBytes(18).toString("base64url")}`;
			add(name, secret);
			return secret;
		},
		names: () => [...secrets.keys()],
		search({ directories = [], texts = {} }) {
			const hits: Hit[] = [];
			const look = (where: string, content: Buffer): void => {
				for (const [canary, secret] of secrets)
					for (const [form, needle] of forms(secret))
						if (content.includes(needle)) hits.push({ where, canary, form });
			};
			for (const [where, content] of Object.entries(texts))
				look(where, Buffer.from(content));
			for (const directory of directories)
				for (const file of filesUnder(directory))
					look(file, readFileSync(file));
			return hits;
		},
	};
}

function forms(
	secret: string,
): readonly (readonly [form: string, needle: Buffer])[] {
	const bytes = Buffer.from(secret);
	const hex = bytes.toString("hex");
	return [
		["clear", bytes],
		["utf-16", Buffer.from(secret, "utf16le")],
		["hex", Buffer.from(hex)],
		["hex in capitals", Buffer.from(hex.toUpperCase())],
		...(encodeURIComponent(secret) === secret
			? []
			: [
					["percent-encoded", Buffer.from(encodeURIComponent(secret))] as const,
				]),
		...[0, 1, 2].flatMap((offset) => {
			const inside = base64Inside(bytes, offset);
			return [
				[`base64 at ${offset}`, Buffer.from(inside)],
				[
					`base64url at ${offset}`,
					Buffer.from(inside.replaceAll("+", "-").replaceAll("/", "_")),
				],
			] as const;
		}),
	];
}

/** The base64 digits that depend on the secret alone when `offset` other bytes stand before it. */
function base64Inside(bytes: Buffer, offset: number): string {
	const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
	const digits = padded.toString("base64").replace(/=+$/, "");
	const first = Math.ceil((offset * 8) / 6);
	const last = Math.floor((padded.length * 8) / 6);
	return digits.slice(first, last);
}

function* filesUnder(directory: string): Generator<string> {
	for (const entry of readdirSync(directory, { withFileTypes: true })) {
		const path = join(directory, entry.name);
		if (entry.name === "node_modules") continue;
		if (entry.isDirectory()) yield* filesUnder(path);
		else if (entry.isFile() && statSync(path).size > 0) yield path;
	}
}

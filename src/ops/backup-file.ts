/**
 * The backup file: a readable header, then encrypted frames that hold named entries.
 *
 *     sallyport-backup 1
 *     {"createdAt":…,"release":…,"keys":[…]}
 *     frame frame frame …
 *
 * A random file key encrypts the frames. The header holds it once for each key that opens the file: wrapped under a
 * passphrase (Argon2id), under the master key (which is the recovery code), or both. Each frame is AES-256-GCM of at
 * most 64 KiB; its nonce counts and says whether it is the last, and its associated data is the header, so frames
 * cannot be reordered, cut off or moved to another file. Only one frame is ever in memory.
 *
 * @see RFC 9106 (Argon2id); Hoang, Reyhanitabar, Rogaway, Vizár 2015 (STREAM); the shape is age's
 */
import {
	argon2,
	createCipheriv,
	createDecipheriv,
	createHash,
	hkdfSync,
} from "node:crypto";
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import { mintBytes } from "../mint.ts";
import { openUnder, sealUnder } from "../vault.ts";
import { parseRecoveryCode } from "./recovery-code.ts";

const MAGIC = "sallyport-backup ";
const FORMAT = 1;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const CHUNK_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;
const HEADER_BYTES_MAX = 16 * 1024;
const ENTRY_LINE_BYTES_MAX = 1024;
const PURPOSE = "sallyport/backup-key/v1";
const PASSPHRASE_LENGTH_MIN = 10;
const PASSPHRASE_LENGTH_MAX = 1024;
const COST = { memoryKib: 64 * 1024, passes: 3 };
/** A file that asks for more than this is not one of ours, whatever it says. */
const COST_MAX = { memoryKib: 256 * 1024, passes: 10 };

const bytes = z.string().regex(/^[A-Za-z0-9_-]{1,200}$/);
const KeySlot = z.discriminatedUnion("kind", [
	z.object({
		kind: z.literal("passphrase"),
		salt: bytes,
		memoryKib: z.int().min(8).max(COST_MAX.memoryKib),
		passes: z.int().min(1).max(COST_MAX.passes),
		wrapped: bytes,
	}),
	z.object({ kind: z.literal("master"), wrapped: bytes }),
]);
type KeySlot = z.infer<typeof KeySlot>;

const Header = z.object({
	createdAt: z.int(),
	/** The release that wrote it. */
	release: z.string().max(64),
	/** Which gateway it is of. */
	instance: z.string().max(64),
	schedule: z.enum(["manual", "nightly"]),
	keys: z.array(KeySlot).min(1).max(4),
});

/** What anyone can read of a backup. */
export type BackupHeader = z.infer<typeof Header>;

/** What opens a backup: any one of these. */
export type BackupKeys = {
	/** What a person typed: a passphrase, or a recovery code. */
	readonly text: string | null;
	/** The master key of this machine. */
	readonly kek: Uint8Array | null;
};

/** Where a file's bytes go, or come from. A short read means the end. */
export type ByteSink = (bytes: Uint8Array) => void;
export type ByteSource = (length: number) => Uint8Array;

export type BackupWriter = {
	/** Adds an entry of exactly this many bytes. */
	readonly add: (
		path: string,
		length: number,
		chunks: Iterable<Uint8Array>,
	) => void;
	readonly end: () => void;
};

export type BackupEntry = {
	readonly path: string;
	readonly length: number;
	/** Its bytes; read them before the next entry. */
	readonly chunks: () => Iterable<Uint8Array>;
};

/** @throws SallyportError `invalid` when a passphrase is too short to protect anything */
export function requirePassphrase(text: string): string {
	const passphrase = text.normalize("NFKC");
	if (
		passphrase.length >= PASSPHRASE_LENGTH_MIN &&
		passphrase.length <= PASSPHRASE_LENGTH_MAX
	)
		return passphrase;
	throw new SallyportError(
		"invalid",
		`a passphrase has at least ${PASSPHRASE_LENGTH_MIN} characters`,
		{ hint: "five random words make a good one" },
	);
}

/** Begins a file that the master key opens, and the passphrase if there is one. */
export async function writeBackup(
	facts: Omit<BackupHeader, "keys">,
	keys: { readonly passphrase: string | null; readonly kek: Uint8Array },
	sink: ByteSink,
): Promise<BackupWriter> {
	const fileKey = mintBytes(KEY_BYTES);
	const slots: KeySlot[] = [
		{ kind: "master", wrapped: wrap(masterKey(keys.kek), "master", fileKey) },
	];
	if (keys.passphrase !== null) {
		const salt = encode(mintBytes(16));
		const key = await stretch(requirePassphrase(keys.passphrase), salt, COST);
		slots.push({
			kind: "passphrase",
			salt,
			...COST,
			wrapped: wrap(key, "passphrase", fileKey),
		});
	}
	const header = Buffer.from(
		`${MAGIC}${FORMAT}\n${JSON.stringify({ ...facts, keys: slots })}\n`,
	);
	sink(header);
	const frames = frameWriter(fileKey, header, sink);
	return {
		add: (path, length, chunks) => {
			frames.write(Buffer.from(`${JSON.stringify({ path, length })}\n`));
			let written = 0;
			for (const chunk of chunks) {
				frames.write(chunk);
				written += chunk.length;
			}
			if (written !== length)
				throw new SallyportError(
					"internal",
					`${path} changed while it was read`,
				);
		},
		end: frames.end,
	};
}

/** Reads what anyone can read. @throws SallyportError `invalid` when it is no backup, `conflict` when it is of a newer release */
export function readBackupHeader(source: ByteSource): BackupHeader {
	return parseHeader(source).header;
}

/**
 * Opens a file and gives its entries, in order; each is authentic when its bytes have come.
 * @throws SallyportError `invalid` when it is no backup, is damaged or cut off; `forbidden` when nothing opens it
 */
export async function* readBackup(
	source: ByteSource,
	keys: BackupKeys,
): AsyncGenerator<BackupEntry, void, void> {
	const { header, text } = parseHeader(source);
	const fileKey = await unwrapFileKey(header.keys, keys);
	const plain = cursor(frameReader(fileKey, text, source));
	for (let line = plain.line(); line !== null; line = plain.line()) {
		const entry = parseEntry(line);
		let isRead = false;
		const chunks = function* (): Iterable<Uint8Array> {
			isRead = true;
			yield* plain.bytes(entry.length);
		};
		yield { ...entry, chunks };
		if (!isRead) for (const _ of chunks());
	}
}

function parseHeader(source: ByteSource): {
	readonly header: BackupHeader;
	readonly text: Uint8Array;
} {
	const magic = readLine(source, MAGIC.length + 8);
	if (magic === null || !magic.startsWith(MAGIC)) throw noBackup();
	if (magic.slice(MAGIC.length) !== String(FORMAT))
		throw new SallyportError(
			"conflict",
			"this backup is of a newer release than this one can read",
			{ hint: "install the newer release, and restore with that" },
		);
	const line = readLine(source, HEADER_BYTES_MAX);
	const parsed = Header.safeParse(line === null ? null : parseJson(line));
	if (!parsed.success) throw noBackup();
	return {
		header: parsed.data,
		text: Buffer.from(`${magic}\n${line}\n`),
	};
}

async function unwrapFileKey(
	slots: readonly KeySlot[],
	keys: BackupKeys,
): Promise<Uint8Array> {
	const typed = keys.text === null ? null : parseRecoveryCode(keys.text);
	const masters = [keys.kek, typed].filter((key) => key !== null);
	for (const slot of slots) {
		const candidates =
			slot.kind === "master"
				? masters.map(masterKey)
				: keys.text === null || typed !== null
					? []
					: [await stretch(keys.text.normalize("NFKC"), slot.salt, slot)];
		for (const candidate of candidates) {
			const key = openUnder(
				candidate,
				`${PURPOSE}|${slot.kind}`,
				Buffer.from(slot.wrapped, "base64url"),
			);
			if (key?.length === KEY_BYTES) return key;
		}
	}
	throw wrongKey(slots, keys);
}

function wrongKey(
	slots: readonly KeySlot[],
	{ text }: BackupKeys,
): SallyportError {
	const hasPassphrase = slots.some(({ kind }) => kind === "passphrase");
	const what = hasPassphrase
		? "its passphrase, or the recovery code of the gateway it is of"
		: "the recovery code of the gateway it is of: it was made without a passphrase";
	return new SallyportError(
		"forbidden",
		text === null
			? "this machine's key does not open this backup"
			: "that does not open this backup",
		{ hint: `it opens with ${what}` },
	);
}

/** Frames of a stream: 4 bytes of length, then ciphertext with its tag. */
function frameWriter(
	key: Uint8Array,
	header: Uint8Array,
	sink: ByteSink,
): { readonly write: (bytes: Uint8Array) => void; readonly end: () => void } {
	const associated = digest(header);
	let pending = Buffer.alloc(0);
	let count = 0;
	const frame = (plain: Uint8Array, isLast: boolean): void => {
		const cipher = createCipheriv(
			"aes-256-gcm",
			key,
			nonceOf(count++, isLast),
		).setAAD(associated);
		const sealed = Buffer.concat([
			cipher.update(plain),
			cipher.final(),
			cipher.getAuthTag(),
		]);
		const length = Buffer.alloc(LENGTH_BYTES);
		length.writeUInt32BE(sealed.length);
		sink(length);
		sink(sealed);
	};
	return {
		write: (bytes) => {
			pending = Buffer.concat([pending, bytes]);
			while (pending.length > CHUNK_BYTES) {
				frame(pending.subarray(0, CHUNK_BYTES), false);
				pending = pending.subarray(CHUNK_BYTES);
			}
		},
		end: () => frame(pending, true),
	};
}

function* frameReader(
	key: Uint8Array,
	header: Uint8Array,
	source: ByteSource,
): Generator<Uint8Array, void, void> {
	const associated = digest(header);
	for (let count = 0; ; count++) {
		const prefix = Buffer.from(source(LENGTH_BYTES));
		if (prefix.length < LENGTH_BYTES) throw damaged();
		const length = prefix.readUInt32BE();
		if (length < TAG_BYTES || length > CHUNK_BYTES + TAG_BYTES) throw damaged();
		const sealed = source(length);
		if (sealed.length < length) throw damaged();
		const open = (isLast: boolean): Uint8Array | null =>
			decrypt(key, nonceOf(count, isLast), associated, sealed);
		const plain = open(false);
		if (plain !== null) {
			yield plain;
			continue;
		}
		const last = open(true);
		if (last === null || source(1).length > 0) throw damaged();
		yield last;
		return;
	}
}

function decrypt(
	key: Uint8Array,
	nonce: Uint8Array,
	associated: Uint8Array,
	sealed: Uint8Array,
): Uint8Array | null {
	const decipher = createDecipheriv("aes-256-gcm", key, nonce)
		.setAAD(associated)
		.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
	try {
		return Buffer.concat([
			decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES)),
			decipher.final(),
		]);
	} catch {
		return null; // not this frame, or not the last one
	}
}

/** Eleven bytes that count, one that says whether it is the last. */
function nonceOf(count: number, isLast: boolean): Uint8Array {
	const nonce = Buffer.alloc(12);
	nonce.writeUInt32BE(count, 7);
	nonce[11] = isLast ? 1 : 0;
	return nonce;
}

/** Reads lines and runs of bytes out of chunks. */
function cursor(chunks: Iterator<Uint8Array>): {
	readonly line: () => string | null;
	readonly bytes: (length: number) => Iterable<Uint8Array>;
} {
	let buffer = Buffer.alloc(0);
	const fill = (): boolean => {
		const next = chunks.next();
		if (next.done) return false;
		buffer = Buffer.concat([buffer, next.value]);
		return true;
	};
	return {
		line: () => {
			while (true) {
				const end = buffer.indexOf(10);
				if (end >= 0) {
					const line = buffer.toString("utf8", 0, end);
					buffer = buffer.subarray(end + 1);
					return line;
				}
				if (buffer.length > ENTRY_LINE_BYTES_MAX) throw damaged();
				if (!fill()) {
					if (buffer.length > 0) throw damaged();
					return null;
				}
			}
		},
		bytes: function* (length) {
			for (let left = length; left > 0; ) {
				if (buffer.length === 0 && !fill()) throw damaged();
				const part = buffer.subarray(0, left);
				buffer = buffer.subarray(part.length);
				left -= part.length;
				if (part.length > 0) yield part;
			}
		},
	};
}

const Entry = z.object({
	path: z
		.string()
		.regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/)
		.refine((path) => !path.split("/").includes("..")),
	length: z.int().min(0),
});

function parseEntry(line: string): z.infer<typeof Entry> {
	const parsed = Entry.safeParse(parseJson(line));
	if (!parsed.success) throw damaged();
	return parsed.data;
}

function readLine(source: ByteSource, max: number): string | null {
	let text = "";
	while (text.length < max) {
		const [byte] = source(1);
		if (byte === undefined) return null;
		if (byte === 10) return text;
		text += String.fromCharCode(byte);
	}
	return null;
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return null; // not ours; the schema says so
	}
}

function stretch(
	passphrase: string,
	salt: string,
	{
		memoryKib,
		passes,
	}: { readonly memoryKib: number; readonly passes: number },
): Promise<Uint8Array> {
	return new Promise((resolve, reject) => {
		argon2(
			"argon2id",
			{
				message: passphrase,
				nonce: Buffer.from(salt, "base64url"),
				parallelism: 1,
				tagLength: KEY_BYTES,
				memory: memoryKib,
				passes,
			},
			(error, key) => (error ? reject(error) : resolve(key)),
		);
	});
}

function masterKey(kek: Uint8Array): Uint8Array {
	return Buffer.from(hkdfSync("sha256", kek, "", PURPOSE, KEY_BYTES));
}

function wrap(
	key: Uint8Array,
	kind: KeySlot["kind"],
	fileKey: Uint8Array,
): string {
	return encode(sealUnder(key, `${PURPOSE}|${kind}`, fileKey));
}

function encode(value: Uint8Array): string {
	return Buffer.from(value).toString("base64url");
}

function digest(header: Uint8Array): Uint8Array {
	return createHash("sha256").update(header).digest();
}

function noBackup(): SallyportError {
	return new SallyportError("invalid", "this file is not a sallyport backup", {
		hint: "choose a file whose name ends in .backup",
	});
}

function damaged(): SallyportError {
	return new SallyportError("invalid", "this backup is damaged or cut off", {
		hint: "copy it again from where it was kept, or use another one; nothing was changed",
	});
}

/**
 * The vault: seals and opens small values, and makes keyed hashes of credentials.
 *
 * A KEK (32 bytes, from a file or a systemd credential) wraps a versioned keyring that lives in the store. Every
 * sealed value is AES-256-GCM under a key derived (HKDF-SHA-256) for its table and column, and its associated data
 * binds it to its place: table, column, row, owner, version. So a row that is copied elsewhere does not open.
 * Everything here is synchronous, so that it can run inside a transaction. The vault knows nothing of the store:
 * it is given the wrapped keys and gives back new ones. A wrong KEK is refused; nothing is ever regenerated.
 */
import {
	createCipheriv,
	createDecipheriv,
	hkdfSync,
	randomBytes,
} from "node:crypto";
import {
	closeSync,
	existsSync,
	fstatSync,
	fsyncSync,
	openSync,
	readSync,
	renameSync,
	rmSync,
	writeSync,
} from "node:fs";
import { SallyportError } from "./errors.ts";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORMAT = 1;
const HEADER_BYTES = 1 + 4 + NONCE_BYTES;

export type KeyPurpose = "data" | "mac";

/** One key of the keyring as the store keeps it. */
export type WrappedKey = {
	readonly keyId: number;
	readonly purpose: KeyPurpose;
	readonly wrapped: Uint8Array;
	readonly state: "active" | "decrypt" | "retired";
	readonly createdAt: number;
};

/** Where a sealed value lives. All of it is authenticated: a value opens nowhere else. */
export type Place = {
	readonly table: string;
	readonly column: string;
	readonly row: string;
	readonly owner: string;
	readonly version: number;
};

export type Vault = {
	/** Seals `plain` for its place: `format(1) key id(4) nonce(12) ciphertext tag(16)`. */
	readonly seal: (place: Place, plain: string) => Uint8Array;
	/** Opens what `seal` made for the same place. @throws SallyportError `internal` when it does not belong there */
	readonly open: (place: Place, sealed: Uint8Array) => string;
	/** Seals a text that its bearer hands back later: opaque, bound to `purpose`. */
	readonly sealHandle: (purpose: string, text: string) => string;
	/** Opens what `sealHandle` made for the same purpose; null for anything else. */
	readonly openHandle: (purpose: string, handle: string) => string | null;
	/** The keyed hash of a credential in clear: HMAC-SHA-256, 32 bytes. The only form in which one is stored. */
	readonly mac: (credential: string) => Uint8Array;
};

/** The length of a KEK file: 32 bytes as 64 hexadecimal digits. */
const KEK_TEXT = /^[0-9a-f]{64}\n?$/;

/**
 * Reads the KEK from a file of 64 hexadecimal digits.
 * @throws SallyportError `invalid` when it is missing, empty, malformed, or readable by group or others
 */
export function readKek(path: string): Uint8Array {
	let descriptor: number;
	try {
		descriptor = openSync(path, "r");
	} catch (cause) {
		throw new SallyportError("invalid", `cannot read the master key ${path}`, {
			hint: "put the key back from where you keep it; without it the stored secrets cannot be opened",
			cause,
		});
	}
	try {
		const { mode, uid } = fstatSync(descriptor);
		// systemd hands a credential over as root's, with an ACL for the service, whose mask shows as the group's bit;
		// its directory is the service's alone. A file of our own has no reason to be open to a group.
		const isHandedOver = uid !== process.getuid?.();
		if ((mode & (isHandedOver ? 0o037 : 0o077)) !== 0)
			throw new SallyportError(
				"invalid",
				`the master key ${path} can be read by others (mode ${(mode & 0o777).toString(8)}, owner ${uid})`,
				{ hint: `chmod 600 ${path}` },
			);
		const buffer = Buffer.alloc(KEY_BYTES * 2 + 2);
		const text = buffer
			.subarray(0, readSync(descriptor, buffer))
			.toString("latin1");
		if (!KEK_TEXT.test(text))
			throw new SallyportError(
				"invalid",
				`the master key ${path} is not a key: 64 hexadecimal digits are expected`,
				{
					hint: "put the right file back; do not make a new one, it would not open the stored secrets",
				},
			);
		return Buffer.from(text.trim(), "hex");
	} finally {
		closeSync(descriptor);
	}
}

/** Makes a KEK in a new file, mode 0600. @throws when the file exists: a key is never overwritten */
export function createKek(path: string): Uint8Array {
	const kek = randomBytes(KEY_BYTES);
	const descriptor = openSync(path, "wx", 0o600);
	try {
		writeSync(descriptor, `${kek.toString("hex")}\n`);
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
	return kek;
}

/**
 * Puts a new KEK in the place of the one in a file. Whatever moment it is interrupted at, one of the two files has the
 * key that wraps the keyring, and `settleKek` finds out which.
 * @param wrap wraps the keyring by the new key instead of the old one, and returns when that is on disk
 */
export function replaceKek(
	path: string,
	wrap: (from: Uint8Array, to: Uint8Array) => void,
): void {
	const from = readKek(path);
	rmSync(nextOf(path), { force: true });
	wrap(from, createKek(nextOf(path)));
	renameSync(nextOf(path), path);
}

/** Finishes a replacement of the KEK that was interrupted, or undoes it: the key that opens the keyring stays. */
export function settleKek(path: string, keyring: readonly WrappedKey[]): void {
	const next = nextOf(path);
	if (!existsSync(next)) return;
	if (opens(next, keyring)) renameSync(next, path);
	else rmSync(next);
}

function nextOf(path: string): string {
	return `${path}.next`;
}

function opens(path: string, keyring: readonly WrappedKey[]): boolean {
	try {
		openVault(readKek(path), keyring);
		return true;
	} catch {
		return false; // half a file, or a key that was never taken into use
	}
}

/** A new keyring, wrapped by the KEK: one active key for each purpose. Only for a store that has none. */
export function createKeyring(
	kek: Uint8Array,
	now: number,
): readonly WrappedKey[] {
	return (["data", "mac"] as const).map((purpose, index) =>
		freshKey(kek, index + 1, purpose, now),
	);
}

function freshKey(
	kek: Uint8Array,
	keyId: number,
	purpose: KeyPurpose,
	now: number,
): WrappedKey {
	return {
		keyId,
		purpose,
		wrapped: encrypt(
			kek,
			keyId,
			kekData(keyId, purpose),
			randomBytes(KEY_BYTES),
		),
		state: "active",
		createdAt: now,
	};
}

/**
 * The keyring with a fresh data key to seal with; the former one only opens from now on.
 * @throws SallyportError `invalid` when the KEK is not the one that wrapped them
 */
export function withFreshDataKey(
	kek: Uint8Array,
	keyring: readonly WrappedKey[],
	now: number,
): readonly WrappedKey[] {
	openVault(kek, keyring);
	const keyId = Math.max(...keyring.map((key) => key.keyId)) + 1;
	return [
		...keyring.map((key) =>
			key.purpose === "data" && key.state === "active"
				? { ...key, state: "decrypt" as const }
				: key,
		),
		freshKey(kek, keyId, "data", now),
	];
}

/** The keyring without what could open anything by the keys that only open. */
export function withoutFormerKeys(
	keyring: readonly WrappedKey[],
): readonly WrappedKey[] {
	return keyring.map((key) =>
		key.state === "decrypt"
			? { ...key, state: "retired" as const, wrapped: new Uint8Array() }
			: key,
	);
}

/**
 * Opens the vault with the KEK and the wrapped keys of the store.
 * @throws SallyportError `invalid` when the KEK is not the one that wrapped them, or a key is missing
 */
export function openVault(
	kek: Uint8Array,
	keyring: readonly WrappedKey[],
): Vault {
	const keys = new Map<number, Buffer>();
	for (const key of keyring) {
		if (key.state === "retired") continue;
		keys.set(key.keyId, unwrap(kek, key));
	}
	const active = (purpose: KeyPurpose): number => {
		const key = keyring.find(
			(k) => k.purpose === purpose && k.state === "active",
		);
		if (!key)
			throw new SallyportError(
				"invalid",
				`the keyring has no active ${purpose} key`,
				{
					hint: "restore the database from a backup",
				},
			);
		return key.keyId;
	};
	const dataKeyId = active("data");
	// A sign-in asks for ten keyed hashes: to copy what has the key already takes a third of what `createHmac` does.
	const keyed = new Bun.CryptoHasher(
		"sha256",
		keys.get(active("mac")) as Buffer,
	);
	const derived = new Map<string, Buffer>();

	const columnKey = (
		keyId: number,
		place: Pick<Place, "table" | "column">,
	): Buffer => {
		const name = `${keyId}/${place.table}.${place.column}`;
		const known = derived.get(name);
		if (known) return known;
		const key = keys.get(keyId);
		if (!key) throw unopenable(place);
		const fresh = Buffer.from(
			hkdfSync(
				"sha256",
				key,
				Buffer.from([keyId]),
				`sallyport/data/v1|${place.table}.${place.column}`,
				KEY_BYTES,
			),
		);
		derived.set(name, fresh);
		return fresh;
	};

	return {
		seal: (place, plain) =>
			encrypt(
				columnKey(dataKeyId, place),
				dataKeyId,
				placeData(place),
				Buffer.from(plain, "utf8"),
			),
		open: (place, sealed) => {
			if (sealed.length < HEADER_BYTES + TAG_BYTES || sealed[0] !== FORMAT)
				throw unopenable(place);
			const keyId = Buffer.from(
				sealed.buffer,
				sealed.byteOffset,
				sealed.length,
			).readUInt32BE(1);
			const plain = decrypt(columnKey(keyId, place), placeData(place), sealed);
			if (!plain) throw unopenable(place);
			return plain.toString("utf8");
		},
		sealHandle: (purpose, text) =>
			Buffer.from(
				encrypt(
					columnKey(dataKeyId, HANDLE),
					dataKeyId,
					handleData(purpose),
					Buffer.from(text, "utf8"),
				),
			).toString("base64url"),
		openHandle: (purpose, handle) => {
			const sealed = Buffer.from(handle, "base64url");
			if (sealed.length < HEADER_BYTES + TAG_BYTES || sealed[0] !== FORMAT)
				return null;
			const keyId = sealed.readUInt32BE(1);
			if (!keys.has(keyId)) return null;
			return (
				decrypt(
					columnKey(keyId, HANDLE),
					handleData(purpose),
					sealed,
				)?.toString("utf8") ?? null
			);
		},
		mac: (credential) => keyed.copy().update(credential).digest(),
	};
}

/** Seals `plain` under a key derived from a credential: only a holder of that credential can open it (oauth.md 1.5). */
export function sealFor(credential: string, plain: string): Uint8Array {
	return encrypt(
		credentialKey(credential),
		0,
		SUCCESSOR,
		Buffer.from(plain, "utf8"),
	);
}

/** Opens what `sealFor` made for the same credential; null for any other. */
export function openFor(credential: string, sealed: Uint8Array): string | null {
	return (
		decrypt(credentialKey(credential), SUCCESSOR, sealed)?.toString("utf8") ??
		null
	);
}

/** Seals bytes under a key of the caller's own, for one purpose: what a backup's file key is wrapped with. */
export function sealUnder(
	key: Uint8Array,
	purpose: string,
	plain: Uint8Array,
): Uint8Array {
	return encrypt(key, 0, Buffer.from(purpose), plain);
}

/** Opens what `sealUnder` made with the same key and purpose; null for anything else. */
export function openUnder(
	key: Uint8Array,
	purpose: string,
	sealed: Uint8Array,
): Uint8Array | null {
	return sealed.length < HEADER_BYTES + TAG_BYTES
		? null
		: decrypt(key, Buffer.from(purpose), sealed);
}

/**
 * The same keys, wrapped by another KEK: what was sealed stays as it is.
 * @throws SallyportError `invalid` when `from` is not the KEK that wrapped them
 */
export function rewrapKeyring(
	from: Uint8Array,
	to: Uint8Array,
	keyring: readonly WrappedKey[],
): readonly WrappedKey[] {
	return keyring.map((key) =>
		key.state === "retired"
			? key
			: {
					...key,
					wrapped: encrypt(
						to,
						key.keyId,
						kekData(key.keyId, key.purpose),
						unwrap(from, key),
					),
				},
	);
}

/** Handles live with their bearers, in no table. */
const HANDLE = { table: "handle", column: "text" };

function handleData(purpose: string): Buffer {
	return Buffer.from(`sallyport/handle/v1|${purpose}`);
}

const SUCCESSOR = Buffer.from("sallyport/successor/v1");

function credentialKey(credential: string): Buffer {
	return Buffer.from(hkdfSync("sha256", credential, "", SUCCESSOR, KEY_BYTES));
}

function unwrap(kek: Uint8Array, key: WrappedKey): Buffer {
	const plain = decrypt(kek, kekData(key.keyId, key.purpose), key.wrapped);
	if (!plain)
		throw new SallyportError(
			"invalid",
			"the master key does not open this database's keyring",
			{
				hint: "put back the master key that belongs to this database; nothing was changed",
			},
		);
	return plain;
}

function unopenable(place: Pick<Place, "table" | "column">): SallyportError {
	return new SallyportError(
		"internal",
		`a sealed value of ${place.table}.${place.column} does not open in its place`,
		{
			hint: "restore the database from a backup, or set the secret again",
		},
	);
}

function kekData(keyId: number, purpose: KeyPurpose): Buffer {
	return Buffer.from(`sallyport/kek/v1|${keyId}|${purpose}`);
}

function placeData(place: Place): Buffer {
	const parts = [
		"sallyport/v1",
		place.table,
		place.column,
		place.row,
		place.owner,
		String(place.version),
	];
	return Buffer.from(
		parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join(""),
	);
}

function encrypt(
	key: Uint8Array,
	keyId: number,
	associated: Uint8Array,
	plain: Uint8Array,
): Uint8Array {
	const nonce = randomBytes(NONCE_BYTES);
	const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(associated);
	const header = Buffer.alloc(HEADER_BYTES);
	header[0] = FORMAT;
	header.writeUInt32BE(keyId, 1);
	nonce.copy(header, 5);
	return Buffer.concat([
		header,
		cipher.update(plain),
		cipher.final(),
		cipher.getAuthTag(),
	]);
}

function decrypt(
	key: Uint8Array,
	associated: Uint8Array,
	sealed: Uint8Array,
): Buffer | null {
	const nonce = sealed.subarray(5, HEADER_BYTES);
	const body = sealed.subarray(HEADER_BYTES, sealed.length - TAG_BYTES);
	const decipher = createDecipheriv("aes-256-gcm", key, nonce)
		.setAAD(associated)
		.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
	try {
		return Buffer.concat([decipher.update(body), decipher.final()]);
	} catch {
		return null; // the tag does not match: another key, another place, or a changed byte
	}
}

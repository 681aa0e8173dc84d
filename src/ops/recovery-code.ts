/**
 * The recovery code: the master key as a person can write it down. 32 bytes in Crockford's base 32 with a checksum,
 * in groups of four, so that a slip of the pen is told from a wrong code.
 *
 * @see https://www.crockford.com/base32.html (I and L are read as 1, O as 0, case does not matter)
 */
import { createHash } from "node:crypto";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const KEY_BYTES = 32;
const CHECK_BYTES = 3;
const TEXT_LENGTH = Math.ceil(((KEY_BYTES + CHECK_BYTES) * 8) / 5);

/** The code of a master key: 14 groups of four. */
export function encodeRecoveryCode(kek: Uint8Array): string {
	const bytes = Buffer.concat([kek, checksum(kek)]);
	let bits = 0n;
	for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
	let text = "";
	for (let at = TEXT_LENGTH - 1; at >= 0; at--)
		text += ALPHABET[Number((bits >> BigInt(at * 5)) & 31n)];
	return text.match(/.{4}/g)?.join("-") ?? text;
}

/** Reads a code, however it is spaced; null when it is none, or has a slip in it. */
export function parseRecoveryCode(text: string): Uint8Array | null {
	const plain = text
		.toUpperCase()
		.replace(/[\s-]/g, "")
		.replace(/[IL]/g, "1")
		.replaceAll("O", "0");
	if (plain.length !== TEXT_LENGTH) return null;
	let bits = 0n;
	for (const character of plain) {
		const value = ALPHABET.indexOf(character);
		if (value < 0) return null;
		bits = (bits << 5n) | BigInt(value);
	}
	const bytes = Buffer.from(
		bits.toString(16).padStart((KEY_BYTES + CHECK_BYTES) * 2, "0"),
		"hex",
	);
	if (bytes.length !== KEY_BYTES + CHECK_BYTES) return null;
	const kek = bytes.subarray(0, KEY_BYTES);
	return checksum(kek).equals(bytes.subarray(KEY_BYTES)) ? kek : null;
}

function checksum(kek: Uint8Array): Buffer {
	return createHash("sha256")
		.update("sallyport/recovery/v1")
		.update(kek)
		.digest()
		.subarray(0, CHECK_BYTES);
}

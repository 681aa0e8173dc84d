/**
 * What a person holds in their hand: an authenticator for passkeys and the codes of an app, written from the
 * specifications on `node:crypto` alone, so that nothing of the gateway judges itself.
 *
 * @see WebAuthn Level 3, 6.1 and 6.5; RFC 6238
 */
import {
	createHash,
	createHmac,
	generateKeyPairSync,
	randomBytes,
	sign,
} from "node:crypto";

type Options = Readonly<Record<string, unknown>>;

/** What an authenticator may be told to do wrong. */
export type Tampering = {
	readonly origin?: string;
	readonly rpId?: string;
	readonly challenge?: string;
	readonly userHandle?: string | null;
	readonly isVerified?: boolean;
	readonly counter?: number;
	readonly id?: string;
	readonly signature?: string;
	readonly type?: string;
};

export type Authenticator = {
	readonly id: string;
	/** Answers `navigator.credentials.create`, as the page sends it. */
	readonly create: (options: Options, tampering?: Tampering) => string;
	/** Answers `navigator.credentials.get`. */
	readonly get: (options: Options, tampering?: Tampering) => string;
};

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const ATTESTED = 0x40;

/** An authenticator with one key; it verifies its person unless it is told not to, and counts. */
export function createAuthenticator(origin: string): Authenticator {
	const { publicKey, privateKey } = generateKeyPairSync("ec", {
		namedCurve: "P-256",
	});
	const credentialId = randomBytes(32);
	const id = credentialId.toString("base64url");
	let counter = 0;
	let userHandle: string | null = null;

	function clientData(
		type: string,
		options: Options,
		tampering: Tampering,
	): Buffer {
		return Buffer.from(
			JSON.stringify({
				type: tampering.type ?? type,
				challenge: tampering.challenge ?? options["challenge"],
				origin: tampering.origin ?? origin,
				crossOrigin: false,
			}),
		);
	}

	function authenticatorData(
		rpId: string,
		tampering: Tampering,
		attested = Buffer.alloc(0),
	): Buffer {
		const flags =
			USER_PRESENT |
			(tampering.isVerified === false ? 0 : USER_VERIFIED) |
			(attested.length > 0 ? ATTESTED : 0);
		const head = Buffer.alloc(5);
		head[0] = flags;
		head.writeUInt32BE(tampering.counter ?? counter, 1);
		return Buffer.concat([sha256(tampering.rpId ?? rpId), head, attested]);
	}

	return {
		id,
		create: (options, tampering = {}) => {
			const rp = options["rp"] as { readonly id: string };
			userHandle = (options["user"] as { readonly id: string }).id;
			const { x = "", y = "" } = publicKey.export({ format: "jwk" });
			const key = cbor(
				new Map<number, number | Buffer>([
					[1, 2],
					[3, -7],
					[-1, 1],
					[-2, Buffer.from(x, "base64url")],
					[-3, Buffer.from(y, "base64url")],
				]),
			);
			const length = Buffer.alloc(2);
			length.writeUInt16BE(credentialId.length);
			const attested = Buffer.concat([
				Buffer.alloc(16),
				length,
				credentialId,
				key,
			]);
			const attestationObject = cbor(
				new Map<string, unknown>([
					["fmt", "none"],
					["attStmt", new Map()],
					["authData", authenticatorData(rp.id, tampering, attested)],
				]),
			);
			return JSON.stringify({
				id,
				rawId: id,
				type: "public-key",
				response: {
					clientDataJSON: clientData(
						"webauthn.create",
						options,
						tampering,
					).toString("base64url"),
					attestationObject: attestationObject.toString("base64url"),
					transports: ["internal"],
				},
				clientExtensionResults: {},
			});
		},
		get: (options, tampering = {}) => {
			counter++;
			const data = clientData("webauthn.get", options, tampering);
			const authData = authenticatorData(String(options["rpId"]), tampering);
			const signature = sign(
				"sha256",
				Buffer.concat([authData, sha256(data)]),
				privateKey,
			).toString("base64url");
			const handle =
				tampering.userHandle === undefined ? userHandle : tampering.userHandle;
			return JSON.stringify({
				id: tampering.id ?? id,
				rawId: tampering.id ?? id,
				type: "public-key",
				response: {
					clientDataJSON: data.toString("base64url"),
					authenticatorData: authData.toString("base64url"),
					signature: tampering.signature ?? signature,
					...(handle === null ? {} : { userHandle: handle }),
				},
				clientExtensionResults: {},
			});
		},
	};
}

function sha256(data: string | Buffer): Buffer {
	return createHash("sha256").update(data).digest();
}

/** As much of CBOR (RFC 8949) as an attestation needs. */
function cbor(value: unknown): Buffer {
	if (typeof value === "number")
		return value < 0 ? cborHead(1, -1 - value) : cborHead(0, value);
	if (Buffer.isBuffer(value))
		return Buffer.concat([cborHead(2, value.length), value]);
	if (typeof value === "string")
		return Buffer.concat([cborHead(3, value.length), Buffer.from(value)]);
	const map = value as ReadonlyMap<unknown, unknown>;
	return Buffer.concat([
		cborHead(5, map.size),
		...[...map].flatMap(([key, item]) => [cbor(key), cbor(item)]),
	]);
}

function cborHead(major: number, value: number): Buffer {
	if (value < 24) return Buffer.from([(major << 5) | value]);
	if (value < 256) return Buffer.from([(major << 5) | 24, value]);
	return Buffer.from([(major << 5) | 25, value >> 8, value & 255]);
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The code of an app that was given this key, at an instant in seconds; `steps` intervals later. */
export function appCode(key: string, at: number, steps = 0): string {
	let bits = "";
	for (const character of key.replace(/\s/g, ""))
		bits += ALPHABET.indexOf(character).toString(2).padStart(5, "0");
	const seed = Buffer.from(
		(bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)),
	);
	const counter = Buffer.alloc(8);
	counter.writeBigUInt64BE(BigInt(Math.floor(at / 30) + steps));
	const mac = createHmac("sha1", seed).update(counter).digest();
	const offset = (mac.at(-1) ?? 0) & 15;
	const number = mac.readUInt32BE(offset) & 0x7fffffff;
	return String(number % 1_000_000).padStart(6, "0");
}

/** The options that a page's passkey form carries; null when there is no such form. */
export function passkeyOptionsOf(html: string): Options | null {
	const text = /data-options="([^"]+)"/.exec(html)?.[1];
	return text === undefined
		? null
		: JSON.parse(text.replaceAll("&quot;", '"').replaceAll("&amp;", "&"));
}

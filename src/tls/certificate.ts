/**
 * What a certificate says of itself: names, times, fingerprint, and the id that renewal information is asked by.
 * It judges a chain against a key and against names; where either came from is not its matter.
 *
 * @see RFC 5280, RFC 9773 4.1 (certificate identifier)
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { SallyportError } from "../errors.ts";
import { type Identifier, parseIdentifier } from "./identifiers.ts";

export type CertificateFacts = {
	/** The subject alternative names, as identifiers spell them, sorted. */
	readonly names: readonly string[];
	readonly notBefore: number;
	readonly notAfter: number;
	/** SHA-256 of the leaf, 64 hexadecimal digits. */
	readonly fingerprint: string;
	/** Who issued it, in one line. */
	readonly issuer: string;
	readonly selfSigned: boolean;
};

/** A chain and its key, both PEM. */
export type KeyPair = { readonly chain: string; readonly key: string };

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const CHAIN_CERTIFICATES_MAX = 10;

/**
 * Reads the leaf of a chain.
 * @throws SallyportError `invalid` when there is none, or more than `CHAIN_CERTIFICATES_MAX` certificates
 */
export function readCertificate(chain: string): CertificateFacts {
	const leaf = parseLeaf(chain);
	return {
		names: alternativeNames(leaf.subjectAltName ?? "").sort(),
		notBefore: seconds(leaf.validFrom),
		notAfter: seconds(leaf.validTo),
		fingerprint: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
		issuer: issuerOf(leaf.issuer),
		selfSigned: leaf.issuer === leaf.subject,
	};
}

/** A fingerprint as browsers and `openssl x509 -fingerprint -sha256` show it. */
export function spellFingerprint(fingerprint: string): string {
	return (fingerprint.toUpperCase().match(/../g) ?? []).join(":");
}

/**
 * Refuses a pair that must not be served: the key of another certificate, or one whose time is over or not yet come.
 * @throws SallyportError `invalid` saying which, and what to do
 */
export function requireServable(pair: KeyPair, now: number): CertificateFacts {
	const facts = readCertificate(pair.chain);
	if (!belongsTo(parseLeaf(pair.chain), pair.key))
		throw new SallyportError(
			"invalid",
			"the key does not belong to the certificate",
			{
				hint: "name the key that the certificate was requested with; the certificate of the server comes first in its file",
			},
		);
	if (facts.notAfter <= now)
		throw new SallyportError(
			"invalid",
			`the certificate ended on ${day(facts.notAfter)}`,
			{ hint: "renew it where it came from" },
		);
	if (facts.notBefore > now)
		throw new SallyportError(
			"invalid",
			`the certificate begins on ${day(facts.notBefore)}`,
			{ hint: "check the clock of this machine" },
		);
	return facts;
}

/** Whether a certificate is for all of these identifiers; a wildcard is for one more label (RFC 9525 6.3). */
export function covers(
	facts: CertificateFacts,
	identifiers: readonly Identifier[],
): boolean {
	return identifiers.every(
		({ type, value }) =>
			facts.names.includes(value) ||
			(type === "dns" && facts.names.includes(value.replace(/^[^.]+\./, "*."))),
	);
}

/** The id that renewal information is asked by; null when the leaf names no key of its issuer. */
export async function ariIdOf(chain: string): Promise<string | null> {
	const x509 = await import("@peculiar/x509");
	const leaf = new x509.X509Certificate(chain);
	const keyId = leaf.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId;
	if (keyId === undefined) return null;
	const serial = Buffer.from(leaf.serialNumber, "hex");
	// The serial's DER octets: a leading zero keeps a high first bit from being a sign.
	const signed =
		(serial[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), serial]) : serial;
	return `${Buffer.from(keyId, "hex").toString("base64url")}.${signed.toString("base64url")}`;
}

function parseLeaf(chain: string): X509Certificate {
	const [leaf, ...issuers] = chain.match(PEM) ?? [];
	if (leaf === undefined || issuers.length >= CHAIN_CERTIFICATES_MAX)
		throw notPem();
	try {
		return new X509Certificate(leaf);
	} catch (cause) {
		throw notPem(cause);
	}
}

function notPem(cause?: unknown): SallyportError {
	return new SallyportError(
		"invalid",
		"the certificate is not a chain in PEM",
		{
			hint: "the file holds the certificate first, then its issuers, each between BEGIN and END lines",
			cause,
		},
	);
}

function belongsTo(leaf: X509Certificate, key: string): boolean {
	try {
		return leaf.checkPrivateKey(createPrivateKey(key));
	} catch {
		return false; // not a key at all: it does not belong either
	}
}

/** `DNS:a.example, IP Address:192.0.2.1` as the platform writes it; other kinds are none of ours. */
function alternativeNames(text: string): string[] {
	return text.split(", ").flatMap((entry) => {
		const [, value] = /^(?:DNS|IP Address):(.+)$/.exec(entry) ?? [];
		if (value === undefined) return [];
		return [parseIdentifier(value)?.value ?? value.toLowerCase()];
	});
}

/** `O=…\nCN=…` as `CN (O)`. */
function issuerOf(text: string): string {
	const field = (name: string): string | undefined =>
		new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1];
	const [name, organization] = [field("CN"), field("O")];
	if (name === undefined) return organization ?? "";
	return organization === undefined ? name : `${name} (${organization})`;
}

function seconds(date: string): number {
	return Math.floor(Date.parse(date) / 1000);
}

function day(instant: number): string {
	return new Date(instant * 1000).toISOString().slice(0, 10);
}

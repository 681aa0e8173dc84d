/**
 * The certificate before there is one: signed by itself, so a browser warns, and its fingerprint is how a person
 * tells it from an impostor's. It lives for years, so that a fingerprint once compared stays good.
 */
import type { KeyPair } from "./certificate.ts";
import type { Identifier } from "./identifiers.ts";

const LIFETIME_SECONDS = 10 * 365 * 86_400;
/** Clocks of clients that are a little behind. */
const BACKDATE_SECONDS = 86_400;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1";

/** Makes a P-256 key and a certificate of its own for these identifiers. */
export async function createSelfSigned(
	identifiers: readonly Identifier[],
	now: number,
): Promise<KeyPair> {
	const x509 = await import("@peculiar/x509");
	const keys = await crypto.subtle.generateKey(ALGORITHM, true, [
		"sign",
		"verify",
	]);
	const certificate = await x509.X509CertificateGenerator.createSelfSigned({
		name: "CN=sallyport",
		keys,
		signingAlgorithm: ALGORITHM,
		notBefore: new Date((now - BACKDATE_SECONDS) * 1000),
		notAfter: new Date((now + LIFETIME_SECONDS) * 1000),
		extensions: [
			new x509.SubjectAlternativeNameExtension([...identifiers]),
			new x509.BasicConstraintsExtension(false),
			new x509.ExtendedKeyUsageExtension([SERVER_AUTHENTICATION]),
		],
	});
	const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
	return {
		chain: `${certificate.toString("pem")}\n`,
		key: x509.PemConverter.encode(key, "PRIVATE KEY"),
	};
}

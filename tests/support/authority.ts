/** A certificate authority of a test's own, and one certificate of it. */
import * as x509 from "@peculiar/x509";

export type Authority = {
	/** Whom to trust, in PEM. */
	readonly ca: string;
	readonly certificate: { readonly cert: string; readonly key: string };
};

const ALGORITHM = {
	name: "ECDSA",
	namedCurve: "P-256",
	hash: "SHA-256",
} as const;
/** Longer than any test moves a clock. */
const LIFE_MS = 400 * 24 * 3600 * 1000;

/** @param names what the certificate is for; `*.example` is every name directly below */
export async function createAuthority(
	names: readonly string[],
): Promise<Authority> {
	const makeKeys = (): Promise<CryptoKeyPair> =>
		crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
	const life = {
		notBefore: new Date(Date.now() - LIFE_MS),
		notAfter: new Date(Date.now() + LIFE_MS),
	};
	const caKeys = await makeKeys();
	const ca = await x509.X509CertificateGenerator.createSelfSigned({
		...life,
		name: "CN=Authority of a test",
		keys: caKeys,
		signingAlgorithm: ALGORITHM,
		extensions: [
			new x509.BasicConstraintsExtension(true, 1, true),
			new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
		],
	});
	const keys = await makeKeys();
	const leaf = await x509.X509CertificateGenerator.create({
		...life,
		subject: `CN=${names[0]}`,
		issuer: ca.subject,
		publicKey: keys.publicKey,
		signingKey: caKeys.privateKey,
		signingAlgorithm: ALGORITHM,
		extensions: [
			new x509.SubjectAlternativeNameExtension(
				names.map((value) => ({ type: "dns" as const, value })),
			),
		],
	});
	const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
	return {
		ca: ca.toString("pem"),
		certificate: {
			cert: leaf.toString("pem"),
			key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
		},
	};
}

/**
 * Keys, signatures and certificate requests for ACME: what `acme-client` does for us. It sends nothing.
 *
 * @see RFC 8555 6.2 (request authentication), 7.3.4 (external account binding), 8.1 (key authorization),
 * RFC 7638 (thumbprint), RFC 2986 (PKCS #10)
 */
import { createHash } from "node:crypto";

/** What a CA gave its customer to bind an ACME account with; the key in base64url. */
export type AccountBinding = { readonly keyId: string; readonly key: string };

export type Signer = {
	/** A signed request body. With an account's URL it is signed in its name, without by the key itself. */
	readonly sign: (
		url: string,
		payload: object | null,
		header: { readonly nonce: string; readonly accountUrl: string | null },
	) => string;
	/** The value of `externalAccountBinding` in a new account. */
	readonly bind: (url: string, binding: AccountBinding) => object;
	/** What proves that we hold the account's key: the answer to a challenge. */
	readonly keyAuthorization: (token: string) => string;
};

/** A new P-256 key in PEM (PKCS #8). */
export async function createKey(): Promise<string> {
	const { createPrivateEcdsaKey } = await import(
		"acme-client/src/crypto/index.js"
	);
	return (await createPrivateEcdsaKey("P-256")).toString("utf8");
}

/** A certificate request for these names, without a common name, in base64url DER. */
export async function createRequest(
	names: readonly string[],
	key: string,
): Promise<string> {
	const { createCsr } = await import("acme-client/src/crypto/index.js");
	const [, pem] = await createCsr({ altNames: [...names] }, key);
	const body = pem.toString("utf8").replace(/-----[^-]+-----|\s/g, "");
	return Buffer.from(body, "base64").toString("base64url");
}

/** Signs with an account's key. */
export async function createSigner(key: string): Promise<Signer> {
	const { default: HttpClient } = await import("acme-client/src/http.js");
	const client = new HttpClient("", key);
	const { crv, kty, x, y } = client.getJwk();
	// RFC 7638 3.2: the required members of an EC key, in this order.
	const thumbprint = createHash("sha256")
		.update(JSON.stringify({ crv, kty, x, y }))
		.digest("base64url");
	return {
		sign: (url, payload, { nonce, accountUrl }) =>
			JSON.stringify(
				client.createSignedBody(url, payload, { nonce, kid: accountUrl }),
			),
		bind: (url, binding) =>
			client.createSignedHmacBody(binding.key, url, client.getJwk(), {
				kid: binding.keyId,
			}),
		keyAuthorization: (token) => `${token}.${thumbprint}`,
	};
}

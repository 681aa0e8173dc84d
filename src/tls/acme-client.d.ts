/**
 * The two files of `acme-client` that are used: its signer and its CSR kit. Its engine is left out, because it
 * sleeps through a 429, has no timeouts and loses what kind of problem the CA reported; its index would also bring
 * a second cryptography library along.
 */
declare module "acme-client/src/http.js" {
	type SignedBody = {
		readonly protected: string;
		readonly payload: string;
		readonly signature: string;
	};
	type Header = {
		readonly nonce?: string | null;
		readonly kid?: string | null;
	};
	export default class HttpClient {
		constructor(directoryUrl: string, accountKey: string);
		getJwk(): Record<string, string>;
		createSignedBody(
			url: string,
			payload: object | null,
			header: Header,
		): SignedBody;
		createSignedHmacBody(
			hmacKey: string,
			url: string,
			payload: object,
			header: Header,
		): SignedBody;
	}
}
declare module "acme-client/src/crypto/index.js" {
	export function createPrivateEcdsaKey(curve: "P-256"): Promise<Buffer>;
	export function createCsr(
		data: { readonly altNames: string[] },
		keyPem: string,
	): Promise<[Buffer, Buffer]>;
}

/**
 * What a CA gave its customer as files: the certificates its directory is judged by, and the key of an account
 * binding. Read once, at the start; which CA they belong to is not known here.
 *
 * @see RFC 8555 7.3.4 (external account binding: the key comes in base64url)
 */
import { SallyportError } from "../errors.ts";
import { readGivenFile } from "./given-files.ts";

const HINT = "name the file with --acme-ca or --acme-eab-key-file";

/** The certificates to trust for a directory. @throws SallyportError `invalid` */
export function readTrust(path: string): string {
	const text = readGivenFile(path, HINT);
	if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
	throw new SallyportError("invalid", `${path} holds no certificate`, {
		hint: "--acme-ca names the root of the CA's own https address, in PEM",
	});
}

/** The key of an account binding. @throws SallyportError `invalid`, which never quotes it */
export function readBindingKey(path: string): string {
	const key = readGivenFile(path, HINT).trim().replace(/=+$/, "");
	if (/^[A-Za-z0-9_-]+$/.test(key)) return key;
	throw new SallyportError("invalid", `${path} holds no binding key`, {
		hint: "the file holds the HMAC key as the CA gave it, in base64url, and nothing else",
	});
}

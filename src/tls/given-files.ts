/** Files that whoever runs the gateway names: certificates, keys, roots. All of them are small, and text. */
import { readFileSync, statSync } from "node:fs";
import { SallyportError } from "../errors.ts";

const FILE_BYTES_MAX = 256 * 1024;

/**
 * What such a file holds.
 * @param hint what to do about a file that is too large to be one
 * @throws SallyportError `invalid`, which never quotes it
 */
export function readGivenFile(path: string, hint: string): string {
	try {
		if (statSync(path).size <= FILE_BYTES_MAX)
			return readFileSync(path, "utf8");
	} catch (cause) {
		throw new SallyportError("invalid", `cannot read ${path}`, {
			hint: "check the path, and that this user may read the file and enter its folders",
			cause,
		});
	}
	throw new SallyportError(
		"invalid",
		`${path} is too large to be a certificate or a key`,
		{ hint },
	);
}

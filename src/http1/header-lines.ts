/**
 * Header lines as they are sent, by either side. Names and values that could end their line are refused, so that nothing
 * that was meant as a value becomes a header, or a message.
 *
 * @see RFC 9110 5.5
 */
import { SallyportError } from "../errors.ts";
import { NAME_CHARACTERS, VALUE_CHARACTERS } from "./fields.ts";

/** Checked header lines, each with its end. */
export type HeaderLines = string & { readonly __lines: true };

const NAME = new RegExp(`^[${NAME_CHARACTERS}]+$`);
const VALUE = new RegExp(`^[${VALUE_CHARACTERS}]*$`);
/** What frames a message is ours to say. */
const OWN =
	/^(host|connection|content-length|transfer-encoding|te|upgrade|expect|trailer)$/i;

/** @throws SallyportError `invalid` for a header that cannot be sent; its value is not quoted */
export function headerLines(
	headers: Readonly<Record<string, string>>,
): HeaderLines {
	const lines: string[] = [];
	for (const [name, value] of Object.entries(headers)) {
		if (!NAME.test(name) || OWN.test(name) || !VALUE.test(value))
			throw new SallyportError("invalid", "a header cannot be sent", {
				hint: `check the header ${JSON.stringify(name.slice(0, 100))} of the server`,
			});
		lines.push(name, ": ", value.trim(), "\r\n");
	}
	// Joined, not added up: that would be a tree of strings, kept for as long as the connection.
	return lines.join("") as HeaderLines;
}

/** No headers at all. */
export const NO_HEADERS = "" as HeaderLines;

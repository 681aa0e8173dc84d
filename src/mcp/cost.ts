/**
 * What a tool costs a model that is shown it: one token for every four bytes of its name, its description and its
 * input schema, which is what clients put before a model. An estimate, and said to be one: every model counts
 * otherwise, and English and JSON come to between three and five bytes a token with those in use.
 */
import { type Bytes, membersOf } from "../message.ts";

const BYTES_PER_TOKEN = 4;
const SHOWN: ReadonlySet<string> = new Set([
	"name",
	"description",
	"inputSchema",
]);

/** The estimate in words, for whoever is shown a number. */
export const TOKEN_RULE =
	"estimated: one token for every four bytes of name, description and input schema";

/** The tokens that a tool costs each conversation in which it is offered. */
export function tokensOf(tool: Bytes): number {
	const bytes = membersOf(tool, 0)
		.filter(({ key }) => SHOWN.has(key))
		.reduce((sum, { start, end }) => sum + end - start, 0);
	return Math.ceil(bytes / BYTES_PER_TOKEN);
}

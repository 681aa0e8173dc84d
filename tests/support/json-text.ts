/** Random JSON as text, in every spelling that JSON allows: what a parser would make of it is not the point. */
import fc from "fast-check";

const space = fc.constantFrom("", "", "", " ", "\t", "\n", "\r\n", "  \n ");

const number = fc.oneof(
	fc.constantFrom(
		"-0",
		"0.0",
		"1E400",
		"1e-400",
		"1E+2",
		"9007199254740993",
		"-123456789012345678901234567890.12345678901234567890",
	),
	fc.bigInt().map(String),
	fc
		.double({ noNaN: true, noDefaultInfinity: true })
		.map((value) => JSON.stringify(value)),
);

/** The inside of a string: raw characters, and escapes that a serialiser would have written otherwise. */
const character = fc.oneof(
	fc.constantFrom(
		"\\ud800",
		"\\udc00\\ud800",
		"\\u0000",
		"\\u0061",
		"\\/",
		'\\"',
		"\\\\",
		"\\b\\f\\n\\r\\t",
		"\u2028",
		"\u007f",
		"\ufeff",
		"é",
		"日本",
		"👩‍👩‍👧",
		"</script>",
		"{[,:]}",
	),
	fc
		.string({ unit: "grapheme", maxLength: 8 })
		.map((text) => JSON.stringify(text).slice(1, -1)),
);

export const stringText = fc
	.array(character, { maxLength: 6 })
	.map((parts) => `"${parts.join("")}"`);

const scalar = fc.oneof(
	number,
	stringText,
	fc.constantFrom("true", "false", "null"),
);

/** Any JSON value. Members may stand twice, or look as if they did. */
export const jsonText = fc.letrec<{ value: string }>((tie) => ({
	value: fc.oneof(
		{ depthSize: "small", withCrossShrink: true },
		scalar,
		listText("[", tie("value"), "]"),
		listText(
			"{",
			fc
				.tuple(
					fc.oneof(stringText, fc.constantFrom('"uri"', '"type"', '"id"')),
					space,
					space,
					tie("value"),
				)
				.map(
					([key, before, after, value]) => `${key}${before}:${after}${value}`,
				),
			"}",
		),
	),
})).value;

function listText(
	open: string,
	entry: fc.Arbitrary<string>,
	close: string,
): fc.Arbitrary<string> {
	return fc
		.tuple(fc.array(fc.tuple(space, entry, space), { maxLength: 4 }), space)
		.map(
			([entries, empty]) =>
				`${open}${entries.map((parts) => parts.join("")).join(",") || empty}${close}`,
		);
}

/**
 * An object with these members, each there or not, in any order; their keys are written in more than one way.
 * @param members by key: what its value may be
 */
export function objectText(
	members: Readonly<Record<string, fc.Arbitrary<string>>>,
): fc.Arbitrary<string> {
	const entries = Object.entries(members).map(([key, value]) =>
		fc
			.tuple(fc.boolean(), space, space, value, space)
			.map(([escaped, before, middle, text, after]) => {
				const name = escaped ? escapedKey(key) : `"${key}"`;
				return `${before}${name}${middle}:${text}${after}`;
			}),
	);
	return fc
		.tuple(fc.shuffledSubarray(entries), space)
		.chain(([chosen, empty]) =>
			fc.tuple(...chosen).map((texts) => `{${texts.join(",") || empty}}`),
		);
}

/** The same key, its first letter as an escape. */
function escapedKey(key: string): string {
	const code = key.charCodeAt(0).toString(16).padStart(4, "0");
	return `"\\u${code}${key.slice(1)}"`;
}

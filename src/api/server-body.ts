/**
 * A server as the API takes it: flat fields, of which one says how it is reached (`url`, `npm` or `command`).
 * Only shapes are judged here; what they mean together is `server-plan.ts`.
 */
import * as z from "zod";
import { parsePackageSpec } from "../packages/npm-spec.ts";
import { PINNINGS, RESULT_BYTES } from "../store/servers.ts";

const ITEMS_MAX = 100;
const SLOTS_MAX = 50;
const TOOLS_MAX = 1000;
const TEXT_LENGTH_MAX = 4096;
const NAME_LENGTH_MAX = 128;

const SLUG = /^[a-z][a-z0-9-]{0,31}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** RFC 9110 5.6.2 token */
const HEADER = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const SLOT = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
/** What may stand in a header's value, and nothing that ends it early (RFC 9110 5.5). */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\uffff]*$/;
const WITHOUT_NUL = /^[^\0]*$/;

/** Headers that belong to the connection or to the protocol; a server's settings do not speak for them. */
const OUR_HEADERS =
	/^(?:host|connection|content-.*|transfer-encoding|te|trailer|upgrade|keep-alive|proxy-.*|accept|expect|mcp-.*|last-event-id)$/i;
/** Variables that decide which code runs. A slot must not be one: its value may come from a member. */
const LOADER_VARIABLES =
	/^(?:PATH|HOME|SHELL|IFS|ENV|BASH_ENV|LD_.*|DYLD_.*|NODE_OPTIONS|NODE_PATH|NODE_EXTRA_CA_CERTS|BUN_.*|PYTHON.*|RUBY.*|PERL5.*|JAVA_TOOL_OPTIONS)$/;

const text = z
	.string()
	.max(TEXT_LENGTH_MAX, { error: "must be shorter" })
	.regex(WITHOUT_NUL, { error: "must not contain a NUL" });

const variableName = z
	.string()
	.max(NAME_LENGTH_MAX, { error: "must be shorter" })
	.regex(VARIABLE, { error: "must have names of letters, digits and _" });

const headerName = z
	.string()
	.max(NAME_LENGTH_MAX, { error: "must be shorter" })
	.regex(HEADER, { error: "must have names that HTTP allows" })
	.refine((name) => !OUR_HEADERS.test(name), {
		error: "must not set a header that the gateway itself sets",
	});

/** The name of a server or a toolset. */
export const slugField = z.string().regex(SLUG, {
	error: "must be 1 to 32 of a-z, 0-9 and -, beginning with a letter",
});

/** A slot's name. */
export const slotNameField = z
	.string()
	.max(NAME_LENGTH_MAX, { error: "must be shorter" })
	.regex(SLOT, {
		error: "must be letters, digits, _, . and -, beginning with a letter or _",
	});

/** A user, by e-mail address. */
export const emailField = z
	.string()
	.max(254, { error: "must be shorter" })
	.regex(/^[^\s@]+@[^\s@]+$/, { error: "must be an e-mail address" });

const urlField = text.superRefine((value, context) => {
	const refuse = (message: string): void =>
		context.addIssue({ code: "custom", message });
	const url = URL.parse(value);
	if (!url || (url.protocol !== "http:" && url.protocol !== "https:"))
		refuse("must be an http or https URL");
	else if (url.username !== "" || url.password !== "")
		refuse("must not contain a user or password: declare a slot");
	else if (url.hash !== "") refuse("must not contain a fragment (#)");
});

const npmField = text.superRefine((value, context) => {
	try {
		parsePackageSpec(value);
	} catch {
		// The pattern's own words name the package; a field's message says only what it must be.
		context.addIssue({
			code: "custom",
			message: "must be PACKAGE or PACKAGE@VERSION, the version exact or a tag",
		});
	}
});

const slotField = z
	.discriminatedUnion("injection", [
		z.strictObject({
			name: slotNameField,
			injection: z.literal("env"),
			target: variableName.refine((name) => !LOADER_VARIABLES.test(name), {
				error: "must not be a variable that decides which code runs",
			}),
			personal: z.boolean().default(false),
			optional: z.boolean().default(false),
		}),
		z.strictObject({
			name: slotNameField,
			injection: z.literal("header"),
			target: headerName,
			personal: z.boolean().default(false),
			optional: z.boolean().default(false),
		}),
	])
	.readonly();

/** Who may use something. */
export const accessField = z.union(
	[z.enum(["everyone", "admins"]), z.array(emailField).max(TOOLS_MAX)],
	{
		error: "must be everyone, admins or a list of users' e-mail addresses",
	},
);

/** The limit of a result, from which on it is paged. */
export const resultLimitField = z
	.number()
	.int({ error: "must be a whole number of bytes" })
	.min(RESULT_BYTES.least, {
		error: `must be at least ${RESULT_BYTES.least} bytes`,
	})
	.max(RESULT_BYTES.most, {
		error: `must be at most ${RESULT_BYTES.most} bytes`,
	})
	.nullable();

const tooMany = { error: `must be at most ${ITEMS_MAX} items` };

function fewer<T extends Record<string, string>>(record: T): boolean {
	return Object.keys(record).length <= ITEMS_MAX;
}

const fields = {
	transportType: z.enum(["stdio", "streamable_http"]),
	url: urlField,
	mode: z.enum(["auto", "http", "sse"]),
	headers: z
		.record(
			headerName,
			text.regex(HEADER_VALUE, { error: "must have values of one line" }),
		)
		.refine(fewer, tooMany),
	npm: npmField,
	command: text.min(1, { error: "must not be empty" }),
	args: z.array(text).max(ITEMS_MAX, tooMany),
	env: z.record(variableName, text).refine(fewer, tooMany),
	slots: z
		.array(slotField)
		.max(SLOTS_MAX, { error: `must be at most ${SLOTS_MAX} slots` }),
	access: accessField,
	tools: z
		.array(text.min(1, { error: "must not hold an empty name" }))
		.max(TOOLS_MAX, { error: `must be at most ${TOOLS_MAX} tools` })
		.nullable(),
	enabled: z.boolean(),
	destructiveTools: z.boolean(),
	pinning: z.enum(PINNINGS),
	resultBytesMax: resultLimitField,
};

/** `PUT /api/mcp/servers/:slug`: what is given is changed. */
export const ServerChanges = z.strictObject(fields).partial();
export type ServerChanges = z.infer<typeof ServerChanges>;

/** `POST /api/mcp/servers` */
export const NewServer = ServerChanges.extend({ name: slugField });
export type NewServer = z.infer<typeof NewServer>;

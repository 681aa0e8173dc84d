/** The catalogue on the command line: what is in it, and an entry as the body of `servers add`. */

import { nearest } from "../config.ts";
import { SallyportError } from "../errors.ts";
import type { CatalogueEntry } from "../packages/catalogue.ts";
import {
	type Declaration,
	settleDeclaration,
} from "../packages/declaration.ts";
import type { Context } from "./command.ts";
import { printJson, printTable } from "./output.ts";

/** `servers catalogue` */
export async function listEntries(context: Context): Promise<void> {
	const { io, json, client } = context;
	const reply = await client.get("/api/catalogue");
	if (json) return printJson(io, reply);
	printTable(
		io,
		["ID", "NEEDS", "WHAT IT DOES"],
		entriesOf(reply).map((entry) => [
			entry.id,
			needsOf(entry),
			`${entry.name}: ${entry.summary}`,
		]),
		"the catalogue is empty",
	);
}

/** An entry by its id. @throws SallyportError `not_found` */
export async function requireEntry(
	{ client }: Context,
	id: string,
): Promise<CatalogueEntry> {
	const entries = entriesOf(await client.get("/api/catalogue"));
	const entry = entries.find((candidate) => candidate.id === id);
	if (entry) return entry;
	const near = nearest(
		id,
		entries.map((candidate) => candidate.id),
	);
	throw new SallyportError("not_found", `the catalogue has no ${id}`, {
		hint: near ? `did you mean ${near}` : "sallyport servers catalogue",
	});
}

/**
 * What `servers add` sends for an entry, or for what a `server.json` declares: its own settings, filled with what was given by `--env`, `--header` and after
 * `--`; secrets come later, by `secrets set`.
 * @throws SallyportError `invalid` when something that is no secret is missing
 */
export function catalogueBody(
	entry: Declaration,
	given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
	const { env = {}, headers = {}, args = [], slots: _, ...rest } = given;
	const values = {
		env: env as Readonly<Record<string, string>>,
		header: headers as Readonly<Record<string, string>>,
	};
	const inputs = entry.inputs.map((input) =>
		input.secret ? { ...input, required: false } : input,
	);
	const { settings, problems } = settleDeclaration(
		{ ...entry, inputs },
		(key) => {
			const input = inputs.find((candidate) => candidate.key === key);
			if (!input || input.secret) return "";
			return input.kind === "argument"
				? (args as readonly string[]).join("\n")
				: (values[input.kind][input.target] ?? "");
		},
	);
	const [wrong] = problems.keys();
	if (wrong !== undefined)
		throw missing(entry, wrong, problems.get(wrong) ?? "");
	// Which secrets must be there is the entry's to say, although they come later.
	const slots = settings.slots.map((slot) => ({
		...slot,
		optional: !entry.inputs.some(
			(input) => input.required && input.target === slot.target,
		),
	}));
	return { ...settings, slots, ...rest };
}

function missing(
	{ inputs }: Declaration,
	key: string,
	problem: string,
): SallyportError {
	const input = inputs.find((candidate) => candidate.key === key);
	const flag = {
		env: `--env ${input?.target}=VALUE`,
		header: `--header '${input?.target}: VALUE'`,
		argument: `at the end: -- ${input?.placeholder || "VALUE"}`,
	}[input?.kind ?? "argument"];
	return new SallyportError(
		"invalid",
		problem.charAt(0).toLowerCase() + problem.slice(1).replace(/\.$/, ""),
		{ hint: `give it ${flag.startsWith("at") ? flag : `with ${flag}`}` },
	);
}

function entriesOf(
	reply: Readonly<Record<string, unknown>>,
): readonly CatalogueEntry[] {
	return reply["catalogue"] as readonly CatalogueEntry[];
}

function needsOf({ signIn, inputs }: CatalogueEntry): string {
	if (signIn === "oauth") return "a sign-in";
	if (inputs.some(({ required, secret }) => required && secret)) return "a key";
	return inputs.some(({ required }) => required) ? "settings" : "nothing";
}

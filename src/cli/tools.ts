/** `sallyport tools …`: the tools of all servers, under the names that clients see at `/mcp`. */
import { SallyportError } from "../errors.ts";
import { skipSpace } from "../json.ts";
import { memberOf, parseJson, textOf, toBytes } from "../message.ts";
import type { Effective } from "../ops/effective.ts";
import type { Command, Context } from "./command.ts";
import { readInput } from "./input.ts";
import {
	type Io,
	printJson,
	printLine,
	printNote,
	printTable,
	printWarning,
} from "./output.ts";

const DESCRIPTION_LENGTH_MAX = 80;

type Tool = { readonly name: string; readonly description?: string };
type Failure = {
	readonly serverName: string;
	readonly error: string;
	readonly hint?: string;
};

const USER = { name: "user", value: "EMAIL", summary: "as that user" };

/** Commands about tools. */
export const toolCommands: readonly Command[] = [
	{
		noun: "tools",
		verb: "list",
		summary: "the tools of all servers, or what a client sees at an endpoint",
		words: [],
		flags: [
			USER,
			{
				name: "endpoint",
				value: "/mcp[/SLUG]",
				summary: "as a client sees them there, with what they cost",
			},
			{
				name: "client",
				value: "ID",
				summary: "as that client of the user sees them",
			},
			{ name: "why", summary: "what is hidden too, by whom and why" },
		],
		examples: [
			"sallyport tools list",
			"sallyport tools list --user ada@example.org --json",
			"sallyport tools list --user ada@example.org --endpoint /mcp/reading --why",
		],
		run: list,
	},
	{
		noun: "tools",
		verb: "call",
		summary: "call a tool",
		words: ["TOOL"],
		flags: [
			{
				name: "args",
				value: "JSON|-",
				summary: "its arguments, or - for standard input",
			},
			USER,
		],
		examples: [
			"sallyport tools call memory_read_graph",
			`sallyport tools call everything_echo --args '{"message":"hello"}'`,
			"sallyport tools call notes_create --args - < arguments.json",
		],
		run: call,
	},
];

/** What a client sees right now. */
async function view(context: Context): Promise<void> {
	const { io, json, client, one } = context;
	const query = new URLSearchParams({ endpoint: one("endpoint") ?? "/mcp" });
	const user = one("user");
	if (user !== undefined) query.set("username", user);
	const clientId = one("client");
	if (clientId !== undefined) query.set("client", clientId);
	const reply = await client.get(`/api/mcp/view?${query}`);
	if (json) return printJson(io, reply);
	const seen = reply as unknown as Effective & { readonly tokenRule: string };
	const why = context.has("why");
	printTable(
		io,
		[
			"TOOL",
			"TOKENS",
			"AS CLIENTS SHOW IT",
			...(why ? ["HIDDEN BECAUSE"] : []),
		],
		seen.tools
			.filter(({ shown }) => shown || why)
			.map((tool) => [
				tool.shownAs,
				String(tool.tokens),
				tool.clientName,
				tool.why ?? "",
			]),
		"nothing is shown there",
	);
	if (why)
		for (const hidden of seen.hiddenServers)
			printNote(io, `nothing of ${hidden.server}: ${hidden.why}`);
	printNote(io, `${seen.tokens} tokens for what is shown (${seen.tokenRule})`);
}

/** A table of tools, each name after `prefix`. @param tools as the API gave them */
export function printTools(io: Io, tools: unknown, prefix: string): void {
	const rows = (tools as readonly Tool[]).map((tool) => rowOf(tool, prefix));
	printTable(io, ["TOOL", "DESCRIPTION"], rows, "no tools");
}

async function list(context: Context): Promise<void> {
	const { io, json, client } = context;
	if (["endpoint", "client", "why"].some(context.has)) return view(context);
	const user = context.one("user");
	const reply = await client.get(
		`/api/mcp/tools${user === undefined ? "" : `?username=${encodeURIComponent(user)}`}`,
	);
	if (json) return printJson(io, reply);
	const entries = (
		reply["tools"] as readonly Readonly<Record<string, readonly Tool[]>>[]
	).flatMap(Object.entries);
	const short = reply["shortNames"] as Readonly<Record<string, string>>;
	const rows = (entries as [string, readonly Tool[]][]).flatMap(
		([slug, tools]) =>
			tools.map((tool) => {
				const [name, description] = rowOf(tool, `${slug}_`);
				return [short[name] ?? name, description];
			}),
	);
	printTable(
		io,
		["TOOL", "DESCRIPTION"],
		rows,
		"no tools: sallyport servers list shows the servers",
	);
	for (const { serverName, error, hint } of reply[
		"failures"
	] as readonly Failure[])
		printWarning(io, { message: `${serverName}: ${error}`, hint });
}

async function call(context: Context): Promise<void> {
	const { io, json, client } = context;
	const exposed = context.words[0] as string;
	const at = exposed.indexOf("_");
	if (at < 1)
		throw new SallyportError(
			"invalid",
			`${exposed} is not the name of a tool`,
			{
				hint: "a tool is named SLUG_TOOL: sallyport tools list",
			},
		);
	const args = await readArguments(context);
	const head = {
		serverName: exposed.slice(0, at),
		methodName: exposed.slice(at + 1),
		username: context.one("user"),
	};
	const answer = toBytes(
		await client.postText(
			"/api/mcp/tool/call",
			`${JSON.stringify(head).slice(0, -1)},"args":${args}}`,
		),
	);
	const data = memberOf(answer, skipSpace(answer, 0), "data");
	if (!data) throw new SallyportError("internal", "the service gave no result");
	const result = parseJson(answer, data) as {
		readonly isError?: unknown;
		readonly content?: unknown;
	};
	if (json) io.stdout(`{"data":${textOf(answer, data)}}\n`);
	else for (const line of linesOf(result)) printLine(io, line);
	if (result.isError === true)
		throw new SallyportError("upstream", `the tool ${exposed} failed`, {
			hint: "its own words are above",
		});
}

/** The arguments as JSON text, proven to be an object, and sent as they were written. */
async function readArguments(context: Context): Promise<string> {
	const given = context.one("args") ?? "{}";
	const text =
		given === "-" ? await readInput(context.io, "-", "the arguments") : given;
	try {
		const value: unknown = JSON.parse(text);
		if (typeof value === "object" && value !== null && !Array.isArray(value))
			return text;
	} catch {
		// Said below, in our words: the parser's own would repeat the text.
	}
	throw new SallyportError("invalid", "the arguments are not a JSON object", {
		hint: `--args '{"name": "value"}', or --args - to read them from standard input`,
	});
}

/** Text blocks as text; anything else as JSON, so that nothing is hidden. */
function linesOf(result: { readonly content?: unknown }): readonly string[] {
	if (!Array.isArray(result.content)) return [JSON.stringify(result)];
	return result.content.map(
		(block: { readonly type?: unknown; readonly text?: unknown }) =>
			block.type === "text" && typeof block.text === "string"
				? block.text
				: JSON.stringify(block),
	);
}

function rowOf(tool: Tool, prefix: string): readonly [string, string] {
	const line = (tool.description ?? "").trim().split("\n")[0] ?? "";
	const short =
		line.length > DESCRIPTION_LENGTH_MAX
			? `${line.slice(0, DESCRIPTION_LENGTH_MAX - 1)}…`
			: line;
	return [prefix + tool.name, short];
}

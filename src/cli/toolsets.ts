/** `sallyport toolsets …`: named selections of servers and tools, each with an endpoint of its own. */
import type { ToolsetView } from "../api/toolsets.ts";
import type { EffectiveTool } from "../ops/effective.ts";
import type { Reply } from "./client.ts";
import { type Command, type Context, type Flag, YES } from "./command.ts";
import { confirm } from "./input.ts";
import {
	countOf,
	printFacts,
	printJson,
	printLine,
	printNote,
	printTable,
} from "./output.ts";
import { accessValue, resultLimit, splitList } from "./server-flags.ts";

const FLAGS: readonly Flag[] = [
	{
		name: "server",
		value: "SLUG[:TOOL,…]",
		repeat: true,
		summary: "a server, or only these of its tools",
	},
	{ name: "title", value: "TEXT", summary: "what it is for" },
	{
		name: "access",
		value: "everyone|admins|USER,…",
		summary: "who may use it, of those who may use its servers (everyone)",
	},
	{
		name: "result-limit",
		value: "BYTES|off",
		summary: "page results larger than this (off)",
	},
];

/** Commands about toolsets. */
export const toolsetCommands: readonly Command[] = [
	{
		noun: "toolsets",
		verb: "list",
		summary: "the toolsets, and their addresses",
		words: [],
		flags: [],
		examples: ["sallyport toolsets list"],
		run: list,
	},
	{
		noun: "toolsets",
		verb: "show",
		summary: "a toolset, its tools and what they cost",
		words: ["SLUG"],
		flags: [],
		examples: ["sallyport toolsets show reading"],
		run: show,
	},
	{
		noun: "toolsets",
		verb: "add",
		summary: "put servers and tools together at an address of their own",
		words: ["SLUG"],
		flags: FLAGS,
		examples: [
			"sallyport toolsets add work --server github --server notes",
			'sallyport toolsets add reading --title "Only reading" --server files:read_file,list_directory',
		],
		run: add,
	},
	{
		noun: "toolsets",
		verb: "update",
		summary: "change a toolset; servers that are given replace those it has",
		words: ["SLUG"],
		flags: FLAGS,
		examples: ["sallyport toolsets update work --server github:get_issue"],
		run: update,
	},
	{
		noun: "toolsets",
		verb: "remove",
		summary: "remove a toolset; its servers stay",
		words: ["SLUG"],
		flags: [YES],
		examples: ["sallyport toolsets remove work --yes"],
		run: remove,
	},
];

async function list({ io, json, client }: Context): Promise<void> {
	const reply = await client.get("/api/mcp/toolsets");
	if (json) return printJson(io, reply);
	const toolsets = reply["toolsets"] as readonly ToolsetView[];
	printTable(
		io,
		["NAME", "SERVERS", "ADDRESS", "ACCESS"],
		toolsets.map((toolset) => [
			toolset.name,
			toolset.servers.map(nameSelection).join(" "),
			toolset.url,
			[toolset.access ?? ""].flat().join(", "),
		]),
		"no toolsets yet: sallyport toolsets add --help",
	);
}

async function show({ io, json, client, words }: Context): Promise<void> {
	const reply = await client.get(pathOf(words));
	if (json) return printJson(io, reply);
	const toolset = reply["toolset"] as ToolsetView;
	printFacts(io, [
		["name", toolset.name],
		...(toolset.title === "" ? [] : [["title", toolset.title] as const]),
		["address", toolset.url],
		["access", [toolset.access ?? ""].flat().join(", ")],
		...toolset.servers.map(
			(selection) => ["server", nameSelection(selection)] as const,
		),
		[
			"result limit",
			toolset.resultBytesMax === null
				? "as each server says"
				: `${toolset.resultBytesMax} bytes`,
		],
	]);
	const tools = reply["tools"] as readonly EffectiveTool[];
	printTable(
		io,
		["TOOL", "TOKENS"],
		tools.map(({ shownAs, tokens }) => [shownAs, String(tokens)]),
		"no tools",
	);
	printNote(io, `${reply["tokens"]} tokens (${reply["tokenRule"]})`);
}

async function add(context: Context): Promise<void> {
	const { io, json, client, words } = context;
	const reply = await client.post("/api/mcp/toolsets", {
		...bodyOf(context),
		name: words[0],
		servers: selections(context),
	});
	if (json) return printJson(io, reply);
	const toolset = reply["toolset"] as ToolsetView;
	printLine(io, `${toolset.name} added: ${costOf(reply)}`);
	printNote(io, `its address is ${toolset.url}`);
}

async function update(context: Context): Promise<void> {
	const { io, json, client, words } = context;
	const reply = await client.put(pathOf(words), {
		...bodyOf(context),
		...(context.has("server") && { servers: selections(context) }),
	});
	if (json) return printJson(io, reply);
	printLine(io, `${words[0]} changed: ${costOf(reply)}`);
}

async function remove(context: Context): Promise<void> {
	const { io, json, client, words } = context;
	await confirm(
		context,
		`remove the toolset ${words[0]}? clients that use its address stop working`,
	);
	const reply = await client.delete(pathOf(words));
	if (json) return printJson(io, reply);
	printLine(io, `${words[0]} removed`);
}

function costOf({ tools, tokens }: Reply): string {
	const { length } = tools as readonly unknown[];
	return `${countOf(length, "tool")}, ${countOf(Number(tokens), "token")}`;
}

function bodyOf(context: Context): Readonly<Record<string, unknown>> {
	const title = context.one("title");
	const access = context.one("access");
	const limit = context.one("result-limit");
	return {
		...(title !== undefined && { title }),
		...(access !== undefined && { access: accessValue(access) }),
		...(limit !== undefined && { resultBytesMax: resultLimit(limit) }),
	};
}

/** `files:read,write`: a slug has no colon, so the first one splits. */
function selections({ many }: Context): readonly {
	readonly server: string;
	readonly tools: readonly string[] | null;
}[] {
	return many("server").map((text) => {
		const at = text.indexOf(":");
		return at < 0
			? { server: text, tools: null }
			: { server: text.slice(0, at), tools: splitList(text.slice(at + 1)) };
	});
}

function nameSelection({
	server,
	tools,
}: ToolsetView["servers"][number]): string {
	return tools === null ? server : `${server}:${tools.join(",")}`;
}

function pathOf(words: readonly string[]): string {
	return `/api/mcp/toolsets/${encodeURIComponent(words[0] as string)}`;
}

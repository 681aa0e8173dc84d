/** `sallyport servers tools|accept` and `sallyport tools enable|disable|edit|reset`: single tools of a server. */

import { SallyportError } from "../errors.ts";
import type { ChangeView } from "../ops/tool-changes.ts";
import type { ToolView } from "../ops/tools.ts";
import type { Reply } from "./client.ts";
import { type Command, type Context, YES } from "./command.ts";
import { confirm } from "./input.ts";
import {
	type Io,
	printJson,
	printLine,
	printNote,
	printTable,
	printWarning,
} from "./output.ts";
import { printTools } from "./tools.ts";

const TOOL = ["SLUG", "TOOL"] as const;

/** Commands about what a server's tools are and may do. */
export const toolSettingCommands: readonly Command[] = [
	{
		noun: "servers",
		verb: "tools",
		summary: "the tools of one server",
		words: ["SLUG"],
		flags: [
			{ name: "user", value: "EMAIL", summary: "as that user sees them" },
			{
				name: "all",
				summary: "the hidden ones too, with their names, cost and state",
			},
			{
				name: "changes",
				summary: "what is not as it was approved, line by line",
			},
		],
		examples: [
			"sallyport servers tools memory",
			"sallyport servers tools memory --all",
			"sallyport servers tools memory --changes",
		],
		run: tools,
	},
	{
		noun: "servers",
		verb: "accept",
		summary: "approve what a server changed: everything, or what has that name",
		words: ["SLUG", "[NAME]"],
		flags: [
			YES,
			{ name: "off", summary: "and switch the tool off: it waits no more" },
		],
		examples: [
			"sallyport servers accept memory",
			"sallyport servers accept memory read_graph --yes",
			"sallyport servers accept memory new_tool --off",
			"sallyport servers accept memory instructions",
		],
		run: accept,
	},
	{
		noun: "tools",
		verb: "enable",
		summary: "let a tool be used",
		words: TOOL,
		flags: [],
		examples: ["sallyport tools enable memory delete_entities"],
		run: (context) => change(context, { enabled: true }, "enabled"),
	},
	{
		noun: "tools",
		verb: "disable",
		summary: "hide a tool from every client",
		words: TOOL,
		flags: [],
		examples: ["sallyport tools disable memory delete_entities"],
		run: (context) => change(context, { enabled: false }, "disabled"),
	},
	{
		noun: "tools",
		verb: "edit",
		summary: "give a tool another name, title or description",
		words: TOOL,
		flags: [
			{ name: "name", value: "NAME", summary: "what clients call it" },
			{ name: "title", value: "TEXT", summary: "what people read" },
			{ name: "description", value: "TEXT", summary: "what models read" },
		],
		examples: [
			"sallyport tools edit memory read_graph --name graph",
			`sallyport tools edit memory read_graph --description "Everything that is known"`,
		],
		run: edit,
	},
	{
		noun: "tools",
		verb: "reset",
		summary: "take back whatever was changed about a tool",
		words: TOOL,
		flags: [],
		examples: ["sallyport tools reset memory read_graph"],
		run: reset,
	},
];

async function tools(context: Context): Promise<void> {
	const { io, json, client, has } = context;
	if (has("all") && has("changes"))
		throw new SallyportError("invalid", "--all and --changes are two answers", {
			hint: "ask for one of them",
		});
	const path = serverPath(context);
	if (has("changes")) {
		const reply = await client.get(`${path}/changes`);
		return json ? printJson(io, reply) : printChanges(io, reply);
	}
	if (has("all")) {
		const reply = await client.get(`${path}/tool-settings`);
		return json ? printJson(io, reply) : printAll(io, reply);
	}
	const user = context.one("user");
	const query =
		user === undefined ? "" : `?username=${encodeURIComponent(user)}`;
	const reply = await client.get(`${path}/tools${query}`);
	if (json) return printJson(io, reply);
	printTools(io, reply["tools"], "");
}

function printAll(io: Io, reply: Reply): void {
	const all = reply["tools"] as readonly ToolView[];
	printTable(
		io,
		["TOOL", "STATE", "TOKENS", "AS CLIENTS SHOW IT"],
		all.map((tool) => [
			tool.name,
			stateOf(tool),
			String(tool.tokens),
			tool.clientName,
		]),
		"no tools",
	);
	if (all.length > 0)
		printNote(
			io,
			`${reply["tokens"]} tokens for what is shown (${reply["tokenRule"]})`,
		);
}

function stateOf({ hidden, destructive }: ToolView): string {
	const state = hidden?.replaceAll("_", " ") ?? "on";
	return destructive && hidden !== "destructive"
		? `${state}, destructive`
		: state;
}

function printChanges(io: Io, reply: Reply): void {
	const changes = reply["changes"] as readonly ChangeView[];
	for (const warning of reply["warnings"] as readonly {
		readonly code: string;
		readonly message: string;
		readonly hint?: string;
	}[])
		if (warning.code !== "held" && warning.code !== "long_name")
			printWarning(io, warning);
	if (changes.length === 0) printNote(io, "everything is as it was approved");
	for (const change of changes) printChange(io, change);
}

function printChange(io: Io, change: ChangeView): void {
	const { kind, name, was } = change;
	printLine(
		io,
		kind === "instructions"
			? `instructions: ${change.change}`
			: `${kind} ${name}: ${change.change}${was === null ? "" : ` from ${was}`}`,
	);
	for (const { sign, text } of change.diff) printLine(io, `${sign} ${text}`);
}

async function accept(context: Context): Promise<void> {
	const { io, json, client, words } = context;
	const [slug, name] = words;
	const path = serverPath(context);
	const { changes } = (await client.get(`${path}/changes`)) as {
		readonly changes: readonly ChangeView[];
	};
	const wanted = changes.filter(
		(change) =>
			name === undefined ||
			change.name === name ||
			(change.kind === "instructions" && name === "instructions"),
	);
	if (wanted.length === 0) {
		if (name !== undefined)
			throw new SallyportError("not_found", `nothing named ${name} waits`, {
				hint: `see what does with: sallyport servers tools ${slug} --changes`,
			});
		if (json) return printJson(io, { accepted: 0, changes });
		return printNote(io, "everything is as it was approved");
	}
	if (!json && !context.has("yes"))
		for (const change of wanted) printChange(io, change);
	await confirm(
		context,
		`approve ${wanted.length === 1 ? "this change" : `these ${wanted.length} changes`} of ${slug}?`,
	);
	const reply = await client.post(`${path}/changes/accept`, {
		changes: wanted.map(({ kind, name, digest }) => ({
			kind,
			name,
			digest,
			off: context.has("off"),
		})),
	});
	if (json) return printJson(io, reply);
	printLine(
		io,
		`${reply["accepted"]} ${reply["accepted"] === 1 ? "change" : "changes"} of ${slug} accepted`,
	);
}

async function edit(context: Context): Promise<void> {
	const changes = Object.fromEntries(
		["name", "title", "description"].flatMap((field) => {
			const value = context.one(field);
			return value === undefined ? [] : [[field, value]];
		}),
	);
	if (Object.keys(changes).length === 0)
		throw new SallyportError("invalid", "nothing to change was given", {
			hint: "give one of --name, --title and --description",
		});
	await change(context, changes, "changed");
}

async function change(
	context: Context,
	changes: Readonly<Record<string, unknown>>,
	done: string,
): Promise<void> {
	const { io, json, client, words } = context;
	const reply = await client.put(toolPath(context), changes);
	if (json) return printJson(io, reply);
	const tool = reply["tool"] as ToolView | undefined;
	printLine(io, `${words[1]} of ${words[0]} ${done}`);
	if (tool && changes["name"] !== undefined)
		printNote(io, `clients show it as ${tool.clientName}`);
}

async function reset(context: Context): Promise<void> {
	const { io, json, client, words } = context;
	const reply = await client.delete(toolPath(context));
	if (json) return printJson(io, reply);
	printLine(io, `${words[1]} is as ${words[0]} has it`);
}

function serverPath({ words }: Context): string {
	return `/api/mcp/servers/${encodeURIComponent(words[0] as string)}`;
}

function toolPath(context: Context): string {
	return `${serverPath(context)}/tools/${encodeURIComponent(context.words[1] as string)}`;
}

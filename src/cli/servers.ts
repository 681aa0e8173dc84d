/** `sallyport servers …`: the servers behind the gateway. */
import type { ServerView } from "../api/server-view.ts";
import { catalogueBody, listEntries, requireEntry } from "./catalogue.ts";
import type { Reply } from "./client.ts";
import { type Command, type Context, YES } from "./command.ts";
import { confirm } from "./input.ts";
import {
	printFacts,
	printJson,
	printLine,
	printNote,
	printTable,
	printWarning,
	showTime,
} from "./output.ts";
import { exportCommand } from "./server-export.ts";
import {
	ADD_FLAGS,
	addBody,
	UPDATE_FLAGS,
	updateBody,
} from "./server-flags.ts";
import { importCommand } from "./server-import.ts";

/** Commands about servers. */
export const serverCommands: readonly Command[] = [
	{
		noun: "servers",
		verb: "list",
		summary: "the servers, and whether they work",
		words: [],
		flags: [],
		examples: ["sallyport servers list", "sallyport servers list --json"],
		run: list,
	},
	{
		noun: "servers",
		verb: "show",
		summary: "all about one server",
		words: ["SLUG"],
		flags: [],
		examples: ["sallyport servers show memory"],
		run: show,
	},
	{
		noun: "servers",
		verb: "add",
		summary: "put a server behind the gateway",
		words: ["SLUG"],
		takesRest: true,
		flags: ADD_FLAGS,
		examples: [
			"sallyport servers add memory --npm @modelcontextprotocol/server-memory",
			"sallyport servers add files --npm @modelcontextprotocol/server-filesystem -- /srv/files",
			"sallyport servers add notes --url https://notes.example.org/mcp --slot TOKEN=header:Authorization,personal",
			"sallyport servers add github --from-catalogue github",
			"sallyport servers add local --command /usr/local/bin/my-server --env MODE=quiet --access admins -- --stdio",
		],
		run: add,
	},
	{
		noun: "servers",
		verb: "update",
		summary: "change a server; what is not given stays",
		words: ["SLUG"],
		takesRest: true,
		flags: UPDATE_FLAGS,
		examples: [
			"sallyport servers update memory --tools read_graph,search_nodes",
			"sallyport servers update notes --pinning auto --result-limit 60000",
		],
		run: update,
	},
	{
		noun: "servers",
		verb: "catalogue",
		summary: "servers that can be added by their id",
		words: [],
		flags: [],
		examples: ["sallyport servers catalogue"],
		run: listEntries,
	},
	{
		noun: "servers",
		verb: "remove",
		summary: "remove a server, its secrets and its files",
		words: ["SLUG"],
		flags: [YES],
		examples: ["sallyport servers remove memory --yes"],
		run: remove,
	},
	{
		noun: "servers",
		verb: "enable",
		summary: "let a server be used again",
		words: ["SLUG"],
		flags: [],
		examples: ["sallyport servers enable memory"],
		run: (context) => setEnabled(context, "enable"),
	},
	{
		noun: "servers",
		verb: "disable",
		summary: "stop a server and hide it from clients",
		words: ["SLUG"],
		flags: [],
		examples: ["sallyport servers disable memory"],
		run: (context) => setEnabled(context, "disable"),
	},
	{
		noun: "servers",
		verb: "restart",
		summary: "end what runs of a server; its next call starts it anew",
		words: ["SLUG"],
		flags: [],
		examples: ["sallyport servers restart memory"],
		run: restart,
	},
	{
		noun: "servers",
		verb: "logs",
		summary: "what a server last wrote to its standard error",
		words: ["SLUG"],
		flags: [],
		examples: ["sallyport servers logs memory"],
		run: logs,
	},
	importCommand,
	exportCommand,
];

async function list({ io, json, client }: Context): Promise<void> {
	const reply = await client.get("/api/mcp/servers");
	if (json) return printJson(io, reply);
	const servers = reply["servers"] as readonly ServerView[];
	printTable(
		io,
		["NAME", "KIND", "WHERE", "STATUS", "ACCESS"],
		servers.map((server) => [
			server.name,
			server.transport?.kind ?? "",
			placeOf(server),
			server.status,
			accessOf(server),
		]),
		"no servers yet: sallyport servers add --help",
	);
}

async function show({ io, json, client, words }: Context): Promise<void> {
	const reply = await client.get(
		`/api/mcp/servers/${encodeURIComponent(words[0] as string)}`,
	);
	if (json) return printJson(io, reply);
	const server = reply["server"] as ServerView;
	printFacts(io, [
		["name", server.name],
		["status", server.status],
		...(server.lastError === null
			? []
			: [["last error", server.lastError] as const]),
		["reached by", placeOf(server)],
		...argumentsOf(server),
		...server.slots.map(
			(slot) =>
				[
					`slot ${slot.name}`,
					`${slot.injection} ${slot.target}, ${slot.personal ? "personal" : "shared"}${slot.optional ? ", optional" : ""}`,
				] as const,
		),
		["access", accessOf(server)],
		["tools", server.tools === null ? "all" : server.tools.join(", ")],
		...(server.destructiveTools === false
			? [["destructive tools", "off until switched on"] as const]
			: []),
		["pinning", pinningOf(server)],
		...(server.resultBytesMax === null
			? []
			: [["result limit", `${server.resultBytesMax} bytes`] as const]),
		["added", showTime(server.createdAt)],
		["changed", showTime(server.updatedAt)],
	]);
}

async function add(context: Context): Promise<void> {
	const { io, json, client } = context;
	const slug = context.words[0] as string;
	// For eyes only: a script's stderr holds nothing but what went wrong.
	if (!json && io.isTty.stderr && context.has("npm"))
		printNote(io, `installing ${context.one("npm")} …`);
	const id = context.one("from-catalogue");
	const given = addBody(context, slug);
	const body =
		id === undefined
			? given
			: catalogueBody(await requireEntry(context, id), given);
	const reply = await client.post("/api/mcp/servers", body);
	if (json) return printJson(io, reply);
	printOutcome(context, reply, `${slug} added`);
}

async function update(context: Context): Promise<void> {
	const { io, json, client } = context;
	const slug = context.words[0] as string;
	const reply = await client.put(
		`/api/mcp/servers/${encodeURIComponent(slug)}`,
		updateBody(context, slug),
	);
	if (json) return printJson(io, reply);
	printOutcome(context, reply, `${slug} changed`);
}

/** What was done, how many tools there are, and what is wrong. */
function printOutcome({ io }: Context, reply: Reply, done: string): void {
	const toolCount = reply["toolCount"] as number | null;
	const warnings = reply["warnings"] as readonly {
		readonly message: string;
		readonly hint?: string;
	}[];
	printLine(
		io,
		toolCount === null
			? done
			: `${done}: ${toolCount} ${toolCount === 1 ? "tool" : "tools"}`,
	);
	for (const warning of warnings) printWarning(io, warning);
}

async function remove(context: Context): Promise<void> {
	const { io, json, client } = context;
	const slug = context.words[0] as string;
	await confirm(
		context,
		`remove the server ${slug}, its secrets and its files?`,
	);
	const reply = await client.delete(
		`/api/mcp/servers/${encodeURIComponent(slug)}`,
	);
	if (json) return printJson(io, reply);
	printLine(io, `${slug} removed`);
}

async function setEnabled(
	{ io, json, client, words }: Context,
	verb: "enable" | "disable",
): Promise<void> {
	const slug = words[0] as string;
	const reply = await client.put(
		`/api/mcp/servers/${encodeURIComponent(slug)}/${verb}`,
	);
	if (json) return printJson(io, reply);
	printLine(io, `${slug} ${verb}d`);
}

async function restart({ io, json, client, words }: Context): Promise<void> {
	const slug = words[0] as string;
	const reply = await client.post(
		`/api/mcp/servers/${encodeURIComponent(slug)}/restart`,
		{},
	);
	if (json) return printJson(io, reply);
	printLine(
		io,
		`${slug} ${reply["stopped"] === 0 ? "did not run" : "ended"}: its next call starts it anew`,
	);
}

async function logs({ io, json, client, words }: Context): Promise<void> {
	const slug = words[0] as string;
	const reply = await client.get(
		`/api/mcp/servers/${encodeURIComponent(slug)}/logs`,
	);
	if (json) return printJson(io, reply);
	const logs = reply["logs"] as readonly {
		readonly identity: string;
		readonly lines: readonly string[];
	}[];
	if (logs.every(({ lines }) => lines.length === 0))
		printNote(io, `${slug} has written nothing`);
	for (const { identity, lines } of logs) {
		// Only where it could be anyone's is it said whose.
		if (logs.length > 1 && lines.length > 0) printNote(io, `for ${identity}:`);
		for (const line of lines) printLine(io, line);
	}
}

function placeOf({ transport }: ServerView): string {
	switch (transport?.kind) {
		case "http":
			return transport.url;
		case "npm":
			return `${transport.package}@${transport.version}`;
		case "command":
			return transport.command;
		case undefined:
			return "";
	}
}

function argumentsOf({
	transport,
}: ServerView): readonly (readonly [string, string])[] {
	if (transport === undefined) return [];
	const values = transport.kind === "http" ? transport.headers : transport.env;
	const rows = Object.entries(values).map(
		([name, value]) =>
			[
				transport.kind === "http" ? "header" : "env",
				`${name}=${value}`,
			] as const,
	);
	return transport.kind === "http" || transport.args.length === 0
		? rows
		: [["arguments", JSON.stringify(transport.args)], ...rows];
}

function pinningOf({ name, pinning, held }: ServerView): string {
	return held
		? `${pinning}; ${held} held: sallyport servers tools ${name} --changes`
		: (pinning ?? "");
}

function accessOf({ access }: ServerView): string {
	return typeof access === "string" ? access : (access ?? []).join(", ");
}

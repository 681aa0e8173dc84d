/** `sallyport keys …`: API keys, for scripts and for MCP clients without a browser. */
import type { KeyView } from "../api/keys.ts";
import { type Command, type Context, YES } from "./command.ts";
import { confirm } from "./input.ts";
import {
	printJson,
	printLine,
	printNote,
	printTable,
	showTime,
} from "./output.ts";

/** Commands about API keys. */
export const keyCommands: readonly Command[] = [
	{
		noun: "keys",
		verb: "create",
		summary: "make a key and show it, once",
		words: ["NAME"],
		flags: [
			{ name: "user", value: "EMAIL", summary: "whom it acts as (the owner)" },
		],
		examples: [
			"sallyport keys create backup-script",
			"sallyport keys create ci --user ada@example.org > key.txt",
		],
		run: create,
	},
	{
		noun: "keys",
		verb: "list",
		summary: "the keys that work",
		words: [],
		flags: [],
		examples: ["sallyport keys list"],
		run: list,
	},
	{
		noun: "keys",
		verb: "revoke",
		summary: "end a key at once",
		words: ["ID"],
		flags: [YES],
		examples: ["sallyport keys revoke key_Zm9vYmFyYmF6 --yes"],
		run: revoke,
	},
];

async function create({
	io,
	json,
	client,
	words,
	one,
}: Context): Promise<void> {
	const reply = await client.post("/api/keys", {
		name: words[0],
		username: one("user"),
	});
	if (json) return printJson(io, reply);
	printNote(io, "keep it now: it is not shown again");
	printLine(io, String(reply["key"]));
}

async function list({ io, json, client }: Context): Promise<void> {
	const reply = await client.get("/api/keys");
	if (json) return printJson(io, reply);
	printTable(
		io,
		["ID", "NAME", "USER", "CREATED", "LAST USED"],
		(reply["keys"] as readonly KeyView[]).map((key) => [
			key.id,
			key.name,
			key.username,
			showTime(key.createdAt),
			showTime(key.lastUsedAt),
		]),
		"no keys",
	);
}

async function revoke(context: Context): Promise<void> {
	const { io, json, client, words } = context;
	const id = words[0] as string;
	await confirm(context, `end the key ${id}?`);
	const reply = await client.delete(`/api/keys/${encodeURIComponent(id)}`);
	if (json) return printJson(io, reply);
	printLine(io, `${id} revoked`);
}

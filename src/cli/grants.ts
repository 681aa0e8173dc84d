/** `sallyport grants …`: what people allowed clients. */
import type { GrantView } from "../api/grants.ts";
import { SallyportError } from "../errors.ts";
import { type Command, type Context, YES } from "./command.ts";
import { confirm } from "./input.ts";
import { printJson, printLine, printTable, showTime } from "./output.ts";

/** Commands about grants. */
export const grantCommands: readonly Command[] = [
	{
		noun: "grants",
		verb: "list",
		summary: "what people allowed clients, the last used first",
		words: [],
		flags: [],
		examples: ["sallyport grants list"],
		run: list,
	},
	{
		noun: "grants",
		verb: "revoke",
		summary: "end a grant at once, or all of a client",
		words: ["[ID]"],
		flags: [
			{
				name: "client",
				value: "ID",
				summary: "every grant of this client, instead of one",
			},
			YES,
		],
		examples: [
			"sallyport grants revoke grt_Zm9vYmFyYmF6cXV4 --yes",
			"sallyport grants revoke --client cli_Zm9vYmFyYmF6cXV4 --yes",
		],
		run: revoke,
	},
];

async function list({ io, json, client }: Context): Promise<void> {
	const reply = await client.get("/api/grants");
	if (json) return printJson(io, reply);
	printTable(
		io,
		["ID", "USER", "CLIENT", "ANSWERS GO TO", "SCOPE", "LAST USED"],
		(reply["grants"] as readonly GrantView[]).map((grant) => [
			grant.id,
			grant.username,
			grant.clientName,
			grant.redirectUri,
			grant.scope,
			showTime(grant.lastUsedAt),
		]),
		"no client was allowed anything",
	);
}

async function revoke(context: Context): Promise<void> {
	const { io, json, client, words, one } = context;
	const [id] = words;
	const of = one("client");
	if ((id === undefined) === (of === undefined))
		throw new SallyportError("invalid", "grants revoke needs ID or --client", {
			hint: "see sallyport grants revoke --help",
		});
	await confirm(
		context,
		of === undefined ? `end the grant ${id}?` : `end every grant of ${of}?`,
	);
	const reply = await client.delete(
		of === undefined
			? `/api/grants/${encodeURIComponent(id ?? "")}`
			: `/api/clients/${encodeURIComponent(of)}/grants`,
	);
	if (json) return printJson(io, reply);
	printLine(
		io,
		of === undefined ? `${id} revoked` : `${reply["ended"]} revoked`,
	);
}

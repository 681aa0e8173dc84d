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
		summary:
			"end a grant at once, or all of a client, of a person, of everybody",
		words: ["[ID]"],
		flags: [
			{
				name: "client",
				value: "ID",
				summary: "every grant of this client, instead of one",
			},
			{
				name: "user",
				value: "EMAIL",
				summary: "everything that this person allowed, instead of one",
			},
			{ name: "all", summary: "everything that anybody allowed" },
			YES,
		],
		examples: [
			"sallyport grants revoke grt_Zm9vYmFyYmF6cXV4 --yes",
			"sallyport grants revoke --client cli_Zm9vYmFyYmF6cXV4 --yes",
			"sallyport grants revoke --user ada@example.org --yes",
			"sallyport grants revoke --all --yes",
		],
		run: revoke,
	},
];

async function list({ io, json, client }: Context): Promise<void> {
	const reply = await client.get("/api/grants");
	if (json) return printJson(io, reply);
	printTable(
		io,
		["ID", "USER", "CLIENT", "ANSWERS GO TO", "SCOPE", "LAST USED", "FROM"],
		(reply["grants"] as readonly GrantView[]).map((grant) => [
			grant.id,
			grant.username,
			grant.clientName,
			grant.redirectUri,
			grant.scope,
			showTime(grant.lastUsedAt),
			grant.lastAddress ?? "",
		]),
		"no client was allowed anything",
	);
}

async function revoke(context: Context): Promise<void> {
	const { io, json, client } = context;
	const { what, path } = chosen(context);
	await confirm(context, `end ${what}?`);
	const reply = await client.delete(path);
	if (json) return printJson(io, reply);
	printLine(io, `${reply["ended"] ?? reply["revoked"]} revoked`);
}

/** Which grants were meant, in words and as a route: exactly one way to say so. */
function chosen({ words, one, has }: Context): {
	readonly what: string;
	readonly path: string;
} {
	const [id] = words;
	const of = one("client");
	const user = one("user");
	const ways = [
		id !== undefined && {
			what: `the grant ${id}`,
			path: `/api/grants/${encodeURIComponent(id)}`,
		},
		of !== undefined && {
			what: `every grant of ${of}`,
			path: `/api/clients/${encodeURIComponent(of)}/grants`,
		},
		user !== undefined && {
			what: `everything that ${user} allowed`,
			path: `/api/grants?${new URLSearchParams({ username: user })}`,
		},
		has("all") && {
			what: "everything that anybody allowed any client",
			path: "/api/grants?all=true",
		},
	].filter((way) => way !== false);
	const [way, ...others] = ways;
	if (way && others.length === 0) return way;
	throw new SallyportError(
		"invalid",
		"grants revoke needs one of ID, --client, --user and --all",
		{ hint: "see sallyport grants revoke --help" },
	);
}

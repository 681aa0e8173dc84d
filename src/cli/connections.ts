/** `sallyport connections …`: who signed in to the services behind servers. Signing in itself takes a browser. */
import type { ConnectionView } from "../api/connections.ts";
import { SallyportError } from "../errors.ts";
import { type Command, type Context, type Flag, YES } from "./command.ts";
import { confirm, readSecret } from "./input.ts";
import {
	printFacts,
	printJson,
	printLine,
	printNote,
	printTable,
	showTime,
} from "./output.ts";

const USER: Flag = {
	name: "user",
	value: "EMAIL",
	summary: "whose connection (the owner's)",
};

/** What `connections add` takes to say who this gateway is there. */
const CLIENT_FLAGS = {
	"client-id": "clientId",
	issuer: "issuer",
	provider: "provider",
	scope: "scope",
	slot: "slot",
} as const;

/** Commands about connections. */
export const connectionCommands: readonly Command[] = [
	{
		noun: "connections",
		verb: "list",
		summary: "who is signed in where, and who is not yet",
		words: [],
		flags: [USER],
		examples: ["sallyport connections list"],
		run: list,
	},
	{
		noun: "connections",
		verb: "add",
		summary: "the link on which a person signs in; and how, when told",
		words: ["SLUG"],
		flags: [
			{
				name: "client-id",
				value: "ID",
				summary: "the client that you registered at the service",
			},
			{
				name: "client-secret-file",
				value: "F|-",
				summary: "where its secret is",
			},
			{
				name: "issuer",
				value: "URL",
				summary:
					"the one authorization server it is for; or where a provider is run",
			},
			{
				name: "provider",
				value: "NAME",
				summary: "a service that does not describe itself (github, google …)",
			},
			{
				name: "scope",
				value: "'A B'",
				summary: "what to ask for, whatever the server says",
			},
			{
				name: "slot",
				value: "NAME",
				summary: "the personal slot that the token fills",
			},
		],
		examples: [
			"sallyport connections add linear",
			"sallyport connections add hub --client-id 4c1f --client-secret-file secret.txt",
			"sallyport connections add gh --provider github --client-id Iv1.8a6 --client-secret-file - --slot GITHUB_TOKEN --scope 'repo read:org'",
		],
		run: add,
	},
	{
		noun: "connections",
		verb: "remove",
		summary: "end a connection, here and at the service",
		words: ["SLUG"],
		flags: [USER, YES],
		examples: ["sallyport connections remove linear --yes"],
		run: remove,
	},
	{
		noun: "connections",
		verb: "refresh",
		summary: "renew the tokens of a connection now",
		words: ["SLUG"],
		flags: [USER],
		examples: ["sallyport connections refresh linear"],
		run: refresh,
	},
];

async function list({ io, json, client, one }: Context): Promise<void> {
	const query = new URLSearchParams();
	const user = one("user");
	if (user !== undefined) query.set("username", user);
	const reply = await client.get(`/api/connections?${query}`);
	if (json) return printJson(io, reply);
	printTable(
		io,
		["SERVER", "USER", "STATUS", "ACCOUNT", "ISSUER", "RENEWED"],
		(reply["connections"] as readonly ConnectionView[]).map((row) => [
			row.serverName,
			row.username ?? "nobody yet",
			row.status,
			row.account ?? "",
			row.issuer ?? "",
			row.refreshedAt === null ? "" : showTime(row.refreshedAt),
		]),
		"no server wants its users to sign in",
	);
}

async function add(context: Context): Promise<void> {
	const { io, json, client, words, one } = context;
	const serverName = words[0];
	const changes = Object.fromEntries(
		Object.entries(CLIENT_FLAGS).flatMap(([flag, field]) => {
			const value = one(flag);
			return value === undefined ? [] : [[field, value] as const];
		}),
	);
	const secretFile = one("client-secret-file");
	if (secretFile !== undefined && changes["clientId"] === undefined)
		throw new SallyportError("invalid", "a client secret needs a --client-id", {
			hint: "see sallyport connections add --help",
		});
	const isTold = Object.keys(changes).length > 0;
	const clientSecret =
		secretFile === undefined
			? undefined
			: await readSecret(io, secretFile, "the client secret");
	const reply = isTold
		? await client.post("/api/connections/client", {
				serverName,
				...changes,
				clientSecret,
			})
		: await client.post("/api/connections", { serverName });
	if (json) return printJson(io, reply);
	if (reply["signsIn"] === false)
		printNote(
			io,
			`${serverName} has not asked anyone to sign in; the page also takes a person's own secrets`,
		);
	printFacts(io, [
		...(isTold
			? ([["redirect URI", String(reply["redirectUri"])]] as const)
			: []),
		["open", String(reply["link"])],
	]);
}

async function remove(context: Context): Promise<void> {
	const { io, json, client, words, one } = context;
	const [serverName] = words;
	await confirm(context, `end the connection to ${serverName}?`);
	const reply = await client.post("/api/connections/delete", {
		serverName,
		username: one("user"),
	});
	if (json) return printJson(io, reply);
	printLine(
		io,
		reply["removed"] === 0
			? `${reply["username"]} was not connected to ${serverName}`
			: `${reply["username"]} is disconnected from ${serverName}`,
	);
}

async function refresh({
	io,
	json,
	client,
	words,
	one,
}: Context): Promise<void> {
	const [serverName] = words;
	const reply = await client.post("/api/connections/refresh", {
		serverName,
		username: one("user"),
	});
	if (json) return printJson(io, reply);
	printLine(io, `${serverName} renewed (${reply["username"]})`);
}

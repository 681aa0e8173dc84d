/** `sallyport clients …`: who asks people for access, and who may come by themselves. */
import type { ClientView } from "../api/clients.ts";
import type { SettingsView } from "../api/settings.ts";
import { SallyportError } from "../errors.ts";
import { foldAlike } from "../ops/clients.ts";
import { type Command, type Context, YES } from "./command.ts";
import { confirm, readInput } from "./input.ts";
import {
	printFacts,
	printJson,
	printLine,
	printNote,
	printTable,
	showTime,
} from "./output.ts";

/** Commands about clients. */
export const clientCommands: readonly Command[] = [
	{
		noun: "clients",
		verb: "list",
		summary: "every client, the last used first; those alike are one line",
		words: [],
		flags: [{ name: "all", summary: "each on a line of its own" }],
		examples: ["sallyport clients list"],
		run: list,
	},
	{
		noun: "clients",
		verb: "add",
		summary: "make a client for one that cannot register itself",
		words: ["NAME"],
		flags: [
			{
				name: "redirect-uri",
				value: "URI",
				repeat: true,
				summary: "where its answers go",
			},
			{ name: "secret", summary: "make a secret and show it, once" },
			{
				name: "jwks",
				value: "F|-",
				summary: "its public keys (JSON Web Key Set), if it signs instead",
			},
			{
				name: "user",
				value: "EMAIL",
				summary: "as whom it may act without a person (client_credentials)",
			},
			{
				name: "introspect",
				value: "SLUG",
				repeat: true,
				summary: "a server whose tokens it may look at",
			},
		],
		examples: [
			"sallyport clients add librechat --redirect-uri https://chat.example.org/api/mcp/gw/oauth/callback --secret",
			"sallyport clients add nightly --secret --user ada@example.org",
		],
		run: add,
	},
	{
		noun: "clients",
		verb: "approve",
		summary: "let a waiting client ask people",
		words: ["ID"],
		flags: [],
		examples: ["sallyport clients approve cli_Zm9vYmFyYmF6cXV4"],
		run: approve,
	},
	{
		noun: "clients",
		verb: "revoke",
		summary: "forget a client and end all it was allowed",
		words: ["ID"],
		flags: [YES],
		examples: ["sallyport clients revoke cli_Zm9vYmFyYmF6cXV4 --yes"],
		run: revoke,
	},
	{
		noun: "clients",
		verb: "policy",
		summary: "show or choose which clients may come by themselves",
		words: [],
		flags: [
			{
				name: "registration",
				value: "off|known|approve|open",
				summary: "who may register",
			},
			{
				name: "documents",
				value: "on|off",
				summary: "whether a client may be the URL of its own document",
			},
			{
				name: "device",
				value: "on|off",
				summary: "whether a device may show a code for a person to type",
			},
		],
		examples: [
			"sallyport clients policy",
			"sallyport clients policy --registration approve",
			"sallyport clients policy --documents off",
		],
		run: policy,
	},
];

async function list({ io, json, client, has }: Context): Promise<void> {
	const reply = await client.get("/api/clients");
	if (json) return printJson(io, reply);
	const rows = reply["clients"] as readonly ClientView[];
	const lines = has("all")
		? rows.map((row) => ({ client: row, ids: [row.id], grants: row.grants }))
		: foldAlike(rows, ({ status }) => status === "waiting");
	printTable(
		io,
		[
			...["ID", "CALLS ITSELF", "ANSWERS GO TO", "STATUS", "GRANTS"],
			...["LAST USED", "FROM"],
		],
		lines.map(({ client: row, ids, grants }) => [
			ids.length === 1 ? row.id : `${row.id} and ${ids.length - 1} alike`,
			row.name,
			row.redirectUris[0] ?? "",
			row.status,
			String(grants),
			showTime(row.lastUsedAt),
			row.lastAddress ?? "",
		]),
		"no clients yet: paste the address of this gateway into one",
	);
}

async function add(context: Context): Promise<void> {
	const { io, json, client, words, has, one, many } = context;
	const jwks = one("jwks");
	const reply = await client.post("/api/clients", {
		name: words[0],
		jwks: jwks === undefined ? undefined : await readKeys(context, jwks),
		redirectUris: many("redirect-uri"),
		secret: has("secret"),
		username: one("user"),
		introspects: many("introspect"),
	});
	if (json) return printJson(io, reply);
	if (typeof reply["secret"] === "string")
		printNote(io, "keep the secret now: it is not shown again");
	printFacts(io, [
		["client id", String(reply["id"])],
		...(typeof reply["secret"] === "string"
			? ([["client secret", reply["secret"]]] as const)
			: []),
	]);
}

async function readKeys({ io }: Context, source: string): Promise<unknown> {
	const text = await readInput(io, source, "the key set");
	try {
		return JSON.parse(text);
	} catch {
		throw new SallyportError("invalid", "the key set is not JSON", {
			hint: 'it looks like {"keys":[{"kty":"EC",…}]}',
		});
	}
}

async function approve({ io, json, client, words }: Context): Promise<void> {
	const id = words[0] as string;
	const reply = await client.post(
		`/api/clients/${encodeURIComponent(id)}/approve`,
		{},
	);
	if (json) return printJson(io, reply);
	printLine(io, `${id} may ask people now`);
}

async function revoke(context: Context): Promise<void> {
	const { io, json, client, words } = context;
	const id = words[0] as string;
	await confirm(context, `forget the client ${id} and end all it was allowed?`);
	const reply = await client.delete(`/api/clients/${encodeURIComponent(id)}`);
	if (json) return printJson(io, reply);
	printLine(io, `${id} revoked`);
}

async function policy(context: Context): Promise<void> {
	const { io, json, client, one } = context;
	const change = {
		registration: one("registration"),
		documents: switchOf(context, "documents"),
		device: switchOf(context, "device"),
	};
	const reply = Object.values(change).every((value) => value === undefined)
		? await client.get("/api/settings")
		: await client.put("/api/settings", { clients: change });
	if (json) return printJson(io, reply);
	const { clients } = reply as SettingsView;
	printFacts(io, [
		["registration", clients.registration],
		["documents", clients.documents ? "on" : "off"],
		["device", clients.device ? "on" : "off"],
	]);
}

function switchOf({ one }: Context, flag: string): boolean | undefined {
	const value = one(flag);
	if (value === undefined || value === "on" || value === "off")
		return value === undefined ? undefined : value === "on";
	throw new SallyportError("invalid", `--${flag} must be on or off`, {
		hint: "see sallyport clients policy --help",
	});
}

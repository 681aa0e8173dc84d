/** `sallyport secrets …`: the values of slots. They go in; nothing brings them out again. */
import type { SecretView } from "../api/secrets.ts";
import { type Command, type Context, type Flag, YES } from "./command.ts";
import { confirm, readSecret } from "./input.ts";
import { printJson, printLine, printTable, showTime } from "./output.ts";

const USER: Flag = {
	name: "user",
	value: "EMAIL",
	summary: "whose personal secret (the owner's)",
};

/** Commands about secrets. */
export const secretCommands: readonly Command[] = [
	{
		noun: "secrets",
		verb: "list",
		summary: "which slots have a value, and whose",
		words: ["[SLUG]"],
		flags: [USER],
		examples: [
			"sallyport secrets list",
			"sallyport secrets list notes --user ada@example.org",
		],
		run: list,
	},
	{
		noun: "secrets",
		verb: "set",
		summary: "give a slot its value, from standard input or a file",
		words: ["SLUG", "SLOT"],
		flags: [
			USER,
			{
				name: "file",
				value: "F|-",
				summary: "where the value is (standard input)",
			},
		],
		examples: [
			"sallyport secrets set notes TOKEN < token.txt",
			"pass show notes | sallyport secrets set notes TOKEN --user ada@example.org",
		],
		run: set,
	},
	{
		noun: "secrets",
		verb: "clear",
		summary: "forget the value of a slot",
		words: ["SLUG", "SLOT"],
		flags: [USER, YES],
		examples: ["sallyport secrets clear notes TOKEN --yes"],
		run: clear,
	},
];

async function list({ io, json, client, words, one }: Context): Promise<void> {
	const query = new URLSearchParams();
	const [slug] = words;
	const user = one("user");
	if (slug !== undefined) query.set("serverName", slug);
	if (user !== undefined) query.set("username", user);
	const reply = await client.get(`/api/secrets?${query}`);
	if (json) return printJson(io, reply);
	printTable(
		io,
		["SERVER", "SLOT", "OWNER", "VALUE", "SET AT"],
		(reply["secrets"] as readonly SecretView[]).map((secret) => [
			secret.serverName,
			secret.secretName,
			secret.owner ?? "nobody yet",
			secret.set ? "set" : secret.optional ? "not set (optional)" : "not set",
			secret.updatedAt === null ? "" : showTime(secret.updatedAt),
		]),
		"no server declares a slot",
	);
}

async function set({ io, json, client, words, one }: Context): Promise<void> {
	const [serverName, secretName] = words;
	const secretValue = await readSecret(io, one("file") ?? "-", "the secret");
	const reply = await client.post("/api/secrets/set", {
		serverName,
		secretName,
		secretValue,
		username: one("user"),
	});
	if (json) return printJson(io, reply);
	printLine(io, `${serverName} ${secretName} set (${reply["owner"]})`);
}

async function clear(context: Context): Promise<void> {
	const { io, json, client, words, one } = context;
	const [serverName, secretName] = words;
	await confirm(context, `forget the value of ${secretName} of ${serverName}?`);
	const reply = await client.post("/api/secrets/delete", {
		serverName,
		secretName,
		username: one("user"),
	});
	if (json) return printJson(io, reply);
	printLine(io, `${serverName} ${secretName} cleared (${reply["owner"]})`);
}

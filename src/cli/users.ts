/** `sallyport users …`: the people who may use the gateway. */
import type { UserView } from "../api/users.ts";
import type { Command, Context } from "./command.ts";
import { readSecret } from "./input.ts";
import {
	printJson,
	printLine,
	printNote,
	printTable,
	showTime,
} from "./output.ts";

/** Commands about users. */
export const userCommands: readonly Command[] = [
	{
		noun: "users",
		verb: "list",
		summary: "everyone who may sign in",
		words: [],
		flags: [],
		examples: ["sallyport users list"],
		run: list,
	},
	{
		noun: "users",
		verb: "add",
		summary: "add a user; without a password, print a link to choose one",
		words: ["EMAIL"],
		flags: [
			{
				name: "role",
				value: "admin|member",
				summary: "what they may do (member)",
			},
			{
				name: "password-file",
				value: "F|-",
				summary: "their password, from a file or standard input",
			},
		],
		examples: [
			"sallyport users add ada@example.org",
			"sallyport users add ada@example.org --role admin --password-file - < password.txt",
		],
		run: add,
	},
];

async function list({ io, json, client }: Context): Promise<void> {
	const reply = await client.get("/api/users");
	if (json) return printJson(io, reply);
	printTable(
		io,
		["EMAIL", "ROLE", "STATUS", "ADDED"],
		(reply["users"] as readonly UserView[]).map((user) => [
			user.email,
			user.role,
			user.status,
			showTime(user.createdAt),
		]),
		"no users yet: sallyport setup-link prints the link that makes the owner",
	);
}

async function add({ io, json, client, words, one }: Context): Promise<void> {
	const source = one("password-file");
	const password =
		source === undefined
			? undefined
			: await readSecret(io, source, "the password");
	const reply = await client.post("/api/users", {
		email: words[0],
		role: one("role"),
		password,
	});
	if (json) return printJson(io, reply);
	const link = reply["inviteUrl"];
	if (typeof link !== "string")
		return printLine(io, `${(reply["user"] as UserView).email} added`);
	printNote(io, "this link lets them choose a password; it works once:");
	printLine(io, link);
}

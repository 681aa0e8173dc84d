/**
 * `sallyport users …`: the people who may use the gateway. `reset-password` also works while the service is down,
 * because whoever forgot the owner's password may not get in otherwise.
 */
import type { UserView } from "../api/users.ts";
import { systemClock } from "../clock.ts";
import { parseConfig } from "../config.ts";
import { SallyportError } from "../errors.ts";
import { storedSettings } from "../ops/address.ts";
import { resetPassword as reset } from "../ops/people.ts";
import { createPasswords } from "../people/passwords.ts";
import { requireUserByEmail } from "../store/users.ts";
import { type Command, type Context, YES } from "./command.ts";
import { confirm, readSecret } from "./input.ts";
import {
	printJson,
	printLine,
	printNote,
	printTable,
	showTime,
} from "./output.ts";

const PASSWORD_FILE = {
	name: "password-file",
	value: "F|-",
	summary: "their password, from a file or standard input",
} as const;

const ROLE = {
	name: "role",
	value: "admin|member",
	summary: "what they may do (member)",
} as const;

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
		flags: [ROLE, PASSWORD_FILE],
		examples: [
			"sallyport users add ada@example.org",
			"sallyport users add ada@example.org --role admin --password-file - < password.txt",
		],
		run: add,
	},
	{
		noun: "users",
		verb: "invite",
		summary: "print a link to choose a password, fresh if there was one",
		words: ["EMAIL"],
		flags: [ROLE],
		examples: ["sallyport users invite ada@example.org --role admin"],
		run: invite,
	},
	{
		noun: "users",
		verb: "role",
		summary: "give someone another role; owner hands the gateway over",
		words: ["EMAIL", "ROLE"],
		flags: [YES],
		examples: [
			"sallyport users role ada@example.org admin",
			"sallyport users role ada@example.org owner --yes",
		],
		run: role,
	},
	{
		noun: "users",
		verb: "disable",
		summary: "keep someone out, and end all they could use",
		words: ["EMAIL"],
		flags: [],
		examples: ["sallyport users disable ada@example.org"],
		run: (context) => post(context, "disable", "is disabled"),
	},
	{
		noun: "users",
		verb: "enable",
		summary: "let someone sign in again",
		words: ["EMAIL"],
		flags: [],
		examples: ["sallyport users enable ada@example.org"],
		run: (context) => post(context, "enable", "may sign in again"),
	},
	{
		noun: "users",
		verb: "remove",
		summary: "forget someone, with their secrets, clients and keys",
		words: ["EMAIL"],
		flags: [YES],
		examples: ["sallyport users remove ada@example.org --yes"],
		run: remove,
	},
	{
		noun: "users",
		verb: "reset-password",
		summary: "end a password and all it opened; print a link to choose another",
		words: ["EMAIL"],
		flags: [PASSWORD_FILE],
		examples: [
			"sallyport users reset-password ada@example.org",
			"sallyport users reset-password ada@example.org --password-file password.txt",
		],
		run: resetPassword,
	},
	{
		noun: "users",
		verb: "reset-2fa",
		summary: "take someone's second factors and recovery codes away",
		words: ["EMAIL"],
		flags: [],
		examples: ["sallyport users reset-2fa ada@example.org"],
		run: (context) =>
			post(context, "reset-2fa", "signs in with the password alone"),
	},
];

async function list({ io, json, client }: Context): Promise<void> {
	const reply = await client.get("/api/users");
	if (json) return printJson(io, reply);
	printTable(
		io,
		["EMAIL", "ROLE", "STATUS", "SECOND FACTORS", "ADDED"],
		(reply["users"] as readonly UserView[]).map((user) => [
			user.email,
			user.role,
			user.status,
			nameFactors(user),
			showTime(user.createdAt),
		]),
		"no users yet: sallyport setup-link prints the link that makes the owner",
	);
}

function nameFactors({ secondFactors }: UserView): string {
	const { app, passkeys } = secondFactors;
	const names = [
		...(app ? ["app"] : []),
		...(passkeys > 0
			? [passkeys === 1 ? "1 passkey" : `${passkeys} passkeys`]
			: []),
	];
	return names.join(", ") || "-";
}

async function add(context: Context): Promise<void> {
	const { client, words, one } = context;
	const password = await readPassword(context);
	const email = words[0];
	const role = one("role");
	showAdded(
		context,
		await client.post("/api/users", { email, role, password }),
		"added",
	);
}

async function invite(context: Context): Promise<void> {
	const { client, words, one } = context;
	const body = { email: words[0], role: one("role") };
	showAdded(context, await client.post("/api/users/invite", body), "invited");
}

async function role(context: Context): Promise<void> {
	const { io, json, client, words } = context;
	const [email = "", named = ""] = words;
	if (named === "owner")
		await confirm(
			context,
			`hand the gateway over to ${email}? you become an administrator`,
		);
	const reply = await client.put(pathOf(email, "role"), { role: named });
	if (json) return printJson(io, reply);
	printLine(io, `${email} is ${named} now`);
}

async function post(
	{ io, json, client, words }: Context,
	verb: string,
	done: string,
): Promise<void> {
	const email = words[0] ?? "";
	const reply = await client.post(pathOf(email, verb), {});
	if (json) return printJson(io, reply);
	printLine(io, `${email} ${done}`);
}

async function remove(context: Context): Promise<void> {
	const { io, json, client, words } = context;
	const email = words[0] ?? "";
	await confirm(context, `remove ${email}, with their secrets and clients?`);
	const reply = await client.delete(`/api/users/${encodeURIComponent(email)}`);
	if (json) return printJson(io, reply);
	printLine(io, `${email} removed`);
}

async function resetPassword(context: Context): Promise<void> {
	const { client, words } = context;
	const email = words[0] ?? "";
	const password = await readPassword(context);
	const reply = await client
		.post(pathOf(email, "reset-password"), { password })
		.catch((error: unknown) => {
			if (!(error instanceof SallyportError) || error.code !== "unavailable")
				throw error;
			return resetInStore(context, email, password, error);
		});
	showAdded(context, reply, "has a new password");
}

/** The same on the data itself, which nobody may be using. */
async function resetInStore(
	{ configFlags, io, program }: Context,
	email: string,
	password: string | undefined,
	notRunning: SallyportError,
): Promise<Readonly<Record<string, unknown>>> {
	const config = parseConfig(configFlags, io.env);
	const data = program.openData(config);
	try {
		const user = requireUserByEmail(data.db, email);
		const { publicUrl } = config.withDatabase(storedSettings(data.db));
		if (password === undefined && publicUrl === null)
			throw new SallyportError("unavailable", notRunning.message, {
				hint: "start it, so that the link has an address; or give --password-file F|-",
			});
		const deps = {
			...data,
			clock: systemClock,
			publicUrl: publicUrl ?? "",
			invalidate: () => {},
			dropUpstreams: () => {},
		};
		const hash =
			password === undefined ? null : await createPasswords().hash(password);
		const machine = { userId: null, role: "owner" } as const;
		const { link } = reset(deps, machine, user.id, hash);
		return { user, ...(link === null ? {} : { inviteUrl: link }) };
	} finally {
		data.close();
	}
}

async function readPassword({ io, one }: Context): Promise<string | undefined> {
	const source = one(PASSWORD_FILE.name);
	return source === undefined
		? undefined
		: readSecret(io, source, "the password");
}

function showAdded(
	{ io, json }: Context,
	reply: Readonly<Record<string, unknown>>,
	done: string,
): void {
	const link = reply["inviteUrl"];
	if (json) printJson(io, reply);
	else if (typeof link !== "string")
		printLine(io, `${(reply["user"] as UserView).email} ${done}`);
	else {
		printNote(io, "this link lets them choose a password; it works once:");
		printLine(io, link);
	}
}

function pathOf(email: string, verb: string): string {
	return `/api/users/${encodeURIComponent(email)}/${verb}`;
}

/** `sallyport init` and `sallyport setup-link`: the two ways to an owner, without and with a browser. */
import { systemClock } from "../clock.ts";
import { parseConfig } from "../config.ts";
import { SallyportError } from "../errors.ts";
import { createOwner } from "../ops/setup.ts";
import type { SetupLink } from "../ops/setup-link.ts";
import { createPasswords } from "../people/passwords.ts";
import type { Reply } from "./client.ts";
import type { Command, Context } from "./command.ts";
import { readSecret } from "./input.ts";
import {
	type Io,
	printJson,
	printLine,
	printNote,
	printWarning,
} from "./output.ts";

/** Commands of the first day. */
export const setupCommands: readonly Command[] = [
	{
		noun: "setup-link",
		verb: null,
		summary: "print a fresh one-time link to set the gateway up",
		words: [],
		flags: [],
		examples: ["sallyport setup-link"],
		run: setupLink,
	},
	{
		noun: "init",
		verb: null,
		summary: "make the owner without a browser, before the gateway first runs",
		words: [],
		flags: [
			{
				name: "admin-email",
				value: "E",
				summary: "the owner's e-mail address",
			},
			{
				name: "admin-password-file",
				value: "F|-",
				summary: "the owner's password, from a file or standard input",
			},
			{ name: "no-input", summary: "never ask (it never does)" },
		],
		examples: [
			"sallyport init --admin-email ada@example.org --admin-password-file password.txt",
			"pass show gate | sallyport init --admin-email ada@example.org --admin-password-file -",
		],
		run: init,
	},
];

async function init({
	io,
	json,
	one,
	configFlags,
	program,
}: Context): Promise<void> {
	const email = required(one("admin-email"), "--admin-email E");
	const password = await readSecret(
		io,
		required(one("admin-password-file"), "--admin-password-file F|-"),
		"the password",
	);
	const clock = systemClock;
	const data = program.openData(parseConfig(configFlags, io.env));
	try {
		const owner = await createOwner(
			{ db: data.db, clock, passwords: createPasswords() },
			{ email, password },
		);
		if (json)
			return printJson(io, {
				user: { id: owner.id, email: owner.email, role: owner.role },
			});
		printLine(io, `${owner.email} is the owner`);
		printNote(io, "next: sallyport serve");
	} finally {
		data.close();
	}
}

function required(value: string | undefined, flag: string): string {
	if (value !== undefined) return value;
	throw new SallyportError("invalid", `init needs ${flag}`, {
		hint: "see sallyport init --help",
	});
}

async function setupLink({ io, json, client }: Context): Promise<void> {
	const reply = await client.post("/api/setup-link", {});
	if (json) return printJson(io, reply);
	const link = reply as Reply & SetupLink;
	if (link.failure !== null) printFailure(io, link, link.failure);
	if (!link.trusted) printDetour(io, link);
	printNote(io, "open this link in a browser; it works once:");
	printLine(io, link.setupUrl);
}

function printFailure(
	io: Io,
	{ trusted }: SetupLink,
	{ detail, remedy }: NonNullable<SetupLink["failure"]>,
): void {
	const what = trusted
		? "the link is at this machine's address"
		: "browsers will warn of the link";
	printWarning(io, {
		message: `${what}: ${detail}`,
		hint: `${remedy}; then run sallyport setup-link again`,
	});
}

/** Where a browser will warn: a way around it, and how to be sure in spite of it. */
function printDetour(
	io: Io,
	{ tunnelUrl, fingerprint, setupUrl }: SetupLink,
): void {
	const hostname = new URL(setupUrl).hostname.replace(/^\[|\]$/g, "");
	if (tunnelUrl !== null) {
		const { port } = new URL(tunnelUrl);
		const user = io.env["SUDO_USER"] ?? io.env["USER"] ?? "root";
		const machine = hostname === "localhost" ? "THIS-MACHINE" : hostname;
		printNote(io, "safe at once, through SSH; on your own computer run");
		printNote(io, `  ssh -L ${port}:localhost:${port} ${user}@${machine}`);
		printNote(io, "and open, while that runs,");
		printNote(io, `  ${tunnelUrl}`);
	}
	if (fingerprint === null || setupUrl === tunnelUrl) return;
	printNote(io, "or go on past the warning once the certificate's SHA-256 is");
	printNote(io, `  ${fingerprint}`);
}

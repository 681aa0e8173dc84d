/** `sallyport panic` and `sallyport resume`: the red button and its release. */
import { type Command, type Context, YES } from "./command.ts";
import { confirm } from "./input.ts";
import { countOf, printJson, printLine, printNote } from "./output.ts";

/** Commands for when the gateway may be in wrong hands. */
export const panicCommands: readonly Command[] = [
	{
		noun: "panic",
		verb: null,
		summary:
			"end every client's access, stop every server, refuse all until resume",
		words: [],
		flags: [YES],
		examples: ["sallyport panic --yes"],
		run: panic,
	},
	{
		noun: "resume",
		verb: null,
		summary: "let clients in again after panic",
		words: [],
		flags: [],
		examples: ["sallyport resume"],
		run: resume,
	},
];

async function panic(context: Context): Promise<void> {
	const { io, json, client } = context;
	await confirm(context, "end every client's access and refuse them all?");
	const reply = await client.post("/api/panic", {});
	if (json) return printJson(io, reply);
	printLine(
		io,
		`stopped: ${countOf(reply["grants"] as number, "grant")} ended, ${countOf(reply["servers"] as number, "server")} stopped, every client and API key refused`,
	);
	printNote(
		io,
		"what may be in wrong hands is to be replaced: sallyport users reset-password, keys revoke, fresh keys at the services; then: sallyport resume",
	);
}

async function resume({ io, json, client }: Context): Promise<void> {
	const reply = await client.post("/api/resume", {});
	if (json) return printJson(io, reply);
	printLine(
		io,
		"clients are let in again; people sign in with theirs once more",
	);
}

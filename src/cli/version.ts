/** `sallyport version`, and `serve` as the help lists it; it is `main.ts` that serves. */
import { SETTINGS } from "../config.ts";
import { SallyportError } from "../errors.ts";
import type { Command, Context } from "./command.ts";
import { printJson, printLine } from "./output.ts";

/** Commands that are about the program itself. */
export const programCommands: readonly Command[] = [
	{
		noun: "serve",
		verb: null,
		summary: "run the gateway",
		words: [],
		flags: SETTINGS.filter((setting) => setting.name !== "data_dir").map(
			(setting) => ({
				name: setting.name.replaceAll("_", "-"),
				value: setting.placeholder,
				...(setting.list ? { repeat: true as const } : {}),
				summary: setting.summary,
			}),
		),
		examples: [
			"sallyport serve",
			"sallyport serve --data-dir /srv/sallyport --listen localhost:9000",
			"sallyport serve --public-url https://gate.example.org",
			"sallyport serve --public-url https://gate.example.org --tls files --tls-cert cert.pem --tls-key key.pem",
			"sallyport serve --public-url https://gate.example.org --tls off --trusted-proxy 10.0.0.1",
		],
		run: () => {
			throw new SallyportError("internal", "serve is not run from here");
		},
	},
	{
		noun: "version",
		verb: null,
		summary: "which release this is",
		words: [],
		flags: [],
		examples: ["sallyport version", "sallyport version --json"],
		run: showVersion,
	},
	{
		noun: "help",
		verb: null,
		summary: "help about a command",
		words: ["[NOUN]", "[VERB]"],
		flags: [],
		examples: ["sallyport help servers add"],
		run: () => {
			throw new SallyportError("internal", "help is not run from here");
		},
	},
];

/** Answers without the service, which may be of another release. */
async function showVersion({ io, json, program }: Context): Promise<void> {
	if (json) return printJson(io, { version: program.version });
	printLine(io, `sallyport ${program.version}`);
}

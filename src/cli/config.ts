/** `sallyport config …`: the settings of `serve`, as the service that runs has them. */
import type { SettingsView } from "../api/settings.ts";
import type { Command, Context } from "./command.ts";
import { printJson, printTable } from "./output.ts";

/** Commands about the machine's configuration. */
export const configCommands: readonly Command[] = [
	{
		noun: "config",
		verb: "show",
		summary: "the settings in force",
		words: [],
		flags: [
			{
				name: "origin",
				summary: "where each comes from: flag, environment, file, database",
			},
		],
		examples: ["sallyport config show --origin"],
		run: show,
	},
];

async function show({ io, json, client, has }: Context): Promise<void> {
	const { configuration } = (await client.get(
		"/api/settings",
	)) as unknown as SettingsView;
	if (json) return printJson(io, { configuration });
	const columns = has("origin") ? 3 : 2;
	printTable(
		io,
		["SETTING", "VALUE", "ORIGIN"].slice(0, columns),
		configuration.map(({ name, value, origin }) =>
			[name, [value ?? ""].flat().join(", "), origin].slice(0, columns),
		),
		"no settings",
	);
}

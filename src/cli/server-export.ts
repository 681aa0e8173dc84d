/**
 * `sallyport servers export`: servers in the shape of clients' files (`mcpServers`), for another gateway or for a client.
 * A secret's value is not here to be had: in its place stands a blank, `${SLOT}`, which `servers import` makes the slot
 * of again. What no client has a word for is under `sallyport`, and only where it is not as usual.
 */
import type { ServerView } from "../api/server-view.ts";
import type { Transport } from "../store/servers.ts";
import type { Command, Context } from "./command.ts";
import { printJson, printNote } from "./output.ts";

type Fields = Readonly<Record<string, unknown>>;

/** `servers export` */
export const exportCommand: Command = {
	noun: "servers",
	verb: "export",
	summary: "servers as a client's settings file, without their secrets",
	words: ["[SLUG…]"],
	flags: [],
	examples: [
		"sallyport servers export > servers.json",
		"sallyport servers export memory notes",
	],
	run: exportServers,
};

async function exportServers({
	io,
	json,
	client,
	words,
}: Context): Promise<void> {
	const servers =
		words.length === 0
			? ((await client.get("/api/mcp/servers"))[
					"servers"
				] as readonly ServerView[])
			: await Promise.all(
					words.map(
						async (slug) =>
							(
								await client.get(`/api/mcp/servers/${encodeURIComponent(slug)}`)
							)["server"] as ServerView,
					),
				);
	const entries = servers.map((server) => [server.name, entryOf(server)]);
	printJson(io, { mcpServers: Object.fromEntries(entries) }, json ? 0 : 2);
	const slots = servers.flatMap((server) => server.slots);
	if (!json && slots.length > 0)
		printNote(
			io,
			"without the values of secrets: give them where it is imported",
		);
}

/** One server. */
function entryOf(server: ServerView): Fields {
	const { transport } = server;
	const ours = oursOf(server);
	return {
		...(transport ? wayOf(transport, blanksOf(server)) : {}),
		...(server.enabled ? {} : { disabled: true }),
		...(Object.keys(ours).length > 0 ? { sallyport: ours } : {}),
	};
}

function wayOf(
	transport: Transport,
	blanks: Readonly<Record<string, string>>,
): Fields {
	if (transport.kind === "http")
		return {
			type: transport.mode === "sse" ? "sse" : "http",
			url: transport.url,
			headers: { ...transport.headers, ...blanks },
		};
	const program =
		transport.kind === "npm"
			? {
					command: "npx",
					args: [
						"-y",
						`${transport.package}@${transport.version}`,
						...transport.args,
					],
				}
			: { command: transport.command, args: transport.args };
	return { ...program, env: { ...transport.env, ...blanks } };
}

function blanksOf({ slots }: ServerView): Readonly<Record<string, string>> {
	return Object.fromEntries(
		slots.map(({ name, target }) => [target, `\${${name}}`]),
	);
}

/** What is not as `servers add` has it by itself. */
function oursOf(server: ServerView): Fields {
	const { transport, access, tools, pinning, destructiveTools } = server;
	const slots = server.slots.filter((slot) => slot.personal || slot.optional);
	return {
		...(transport?.kind === "http" && transport.mode === "http"
			? { mode: "http" }
			: {}),
		...(access === "everyone" ? {} : { access }),
		...(tools === null ? {} : { tools }),
		...(pinning === "hold" ? {} : { pinning }),
		...(destructiveTools === false ? { destructiveTools } : {}),
		...(server.resultBytesMax === null
			? {}
			: { resultBytesMax: server.resultBytesMax }),
		...(slots.length === 0
			? {}
			: {
					slots: Object.fromEntries(
						slots.map(({ name, personal, optional }) => [
							name,
							{ personal, optional },
						]),
					),
				}),
	};
}

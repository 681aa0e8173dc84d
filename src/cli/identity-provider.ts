/** `sallyport identity-provider …`: the OpenID provider that people may sign in with. */
import type { IdentityProviderView } from "../api/identity-provider.ts";
import { SallyportError } from "../errors.ts";
import { type Command, type Context, YES } from "./command.ts";
import { confirm, readSecret } from "./input.ts";
import { printFacts, printJson, printLine, printNote } from "./output.ts";

const NOUN = "identity-provider";
const PATH = "/api/identity-provider";

/** Commands about the identity provider. */
export const identityProviderCommands: readonly Command[] = [
	{
		noun: NOUN,
		verb: "show",
		summary: "with which provider people may sign in",
		words: [],
		flags: [],
		examples: ["sallyport identity-provider show"],
		run: show,
	},
	{
		noun: NOUN,
		verb: "set",
		summary: "let people sign in with an OpenID provider",
		words: ["ISSUER"],
		flags: [
			{
				name: "client-id",
				value: "ID",
				summary: "what the provider knows this gateway as",
			},
			{
				name: "client-secret-file",
				value: "F|-",
				summary: "the secret it gave, from a file or standard input",
			},
			{
				name: "allow-domain",
				value: "DOMAIN",
				repeat: true,
				summary: "only addresses of these domains",
			},
			{
				name: "provision",
				summary: "whoever is not known becomes a member (needs a domain)",
			},
		],
		examples: [
			"sallyport identity-provider set https://id.example.org --client-id sallyport --client-secret-file - --allow-domain example.org",
		],
		run: set,
	},
	{
		noun: NOUN,
		verb: "remove",
		summary: "nobody signs in with it any more",
		words: [],
		flags: [YES],
		examples: ["sallyport identity-provider remove --yes"],
		run: remove,
	},
];

async function show({ io, json, client }: Context): Promise<void> {
	const reply = await client.get(PATH);
	if (json) return printJson(io, reply);
	const provider = reply["identityProvider"] as IdentityProviderView | null;
	if (provider === null) {
		printNote(io, "there is none: people sign in with a password or a passkey");
		printNote(io, `a provider is told this address: ${reply["redirectUri"]}`);
		return;
	}
	printFacts(io, [
		["issuer", provider.issuer],
		["client id", provider.clientId],
		["secret", provider.hasSecret ? "set" : "none"],
		["domains", provider.domains.join(", ") || "any"],
		["new people", provider.provisions ? "become members" : "are refused"],
		["redirect uri", provider.redirectUri],
	]);
}

async function set({
	io,
	json,
	client,
	words,
	one,
	many,
	has,
}: Context): Promise<void> {
	const clientId = one("client-id");
	if (clientId === undefined)
		throw new SallyportError("invalid", "set needs --client-id ID", {
			hint: "the provider gives it when you add this gateway there",
		});
	const source = one("client-secret-file");
	const reply = await client.put(PATH, {
		issuer: words[0],
		clientId,
		clientSecret:
			source === undefined
				? undefined
				: await readSecret(io, source, "the client secret"),
		domains: many("allow-domain"),
		provisions: has("provision"),
	});
	if (json) return printJson(io, reply);
	printLine(io, `people may sign in with ${words[0]}`);
	printNote(io, `it must know this address: ${reply["redirectUri"]}`);
	printNote(io, "whoever has an account here links it under Account first");
}

async function remove(context: Context): Promise<void> {
	const { io, json, client } = context;
	await confirm(context, "remove the identity provider?");
	const reply = await client.delete(PATH);
	if (json) return printJson(io, reply);
	printLine(io, "nobody signs in with it any more");
}

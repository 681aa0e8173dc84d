/**
 * `sallyport servers import`: every server of a client's settings file, each added as `servers add` would, or not at
 * all; what became of it is said for each. Secrets go from the file to the vault, and into nothing that is printed.
 */
import { judgeBody } from "../api/body.ts";
import { NewServer } from "../api/server-body.ts";
import { planWay } from "../api/server-plan.ts";
import { SallyportError } from "../errors.ts";
import {
	parseClientText,
	readClientFile,
	readClientServer,
} from "../packages/client-file.ts";
import { type Declaration, readServerJson } from "../packages/declaration.ts";
import { type ImportPlan, planImport, slugFor } from "../packages/import.ts";
import { catalogueBody } from "./catalogue.ts";
import type { Client } from "./client.ts";
import type { Command, Context } from "./command.ts";
import { readInput } from "./input.ts";
import {
	asFailure,
	countOf,
	printJson,
	printLine,
	printNote,
	printWarning,
} from "./output.ts";
import { ADD_FLAGS, accessValue } from "./server-flags.ts";

/** `servers import` */
export const importCommand: Command = {
	noun: "servers",
	verb: "import",
	summary: "add the servers of a client's settings file",
	words: ["FILE|-"],
	flags: [
		{ name: "dry-run", summary: "say what would be added, and add nothing" },
		{
			name: "personal",
			value: "EMAIL",
			summary: "secrets are each user's own, those in the file this user's",
		},
		...ADD_FLAGS.filter(({ name }) => ["access", "disabled"].includes(name)),
	],
	examples: [
		"sallyport servers import claude_desktop_config.json --dry-run",
		"sallyport servers import .vscode/mcp.json --access admins",
		"sallyport servers import - < ~/.codex/config.toml",
	],
	run: importServers,
};

type Warning = { readonly message: string; readonly hint?: string };

/** What became of one server of the file. Every key is always there. */
type Outcome = {
	/** Its name in the file. */
	readonly name: string;
	readonly slug: string;
	readonly outcome: "added" | "planned" | "skipped" | "refused";
	/** What is run or called. */
	readonly way: string | null;
	readonly toolCount: number | null;
	/** Slots whose value was in the file. */
	readonly sealed: readonly string[];
	/** Slots whose value is to be given, and what the file has there. */
	readonly toGive: readonly {
		readonly slot: string;
		readonly blank: string;
		readonly description: string;
	}[];
	/** Members of the file that are not carried over. */
	readonly leftOut: readonly string[];
	readonly warnings: readonly Warning[];
	/** Why it was skipped or refused. */
	readonly reason: Warning | null;
};

type Entry = {
	readonly name: string;
	readonly slug: string;
	readonly plan: () => Omit<ImportPlan, "slug">;
};

async function importServers(context: Context): Promise<void> {
	const { io, json, client, words } = context;
	const text = await readInput(io, words[0] as string, "the file");
	const { entries, inputs, leftOut } = entriesOf(
		context,
		parseClientText(text),
	);
	const taken = await takenSlugs(client);
	const outcomes: Outcome[] = [];
	for (const entry of entries) {
		const outcome = await importOne(context, entry, taken, inputs);
		// The second of two names that come to one slug is not the first one again.
		taken.add(entry.slug);
		outcomes.push(outcome);
		if (!json) printOutcome(context, outcome);
	}
	if (json) printJson(io, { servers: outcomes, leftOut });
	else if (leftOut.length > 0)
		printWarning(io, {
			message: `the file says more, which is not about servers: ${leftOut.join(", ")}`,
		});
	if (!json) warnOfShared(context, outcomes);
	const refused = outcomes.filter(({ outcome }) => outcome === "refused");
	if (refused.length > 0)
		throw new SallyportError(
			"invalid",
			`${refused.length} of ${countOf(outcomes.length, "server")} refused: ${refused.map(({ slug }) => slug).join(", ")}`,
			{ hint: "what was added stays; correct the file and import it again" },
		);
}

/** The servers of a client's file, or the one of a `server.json`. */
function entriesOf(
	{ one }: Context,
	value: unknown,
): {
	readonly entries: readonly Entry[];
	readonly inputs: ReadonlyMap<string, string>;
	readonly leftOut: readonly string[];
} {
	const declaration = readServerJson(value)?.[0];
	if (declaration) {
		const slug = slugFor(declaration.name.split("/").at(-1) ?? "");
		const plan = (): ReturnType<Entry["plan"]> => {
			const settings = settledBody(declaration, slug);
			const blanks = (settings["slots"] as readonly { name: string }[]).map(
				({ name }): [string, string] => [name, ""],
			);
			return {
				settings,
				secrets: new Map(),
				blanks: new Map(blanks),
				leftOut: [],
			};
		};
		return {
			entries: [{ name: declaration.name, slug, plan }],
			inputs: new Map(),
			leftOut: [],
		};
	}
	const { servers, ...rest } = readClientFile(value);
	const isPersonal = one("personal") !== undefined;
	return {
		...rest,
		entries: servers.map(([name, server]) => ({
			name,
			slug: slugFor(name),
			plan: () => planImport(name, readClientServer(server), isPersonal),
		})),
	};
}

/** @throws SallyportError `invalid` when it wants settings that nobody can be asked for here */
function settledBody(
	declaration: Declaration,
	slug: string,
): ReturnType<typeof catalogueBody> {
	try {
		return catalogueBody(declaration, {});
	} catch (cause) {
		throw new SallyportError("invalid", "it needs settings beside secrets", {
			hint: `add it with them: sallyport servers add ${slug} --help`,
			cause,
		});
	}
}

/** Slugs of servers and toolsets, which share them. */
async function takenSlugs(client: Client): Promise<Set<string>> {
	const [{ servers }, { toolsets }] = (await Promise.all([
		client.get("/api/mcp/servers"),
		client.get("/api/mcp/toolsets"),
	])) as [
		{ servers: readonly { name: string }[] },
		{ toolsets: readonly { name: string }[] },
	];
	return new Set([...servers, ...toolsets].map(({ name }) => name));
}

async function importOne(
	context: Context,
	{ name, slug, plan: read }: Entry,
	taken: ReadonlySet<string>,
	inputs: ReadonlyMap<string, string>,
): Promise<Outcome> {
	const nothing: Omit<Outcome, "outcome"> = {
		...{ name, slug, way: null, toolCount: null, sealed: [], toGive: [] },
		...{ leftOut: [], warnings: [], reason: null },
	};
	if (taken.has(slug)) {
		const reason = {
			message: `there is one named ${slug} already`,
			hint: "it is as it was; rename one of them",
		};
		return { ...nothing, outcome: "skipped", reason };
	}
	try {
		const plan = read();
		const body = bodyOf(context, slug, plan.settings);
		const planned: Omit<Outcome, "outcome"> = {
			...nothing,
			way: wayOf(body),
			sealed: [...plan.secrets.keys()],
			toGive: [...plan.blanks].map(([slot, blank]) => ({
				...{ slot, blank },
				description:
					inputs.get(/\$\{input:([^}]*)\}/.exec(blank)?.[1] ?? "") ?? "",
			})),
			leftOut: plan.leftOut,
		};
		if (context.has("dry-run")) return { ...planned, outcome: "planned" };
		return {
			...planned,
			...(await addWithSecrets(context, body, plan.secrets)),
			outcome: "added",
		};
	} catch (error) {
		const { message, hint } = asFailure(error);
		const reason = { message, ...(hint === undefined ? {} : { hint }) };
		return { ...nothing, outcome: "refused", reason };
	}
}

/** The body for the API, judged as far as it can be here, so that a dry run says what a real one would. */
function bodyOf(
	{ one, has }: Context,
	slug: string,
	settings: Readonly<Record<string, unknown>>,
): NewServer {
	const access = one("access");
	const body = judgeBody(
		{
			...{ name: slug, ...settings },
			...(access === undefined ? {} : { access: accessValue(access) }),
			...(has("disabled") ? { enabled: false } : {}),
		},
		NewServer,
	);
	planWay(slug, body);
	return body;
}

/** It runs for the first time when it has its secrets; if one cannot be set, it is gone again. */
async function addWithSecrets(
	{ client, one }: Context,
	body: NewServer,
	secrets: ImportPlan["secrets"],
): Promise<Pick<Outcome, "toolCount" | "warnings">> {
	const path = `/api/mcp/servers/${encodeURIComponent(body.name)}`;
	const isEnabled = body.enabled ?? true;
	const waits = isEnabled && secrets.size > 0;
	let reply = await client.post("/api/mcp/servers", {
		...body,
		enabled: isEnabled && !waits,
	});
	try {
		for (const [secretName, secretValue] of secrets) {
			const slot = body.slots?.find(({ name }) => name === secretName);
			await client.post("/api/secrets/set", {
				...{ serverName: body.name, secretName, secretValue },
				...(slot?.personal === true ? { username: one("personal") } : {}),
			});
		}
		if (waits) reply = await client.put(path, { enabled: true });
	} catch (error) {
		await client.delete(path);
		throw error;
	}
	return {
		toolCount: reply["toolCount"] as number | null,
		warnings: reply["warnings"] as readonly Warning[],
	};
}

function wayOf({ url, npm, command, args = [] }: NewServer): string {
	return [url ?? npm ?? command, ...args].join(" ");
}

function printOutcome({ io }: Context, outcome: Outcome): void {
	const { slug, toolCount, sealed, toGive, leftOut, reason } = outcome;
	const parts = [
		...(outcome.outcome === "planned" ? [outcome.way ?? ""] : []),
		...(toolCount === null ? [] : [countOf(toolCount, "tool")]),
		...(sealed.length === 0
			? []
			: [
					`${countOf(sealed.length, "secret")} ${outcome.outcome === "planned" ? "to seal" : "sealed"} (${sealed.join(", ")})`,
				]),
		...(reason === null ? [] : [reason.message]),
	];
	const word =
		outcome.outcome === "planned" ? "would be added" : outcome.outcome;
	printLine(
		io,
		`${slug} ${word}${parts.length > 0 ? `: ${parts.join("; ")}` : ""}`,
	);
	if (reason?.hint !== undefined) printNote(io, `${slug}: ${reason.hint}`);
	for (const { slot, blank, description } of toGive)
		printWarning(io, {
			message: `${slug}: ${slot} is to be given${blank === "" ? "" : `; the file has ${blank}`}${description === "" ? "" : ` (${description})`}`,
			hint: `sallyport secrets set ${slug} ${slot} < FILE`,
		});
	if (leftOut.length > 0)
		printWarning(io, {
			message: `${slug}: not carried over: ${leftOut.join(", ")}`,
		});
	for (const warning of outcome.warnings) printWarning(io, warning);
}

/** One person's key that serves all is seldom meant. */
function warnOfShared(context: Context, outcomes: readonly Outcome[]): void {
	const isShared =
		context.one("personal") === undefined && !context.has("access");
	if (!isShared || outcomes.every(({ sealed }) => sealed.length === 0)) return;
	printWarning(context.io, {
		message: "the secrets of the file serve everyone who may use their server",
		hint: "to have it otherwise import with --access admins, or with --personal EMAIL",
	});
}

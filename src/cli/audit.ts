/** `sallyport audit …`: who did what. */
import type { AuditView } from "../api/audit.ts";
import type { Client, Reply } from "./client.ts";
import type { Command, Context } from "./command.ts";
import {
	printJson,
	printLine,
	printNote,
	printTable,
	showTime,
} from "./output.ts";

const PAGE = 1000;
const FOLLOW_EVERY_MS = 1000;

/** Commands about the audit trail. */
export const auditCommands: readonly Command[] = [
	{
		noun: "audit",
		verb: "list",
		summary: "who did what, the newest at the end",
		words: [],
		flags: [
			{
				name: "limit",
				value: "N",
				summary: "how many of the newest (50; at most 1000)",
			},
			{ name: "follow", summary: "go on with what is done from now on" },
		],
		examples: ["sallyport audit list", "sallyport audit list --follow"],
		run: list,
	},
	{
		noun: "audit",
		verb: "export",
		summary: "the whole trail, one JSON object a line",
		words: [],
		flags: [],
		examples: ["sallyport audit export > audit.jsonl"],
		run: exportTrail,
	},
];

async function list(context: Context): Promise<void> {
	const { io, json, client, one, has } = context;
	const limit = one("limit");
	const query = limit === undefined ? "" : `?${new URLSearchParams({ limit })}`;
	const reply = await client.get(`/api/audit${query}`);
	const entries = entriesOf(reply);
	if (has("follow")) return follow(context, entries);
	if (json) return printJson(io, reply);
	printTable(
		io,
		["WHEN", "WHO", "WHAT", "TO WHAT", "DETAIL"],
		entries.map(cellsOf),
		"nothing was done yet",
	);
}

/** One line an entry, as they come, until it is interrupted or the service ends. */
async function follow(
	{ io, json, client }: Context,
	newest: readonly AuditView[],
): Promise<void> {
	const print = (entry: AuditView): void =>
		json ? printJson(io, entry) : printLine(io, cellsOf(entry).join("  "));
	if (newest.length === 0) printNote(io, "nothing was done yet");
	let last = 0;
	for (let entries = newest; ; entries = await entriesAfter(client, last)) {
		entries.forEach(print);
		last = entries.at(-1)?.id ?? last;
		if (entries.length < PAGE) await Bun.sleep(FOLLOW_EVERY_MS);
	}
}

async function exportTrail({ io, client }: Context): Promise<void> {
	for (let last = 0; ; ) {
		const entries = await entriesAfter(client, last);
		for (const entry of entries) printJson(io, entry);
		last = entries.at(-1)?.id ?? last;
		if (entries.length < PAGE) return;
	}
}

async function entriesAfter(
	client: Client,
	id: number,
): Promise<readonly AuditView[]> {
	return entriesOf(await client.get(`/api/audit?after=${id}&limit=${PAGE}`));
}

function entriesOf(reply: Reply): readonly AuditView[] {
	return reply["audit"] as readonly AuditView[];
}

function cellsOf(entry: AuditView): readonly string[] {
	const { at, who, action, object, detail } = entry;
	return [showTime(at), who, action, object, detail ?? ""];
}

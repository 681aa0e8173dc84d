/** `sallyport doctor`: what is wrong and what to do; with `--client`, where a client's attempt to connect stopped. */
import type { ConnectionsView, ExaminationView } from "../api/doctor.ts";
import { systemClock } from "../clock.ts";
import { type Config, parseConfig } from "../config.ts";
import { SallyportError } from "../errors.ts";
import { type Diagnosis, listDiagnoses } from "../ops/diagnoses.ts";
import { examineStopped } from "../ops/doctor.ts";
import type { Finding } from "../ops/finding.ts";
import { makeSupportBundle } from "../ops/support-bundle.ts";
import type { Database } from "../store/database.ts";
import { findObstacle } from "../tls/listeners.ts";
import type { Reply } from "./client.ts";
import type { Command, Context } from "./command.ts";
import {
	printJson,
	printLine,
	printNote,
	printTable,
	printToFile,
	printVerdict,
	showTime,
} from "./output.ts";

/** Attempts that are told of one client, the newest. */
const ATTEMPTS_SHOWN_MAX = 3;

/** Commands that find out what is wrong. */
export const doctorCommands: readonly Command[] = [
	{
		noun: "doctor",
		verb: null,
		summary: "what is wrong and what to do about it",
		words: [],
		flags: [
			{
				name: "client",
				value: "NAME",
				summary: "where this client's attempts to connect stopped, and why",
			},
			{
				name: "bundle",
				value: "FILE",
				summary: "write what a helper needs to know, without secrets",
			},
		],
		examples: [
			"sallyport doctor",
			"sallyport doctor --client claude",
			"sallyport doctor --bundle bundle.json",
		],
		run: doctor,
	},
];

async function doctor(context: Context): Promise<void> {
	const name = context.one("client");
	const file = context.one("bundle");
	if (name !== undefined && file !== undefined)
		throw new SallyportError("invalid", "--client and --bundle go apart", {
			hint: "the bundle has every client's attempts in it",
		});
	if (name !== undefined) return connection(context, name);
	if (file !== undefined) return bundle(context, file);
	const findings = await findingsOf(context);
	if (context.json) printJson(context.io, { findings });
	else for (const finding of findings) printFinding(context, finding);
	const errors = findings.filter(({ severity }) => severity === "error");
	if (errors.length > 0)
		throw new SallyportError(
			"unsound",
			errors.length === 1
				? "one check found an error"
				: `${errors.length} checks found an error`,
			{ hint: errors[0]?.remedy ?? "see above" },
		);
}

/** What the service says; when it does not run, what can be seen without it. */
async function findingsOf(context: Context): Promise<readonly Finding[]> {
	const reply = await asked(context, "/api/doctor");
	return reply === null
		? unattended(context, (findings) => findings)
		: (reply as ExaminationView).findings;
}

async function bundle(context: Context, file: string): Promise<void> {
	const { io, json, program } = context;
	const reply = await asked(context, "/api/doctor/bundle");
	const made =
		reply === null
			? unattended(context, (findings, db, origins) =>
					makeSupportBundle({
						...{ findings, db, origins },
						version: program.version,
						now: systemClock.now(),
					}),
				)
			: reply["bundle"];
	printToFile(file, `${JSON.stringify(made, null, "\t")}\n`);
	if (json) return printJson(io, { bundle: file });
	printLine(io, `${file} written: read it before you hand it on`);
	printNote(
		io,
		"it holds no secret, token, e-mail or IP address of a person; it does hold your servers' short names and your public URL",
	);
}

/** The service's answer; null when it does not run. @throws SallyportError whatever else keeps it from answering */
async function asked(context: Context, path: string): Promise<Reply | null> {
	try {
		return await context.client.get(path);
	} catch (error) {
		if (error instanceof SallyportError && error.code === "unavailable")
			return null;
		throw error;
	}
}

function unattended<T>(
	{ io, configFlags, program }: Context,
	look: (
		findings: readonly Finding[],
		db: Database | null,
		origins: Config["origins"],
	) => T,
): T {
	const config = parseConfig(configFlags, io.env);
	return examineStopped(
		{
			now: systemClock.now(),
			place: config,
			open: () => program.openData(config),
			findObstacle,
		},
		(findings, db) => look(findings, db, config.origins),
	);
}

/** What the store remembers of a client, when the service does not run. @throws SallyportError when it cannot be read */
function remembered(db: Database | null, name: string): ConnectionsView {
	if (db !== null)
		return {
			connections: listDiagnoses(db, systemClock.now(), { client: name }),
		};
	throw new SallyportError("unavailable", "there is no data to look into", {
		hint: "see why: sallyport doctor",
	});
}

function printFinding({ io }: Context, finding: Finding): void {
	printVerdict(io, finding.severity, finding.code, finding.text);
	if (finding.remedy !== null && finding.severity !== "ok")
		printLine(io, `         do: ${finding.remedy}`);
}

async function connection(context: Context, name: string): Promise<void> {
	const { io, json } = context;
	const query = new URLSearchParams({ client: name });
	const reply = ((await asked(context, `/api/doctor/connections?${query}`)) ??
		unattended(context, (_, db) => remembered(db, name))) as ConnectionsView;
	if (json) printJson(io, reply);
	else {
		if (reply.absence) {
			printLine(io, reply.absence.text);
			printLine(io, `do: ${reply.absence.remedy}`);
		}
		for (const diagnosis of reply.connections.slice(0, ATTEMPTS_SHOWN_MAX))
			print(context, diagnosis);
	}
	const [latest] = reply.connections;
	if (!latest || ["refused", "silent"].includes(latest.verdict.state))
		throw new SallyportError(
			"unsound",
			`${latest?.name ?? name} did not connect`,
			{
				hint:
					latest?.verdict.remedy ?? reply.absence?.remedy ?? "connect it again",
			},
		);
}

function print({ io }: Context, diagnosis: Diagnosis): void {
	const { name, callsItself, clientId, verdict, steps } = diagnosis;
	const title =
		callsItself === "" || callsItself === name
			? name
			: `${name} (calls itself “${callsItself}”)`;
	printLine(io, `${title}: ${verdict.state}`);
	if (clientId !== null) printLine(io, clientId);
	printLine(io, verdict.text);
	if (verdict.remedy !== null) printLine(io, `do: ${verdict.remedy}`);
	for (const note of verdict.notes) printLine(io, `known: ${note}`);
	printTable(
		io,
		["WHEN", "STEP", "OUTCOME", "DETAIL", "FROM"],
		steps.map((step) => [
			showTime(step.at),
			step.step,
			step.outcome,
			step.detail ?? "",
			`${step.address} ${step.agent}`,
		]),
		"no steps",
	);
	printLine(io, "");
}

/** `sallyport doctor`: what is wrong and what to do; with `--client`, where a client's attempt to connect stopped. */
import type { ConnectionsView } from "../api/doctor.ts";
import { SallyportError } from "../errors.ts";
import type { Diagnosis } from "../ops/diagnoses.ts";
import type { Command, Context } from "./command.ts";
import { printJson, printLine, printTable, showTime } from "./output.ts";

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
		],
		examples: ["sallyport doctor", "sallyport doctor --client claude"],
		run: doctor,
	},
];

async function doctor(context: Context): Promise<void> {
	const name = context.one("client");
	if (name !== undefined) return connection(context, name);
}

async function connection(context: Context, name: string): Promise<void> {
	const { io, json, client } = context;
	const reply = (await client.get(
		`/api/doctor/connections?${new URLSearchParams({ client: name })}`,
	)) as ConnectionsView;
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

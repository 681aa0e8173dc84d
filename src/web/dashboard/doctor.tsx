/** The connection doctor's page: each attempt with its verdict, and its steps as a line from top to bottom. */
import type { VNode } from "preact";
import { sentence } from "../../errors.ts";
import type { judgeAbsence, Verdict } from "../../ops/connection-doctor.ts";
import type { Diagnosis } from "../../ops/diagnoses.ts";
import type { Finding } from "../../ops/finding.ts";
import type { RecordedStep, StepName } from "../../store/timeline.ts";
import { showDate } from "../dates.ts";
import { page } from "../layout.tsx";

/** Attempts on one page. */
const SHOWN_MAX = 20;

export function doctorPage(fields: {
	/** Whom the page is about; empty: everyone. */
	readonly client: string;
	readonly diagnoses: readonly Diagnosis[];
	readonly absence: ReturnType<typeof judgeAbsence>;
	/** Whether whoever looks may examine the gateway itself. */
	readonly canExamine: boolean;
}): Response {
	const { client, absence } = fields;
	const diagnoses = fields.diagnoses.slice(0, SHOWN_MAX);
	return page(
		{ title: "Connections" },
		<>
			<h1>
				{client === "" ? "How clients connect" : "How this client connects"}
			</h1>
			<p class="quiet">
				Each attempt of the last 30 days, the newest first. A line is one thing
				the client, or you, did. Nothing secret is kept here.
			</p>
			{diagnoses.length > 0 ? null : client === "" ? (
				<p>
					No client has tried yet. Paste the address from{" "}
					<a href="/">the first page</a> into one, and look here again.
				</p>
			) : (
				<>
					<p>{absence.text}</p>
					<p>{absence.remedy}</p>
				</>
			)}
			{diagnoses.map((diagnosis) => (
				<Attempt
					key={`${diagnosis.clientId} ${diagnosis.startedAt}`}
					diagnosis={diagnosis}
				/>
			))}
			<p>
				<a href="/clients">Back to clients</a>
				{client === "" ? null : (
					<>
						{" · "}
						<a href="/doctor">Every client</a>
					</>
				)}
				{fields.canExamine ? (
					<>
						{" · "}
						<a href="/doctor/gateway">Examine the gateway itself</a>
					</>
				) : null}
			</p>
		</>,
	);
}

/** What the doctor found, the worst first. */
export function examinationPage(findings: readonly Finding[]): Response {
	return page(
		{ title: "Examination" },
		<>
			<h1>How the gateway is</h1>
			<p class="quiet">
				The same as <code>sallyport doctor</code>, the worst first.
			</p>
			<ol class="timeline">
				{findings.map((finding) => (
					<li key={finding.code + finding.text} class={MARKS[finding.severity]}>
						<strong>{SEVERITIES[finding.severity]}</strong>{" "}
						<span>{sentence(finding.text)}</span>
						{finding.remedy === null ? null : (
							<span class="quiet">What to do: {finding.remedy}</span>
						)}
					</li>
				))}
			</ol>
			<p>
				<a href="/doctor">How clients connect</a>
			</p>
		</>,
	);
}

const SEVERITIES: Readonly<Record<Finding["severity"], string>> = {
	ok: "Well.",
	notice: "To know.",
	warning: "Look at it.",
	error: "Wrong.",
};

const MARKS: Readonly<Record<Finding["severity"], string>> = {
	ok: "ok",
	notice: "ok",
	warning: "waiting",
	error: "refused",
};

function Attempt({ diagnosis }: { readonly diagnosis: Diagnosis }): VNode {
	const { clientId, name, callsItself, verdict, steps, endedAt } = diagnosis;
	return (
		<section class={`attempt ${verdict.state.replace(" ", "-")}`}>
			<h2>
				<bdi>{name}</bdi>: {STATES[verdict.state]}
			</h2>
			<p class="quiet">
				{showDate(endedAt)}
				{callsItself === "" || callsItself === name ? null : (
					<>
						, calls itself “<bdi>{callsItself}</bdi>”
					</>
				)}
				{clientId === null ? null : (
					<>
						,{" "}
						<a href={`/doctor?${new URLSearchParams({ client: clientId })}`}>
							only this client
						</a>
					</>
				)}
			</p>
			<p>{verdict.text}</p>
			{verdict.remedy === null ? null : (
				<p>
					<strong>What to do.</strong> {verdict.remedy}
				</p>
			)}
			{verdict.notes.map((note) => (
				<p key={note}>
					<strong>Known with {name}.</strong> {note}
				</p>
			))}
			<ol class="timeline">
				{steps.map((step, at) => (
					<Line key={`${step.at} ${at}`} step={step} />
				))}
			</ol>
		</section>
	);
}

function Line({ step }: { readonly step: RecordedStep }): VNode {
	return (
		<li class={step.outcome}>
			<strong>{WORDS[step.step]}</strong> <span>{OUTCOMES[step.outcome]}</span>
			{step.detail === null ? null : (
				<>
					: <bdi>{step.detail}</bdi>
				</>
			)}
			<span class="quiet">
				{" "}
				{showDate(step.at)} from {step.address}{" "}
				<bdi>{step.agent === "" ? "a program without a name" : step.agent}</bdi>
			</span>
		</li>
	);
}

const STATES: Readonly<Record<Verdict["state"], string>> = {
	connected: "connected",
	"under way": "under way",
	waiting: "waiting for a person",
	refused: "refused",
	silent: "gone silent",
};

const OUTCOMES: Readonly<Record<RecordedStep["outcome"], string>> = {
	ok: "done",
	waiting: "waiting",
	refused: "refused",
};

const WORDS: Readonly<Record<StepName, string>> = {
	challenge: "A call without a valid token",
	metadata: "A look at how to sign in",
	registration: "Registration",
	document: "The client's own description",
	device: "Device code",
	authorize: "The sign-in page",
	login: "Signing in",
	consent: "The question to a person",
	code: "The code, on its way back",
	token: "The first tokens",
	mcp: "The first call",
	refresh: "New tokens",
};

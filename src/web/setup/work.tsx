/** Work as a page shows it while it runs: line after line, each with its time, and what follows when it has ended. */
import type { ComponentChildren, VNode } from "preact";
import type { SetupStep } from "../../ops/setup-steps.ts";
import type { Work, WorkLine } from "../../ops/work.ts";
import { Growing, growingPage } from "../layout.tsx";
import { Step, stepTitle } from "./step.tsx";

/** How often a line says that it goes on, while nothing else happens. */
const STILL_MS = 10_000;

/** @param fields.outcome what is shown once it has ended; not before, so that it is true then */
export function workPage(fields: {
	readonly work: Work;
	readonly step: SetupStep;
	readonly title: string;
	readonly back: string;
	readonly formAction?: readonly string[];
	readonly outcome: (succeeded: boolean) => ComponentChildren;
}): Response {
	const { work, step, title, back, outcome } = fields;
	return growingPage(
		{
			title: stepTitle(step, title),
			...(fields.formAction && { formAction: fields.formAction }),
		},
		<Step step={step} title={title} back={back}>
			<div role="log" aria-label="What was done">
				<Growing />
			</div>
		</Step>,
		partsOf(work, outcome),
	);
}

async function* partsOf(
	work: Work,
	outcome: (succeeded: boolean) => ComponentChildren,
): AsyncGenerator<VNode, void, void> {
	let seen = 0;
	let stillMs = 0;
	for (;;) {
		for (const line of work.lines().slice(seen)) {
			yield <Line line={line} />;
			seen++;
			stillMs = 0;
		}
		if (work.state() !== "running") break;
		const isSilent = await Promise.race([
			work.changed(seen).then(() => false),
			new Promise<boolean>((resolve) =>
				setTimeout(() => resolve(true), STILL_MS).unref(),
			),
		]);
		if (!isSilent) continue;
		stillMs += STILL_MS;
		yield <p class="line still">still at it, for {stillMs / 1000} s</p>;
	}
	yield (
		<div class="outcome" role="status">
			{outcome(work.state() === "done")}
		</div>
	);
}

const WORDS = { now: "", done: "Good", bad: "Failed", note: "Note" } as const;

/** A line that has come. The last one is what is being done now. */
function Line({ line }: { readonly line: WorkLine }): VNode {
	const { kind, text, remedy, copy, atMs } = line;
	return (
		<div class={`line ${kind}`}>
			<span class="at">{(atMs / 1000).toFixed(1)} s</span>
			<div>
				<p>
					{WORDS[kind] === "" ? null : <strong>{WORDS[kind]}. </strong>}
					{text}
				</p>
				{remedy === undefined ? null : <p>{remedy}</p>}
				{copy === undefined ? null : (
					<p>
						<code class="copy">{copy}</code>
					</p>
				)}
			</div>
		</div>
	);
}

/** What every page of the wizard shares: which step it is, how far that is, the way back, and what went wrong. */
import type { ComponentChildren, VNode } from "preact";
import { SETUP_STEPS, type SetupStep } from "../../ops/setup-steps.ts";

/** The frame of a step. @param props.back the page before; null: there is none */
export function Step(props: {
	readonly step: SetupStep;
	readonly title: string;
	readonly back: string | null;
	readonly problems?: readonly Wrong[];
	readonly children: ComponentChildren;
}): VNode {
	const at = SETUP_STEPS.indexOf(props.step) + 1;
	return (
		<>
			<p class="step">
				Step {at} of {SETUP_STEPS.length}
			</p>
			<svg
				class="steps"
				viewBox="0 0 60 1"
				preserveAspectRatio="none"
				aria-hidden="true"
			>
				<path d={`M0 .5H${at * 10}`} />
			</svg>
			<h1>{props.title}</h1>
			<Wrongs problems={props.problems ?? []} />
			{props.children}
			{props.back === null ? null : (
				<p class="back">
					<a href={props.back}>Back</a>
				</p>
			)}
		</>
	);
}

/** The title of a step's page. */
export function stepTitle(step: SetupStep, title: string): string {
	return `${title} · step ${SETUP_STEPS.indexOf(step) + 1} of ${SETUP_STEPS.length}`;
}

/** What is wrong, and the field it is about, if it is about one. */
export type Wrong = { readonly text: string; readonly field?: string };

/** What is wrong with a form, above it, with a way to each field. */
function Wrongs({
	problems,
}: {
	readonly problems: readonly Wrong[];
}): VNode | null {
	if (problems.length === 0) return null;
	const [only] = problems;
	return (
		<div class="notice danger" role="alert">
			<p>
				<strong>Not done.</strong>{" "}
				{problems.length === 1 && only?.field === undefined ? only?.text : null}
			</p>
			{problems.length === 1 && only?.field === undefined ? null : (
				<ul>
					{problems.map(({ text, field }) => (
						<li key={text}>
							{field === undefined ? text : <a href={`#${field}`}>{text}</a>}
						</li>
					))}
				</ul>
			)}
		</div>
	);
}

/** What is wrong with one field, if anything. */
export function wrongAt(
	problems: readonly Wrong[],
	field: string,
): string | undefined {
	return problems.find((problem) => problem.field === field)?.text;
}

/** The button that leads on. */
export function Onward(props: {
	readonly label: string;
	readonly name?: string;
	readonly value?: string;
	readonly children?: ComponentChildren;
}): VNode {
	return (
		<p class="actions">
			<button
				type="submit"
				class="primary"
				{...(props.name === undefined
					? {}
					: { name: props.name, value: props.value })}
			>
				{props.label}
			</button>
			{props.children}
		</p>
	);
}

/** The page of what a server changed since it was approved. Form fields: `accept=<kind> <digest> <name>`, `off=<the same>`, hidden `csrf`. */
import type { VNode } from "preact";
import type { ChangeView, DiffLine } from "../../ops/tool-changes.ts";
import { Form } from "../form.tsx";
import { page } from "../layout.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";
import { Time } from "../time.tsx";
import { NAV } from "./about-tools.tsx";

export function changesPage(fields: {
	readonly slug: string;
	readonly changes: readonly ChangeView[];
	readonly csrf: string;
	readonly problem?: Problem;
}): Response {
	const { slug, changes, csrf, problem } = fields;
	return page(
		{ title: `Changes of ${slug}`, nav: NAV, ...problemOptions(problem) },
		<>
			<h1>Changes of {slug}</h1>
			<NotDone problem={problem} />
			{changes.length === 0 ? (
				<p>
					Everything is as it was approved. When {slug} changes what a tool, a
					prompt or its instructions say, that waits here, and clients do not
					see it.
				</p>
			) : (
				<>
					<p>
						A model acts on these words. Read what is new as if a stranger had
						written it. Until you accept a change, clients do not see it and
						cannot call it.
					</p>
					<Form action={`/tools/${slug}/changes`} csrf={csrf}>
						{changes.map((change) => (
							<ChangeSection
								key={`${change.kind} ${change.name}`}
								change={change}
							/>
						))}
					</Form>
				</>
			)}
			<p>
				<a href={`/tools/${slug}`}>Back to the tools of {slug}</a>
			</p>
		</>,
	);
}

function ChangeSection({ change }: { readonly change: ChangeView }): VNode {
	const { kind, name, was, digest } = change;
	const seen = `${kind} ${digest} ${name}`;
	const title = kind === "instructions" ? "Instructions" : `${kind} ${name}`;
	return (
		<section>
			<h2>{title}</h2>
			<p class="quiet">
				{change.change === "changed"
					? "Changed"
					: change.change === "new"
						? "New"
						: `Renamed from ${was}`}
				, seen first on <Time at={change.heldAt} />
			</p>
			<pre class="diff">
				{change.diff.map(({ sign, text }, index) => (
					<Line key={String(index)} sign={sign} text={text} />
				))}
			</pre>
			<p class="row">
				<button type="submit" name="accept" value={seen}>
					Accept<span class="unseen"> {title}</span>
				</button>
				{kind === "tool" ? (
					<button type="submit" name="off" value={seen} class="plain">
						Keep it off<span class="unseen"> {title}</span>
					</button>
				) : null}
			</p>
		</section>
	);
}

/** A line says what it is by its sign and by its element, never by its colour alone. */
function Line({ sign, text }: DiffLine): VNode {
	const line = `${sign} ${text}\n`;
	if (sign === "+") return <ins>{line}</ins>;
	return sign === "-" ? <del>{line}</del> : <span>{line}</span>;
}

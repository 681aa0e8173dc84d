/** Step 4, its end: which tools of the server clients may use. Form fields: `tool:<name>` (a tick box each), `slug`, `csrf`. */
import type { VNode } from "preact";
import type { ToolView } from "../../ops/tools.ts";
import { Form } from "../form.tsx";
import { page } from "../layout.tsx";
import { Onward, Step, stepTitle } from "./step.tsx";

/** A tool as this page shows it. */
export type OfferedTool = Pick<
	ToolView,
	| "name"
	| "title"
	| "description"
	| "shown"
	| "destructive"
	| "readOnly"
	| "clientName"
	| "hasLongName"
>;

const DESCRIPTION_LENGTH_MAX = 160;

export function toolsPage(fields: {
	readonly csrf: string;
	readonly slug: string;
	readonly tools: readonly OfferedTool[];
	/** Why they cannot be listed; null: they are listed. */
	readonly problem: {
		readonly text: string;
		readonly signIn: string | null;
	} | null;
}): Response {
	const { csrf, slug, tools, problem } = fields;
	return page(
		{ title: stepTitle("server", `Tools of ${slug}`) },
		<Step step="server" title={`Tools of ${slug}`} back="/setup/server">
			{problem === null ? (
				<p>
					Clients may use what is ticked. A tool that says it destroys things is
					off until you tick it.
				</p>
			) : (
				<>
					<div class="notice">
						<p>
							<strong>Not listed.</strong> {problem.text}
						</p>
					</div>
					{problem.signIn === null ? null : (
						<p>
							<a class="button" href={problem.signIn}>
								Sign in to {slug}
							</a>
						</p>
					)}
				</>
			)}
			<Form action="/setup/server/tools" csrf={csrf}>
				<input type="hidden" name="slug" value={slug} />
				{tools.length === 0 ? null : (
					<ul class="choices">
						{tools.map((tool) => (
							<Tool key={tool.name} tool={tool} />
						))}
					</ul>
				)}
				<Onward label="Continue" />
			</Form>
		</Step>,
	);
}

function Tool({ tool }: { readonly tool: OfferedTool }): VNode {
	const { name, title, description, shown } = tool;
	const hintId = `tool:${name}-hint`;
	return (
		<li>
			<label class="box">
				<input
					type="checkbox"
					name={`tool:${name}`}
					checked={shown}
					aria-describedby={hintId}
				/>
				<span>
					<code>{name}</code>
					{title === null ? null : ` ${title}`}
				</span>
				<Badge tool={tool} />
			</label>
			<p class="hint" id={hintId}>
				{shortened(description ?? "It does not say what it does.")}
				{tool.hasLongName ? (
					<>
						{" "}
						Its name is too long for some clients; they see{" "}
						<code>{tool.clientName}</code>.
					</>
				) : null}
			</p>
		</li>
	);
}

/** A word and a shape: a ring, a filled dot, a square. */
function Badge({ tool }: { readonly tool: OfferedTool }): VNode {
	const [kind, word] = tool.destructive
		? ["destroys", "destroys"]
		: tool.readOnly
			? ["reads", "only reads"]
			: ["writes", "may write"];
	return <span class={`badge ${kind}`}>{word}</span>;
}

function shortened(text: string): string {
	const line = text.replace(/\s+/g, " ").trim();
	return line.length <= DESCRIPTION_LENGTH_MAX
		? line
		: `${line.slice(0, DESCRIPTION_LENGTH_MAX - 1)}…`;
}

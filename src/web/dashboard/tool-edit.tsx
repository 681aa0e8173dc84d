/** The page that gives a tool a name and texts of our own. Form fields: `name`, `title`, `description`, hidden `csrf`. */
import type { ToolView } from "../../ops/tools.ts";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";
import { NAV } from "./about-tools.tsx";

export function editPage(fields: {
	readonly slug: string;
	readonly tool: ToolView;
	readonly csrf: string;
	readonly problem?: Problem;
}): Response {
	const { slug, tool, csrf, problem } = fields;
	const { settings } = tool;
	const query = new URLSearchParams({ tool: tool.name });
	return page(
		{
			title: `Change ${tool.name}`,
			nav: NAV,
			...problemOptions(problem),
		},
		<>
			<h1>Change {tool.name}</h1>
			<p>
				What you leave empty stays as {slug} has it. Calls arrive there under
				the server's own name.
			</p>
			<NotDone problem={problem} />
			<Form action={`/tools/${slug}/edit?${query}`} csrf={csrf}>
				<Field
					name="name"
					label="Name"
					type="text"
					autocomplete="off"
					value={settings.name ?? ""}
					hint={`Letters, digits, _ and -. Clients show it as ${tool.clientName} now.`}
					optional
				/>
				<Field
					name="title"
					label="Title"
					type="text"
					autocomplete="off"
					value={settings.title ?? ""}
					hint="What people read."
					optional
				/>
				<label for="description">Description</label>
				<textarea
					id="description"
					name="description"
					rows={6}
					aria-describedby="description-hint"
				>
					{settings.description ?? ""}
				</textarea>
				<p class="hint" id="description-hint">
					What models read. The server says: {tool.ownDescription ?? "nothing"}
				</p>
				<p class="actions">
					<button type="submit" class="primary">
						Save
					</button>
				</p>
			</Form>
			<p>
				<a href={`/tools/${slug}`}>Back to the tools of {slug}</a>
			</p>
		</>,
	);
}

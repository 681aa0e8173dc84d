/**
 * The pages about toolsets. Form fields: new `slug`, `title`; a toolset's page `all=<server>`, `leave=<server>`,
 * `save` with `title` and `access`, `remove`; a server's page in it `in=<tool>`, `out=<tool>`; each with a hidden `csrf`.
 */
import type { VNode } from "preact";
import { TOKEN_RULE } from "../../mcp/cost.ts";
import type { ToolView } from "../../ops/tools.ts";
import type { Selection, Toolset } from "../../store/toolsets.ts";
import { Address } from "../address.tsx";
import { countOf } from "../count.ts";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";
import { RowHeading, Table } from "../table.tsx";
import { NAV, Trouble } from "./about-tools.tsx";

type Cost = { readonly toolCount: number; readonly tokens: number };

export function toolsetsPage(fields: {
	readonly issuer: string;
	readonly toolsets: readonly (Toolset & Cost)[];
	readonly csrf: string;
	readonly problem?: Problem;
}): Response {
	const { issuer, toolsets, csrf, problem } = fields;
	return page(
		{ title: "Toolsets", nav: NAV, ...problemOptions(problem) },
		<>
			<h1>Toolsets</h1>
			<p>
				A toolset is a few servers, or a few of their tools, at an address of
				its own. Give a client that address, and it sees nothing else. It opens
				no server to anyone who may not use that server anyway.
			</p>
			{toolsets.length === 0 ? null : (
				<Table
					caption={<>Tokens are {TOKEN_RULE}</>}
					columns={["Toolset", "Address", "Tools", "Tokens"]}
				>
					{toolsets.map(({ slug, title, toolCount, tokens }) => (
						<tr key={slug}>
							<RowHeading hint={title}>
								<a href={`/toolsets/${slug}`}>{slug}</a>
							</RowHeading>
							<td>
								<Address issuer={issuer} slug={slug} />
							</td>
							<td data-label="Tools">{toolCount}</td>
							<td data-label="Tokens">{tokens}</td>
						</tr>
					))}
				</Table>
			)}
			<h2>A new toolset</h2>
			<NotDone problem={problem} />
			<Form action="/toolsets" csrf={csrf}>
				<Field
					name="slug"
					label="Name"
					type="text"
					autocomplete="off"
					hint="Part of its address: a-z, 0-9 and -."
				/>
				<Field
					name="title"
					label="What it is for"
					type="text"
					autocomplete="off"
					optional
				/>
				<p class="actions">
					<button type="submit" class="primary">
						Make it
					</button>
				</p>
			</Form>
		</>,
	);
}

type Offered = {
	readonly slug: string;
	readonly enabled: boolean;
	readonly selection: Selection | null;
};

export function toolsetPage(
	fields: Cost & {
		readonly issuer: string;
		readonly toolset: Toolset;
		readonly servers: readonly Offered[];
		readonly csrf: string;
	},
): Response {
	const { issuer, toolset, servers, toolCount, tokens, csrf } = fields;
	const { slug, title, access } = toolset;
	return page(
		{ title: `Toolset ${slug}`, nav: NAV },
		<>
			<h1>Toolset {slug}</h1>
			<p>
				<Address issuer={issuer} slug={slug} />
			</p>
			<Form action={`/toolsets/${slug}`} csrf={csrf}>
				<Table
					caption={
						<>
							{countOf(toolCount, "tool")}, {countOf(tokens, "token")} (
							{TOKEN_RULE})
						</>
					}
					columns={["Server", "In the toolset", "Change"]}
				>
					{servers.map((server) => (
						<ServerRow key={server.slug} toolset={slug} server={server} />
					))}
				</Table>
			</Form>
			<Form action={`/toolsets/${slug}`} csrf={csrf}>
				<Field
					name="title"
					label="What it is for"
					type="text"
					autocomplete="off"
					value={title}
					optional
				/>
				<label for="access">Who may use it</label>
				<select id="access" name="access">
					<option value="everyone" selected={access === "everyone"}>
						Everyone who may use its servers
					</option>
					<option value="admins" selected={access === "admins"}>
						Administrators
					</option>
					{typeof access === "string" ? null : (
						<option value="" selected>
							{access.length} people, chosen on the command line
						</option>
					)}
				</select>
				<p class="actions">
					<button type="submit" name="save" value="yes" class="primary">
						Save
					</button>
					<button type="submit" name="remove" value="yes">
						Remove this toolset
					</button>
				</p>
			</Form>
			<p>
				<a href="/toolsets">All toolsets</a>
			</p>
		</>,
	);
}

function ServerRow(props: {
	readonly toolset: string;
	readonly server: Offered;
}): VNode {
	const { slug, enabled, selection } = props.server;
	return (
		<tr>
			<th scope="row">
				{slug}
				{enabled ? null : <span class="quiet"> disabled</span>}
			</th>
			<td data-label="In the toolset">
				{selection === null
					? "No"
					: selection.tools === null
						? "Every tool"
						: countOf(selection.tools.length, "tool")}
			</td>
			<td>
				{selection?.tools === null ? null : (
					<button type="submit" name="all" value={slug} class="plain">
						Every tool<span class="unseen"> of {slug}</span>
					</button>
				)}{" "}
				<a href={`/toolsets/${props.toolset}/${slug}`}>
					Choose<span class="unseen"> tools of {slug}</span>
				</a>{" "}
				{selection === null ? null : (
					<button type="submit" name="leave" value={slug} class="plain">
						Leave out<span class="unseen"> {slug}</span>
					</button>
				)}
			</td>
		</tr>
	);
}

export function toolsetServerPage(fields: {
	readonly slug: string;
	readonly server: string;
	readonly tools: readonly {
		readonly tool: ToolView;
		readonly chosen: boolean;
	}[];
	readonly trouble: string | null;
	readonly csrf: string;
	readonly problem?: Problem;
}): Response {
	const { slug, server, tools, trouble, csrf, problem } = fields;
	const chosen = tools.filter((each) => each.chosen);
	const tokens = chosen.reduce((sum, { tool }) => sum + tool.tokens, 0);
	return page(
		{ title: `${server} in ${slug}`, nav: NAV, ...problemOptions(problem) },
		<>
			<h1>
				{server} in {slug}
			</h1>
			<Trouble text={trouble} />
			<Form action={`/toolsets/${slug}/${server}`} csrf={csrf}>
				<Table
					caption={
						<>
							{chosen.length} of {countOf(tools.length, "tool")},{" "}
							{countOf(tokens, "token")}
						</>
					}
					columns={["Tool", "Tokens", "In the toolset", "Change"]}
				>
					{tools.map(({ tool, chosen }) => (
						<tr key={tool.name}>
							<th scope="row">
								<code>{tool.shownAs}</code>
								{tool.shown ? null : (
									<span class="quiet"> hidden from everyone</span>
								)}
							</th>
							<td data-label="Tokens">{tool.tokens}</td>
							<td data-label="In the toolset">{chosen ? "Yes" : "No"}</td>
							<td>
								<button
									type="submit"
									name={chosen ? "out" : "in"}
									value={tool.name}
									class="plain"
								>
									{chosen ? "Leave out" : "Take in"}
									<span class="unseen"> {tool.shownAs}</span>
								</button>
							</td>
						</tr>
					))}
				</Table>
			</Form>
			<p>
				<a href={`/toolsets/${slug}`}>Back to the toolset</a>
			</p>
		</>,
	);
}

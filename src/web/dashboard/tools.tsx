/**
 * The pages about tools: all servers, and one server with a switch for each of its tools. Form fields: `on=<tool>`,
 * `off=<tool>`, `reset=<tool>`, hidden `csrf`.
 */
import type { VNode } from "preact";
import { TOKEN_RULE } from "../../mcp/cost.ts";
import { REASONS } from "../../mcp/shape.ts";
import type { ToolView } from "../../ops/tools.ts";
import { countOf } from "../count.ts";
import { Notice, page } from "../layout.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";
import { Table } from "../table.tsx";

const NAV = { current: "/tools", administers: true } as const;

export type ServerTools = {
	readonly slug: string;
	readonly enabled: boolean;
	readonly tools: readonly ToolView[];
	/** What keeps the server from saying its tools. */
	readonly trouble: string | null;
	/** Definitions that wait. */
	readonly held: number;
};

export function toolsPage(fields: {
	readonly servers: readonly ServerTools[];
}): Response {
	const { servers } = fields;
	return page(
		{ title: "Tools", nav: NAV },
		<>
			<h1>Tools</h1>
			<p>
				Every tool a client is shown costs its model some attention. Switch off
				what nobody needs, or put a few together in a{" "}
				<a href="/toolsets">toolset</a>.
			</p>
			{servers.length === 0 ? (
				<p>
					There is no server yet. Add one with{" "}
					<code>sallyport servers add</code>; its tools appear here, each with a
					switch.
				</p>
			) : (
				<Table
					caption={
						<>
							Tokens are {TOKEN_RULE}.{" "}
							<a href="/seen">See what a client sees</a>.
						</>
					}
					columns={["Server", "Tools shown", "Tokens", "Changes"]}
				>
					{servers.map((server) => (
						<ServerRow key={server.slug} server={server} />
					))}
				</Table>
			)}
		</>,
	);
}

function ServerRow({ server }: { readonly server: ServerTools }): VNode {
	const { slug, tools, trouble, held } = server;
	const shown = tools.filter((tool) => tool.shown);
	return (
		<tr>
			<th scope="row">
				<a href={`/tools/${slug}`}>{slug}</a>
				{trouble === null ? null : <p class="hint">{trouble}</p>}
			</th>
			<td data-label="Tools shown">
				{trouble === null ? `${shown.length} of ${tools.length}` : "not known"}
			</td>
			<td data-label="Tokens">{trouble === null ? sum(shown) : ""}</td>
			<td data-label="Changes">
				{held === 0 ? (
					"none"
				) : (
					<a href={`/tools/${slug}/changes`}>{held} held</a>
				)}
			</td>
		</tr>
	);
}

export function serverToolsPage(fields: {
	readonly slug: string;
	readonly tools: readonly ToolView[];
	readonly trouble: string | null;
	readonly held: number;
	readonly csrf: string;
	readonly problem?: Problem;
}): Response {
	const { slug, tools, trouble, held, csrf, problem } = fields;
	const shown = tools.filter((tool) => tool.shown);
	return page(
		{ title: `Tools of ${slug}`, nav: NAV, ...problemOptions(problem) },
		<>
			<h1>Tools of {slug}</h1>
			<NotDone problem={problem} />
			{trouble === null ? null : (
				<Notice word="Cannot be asked now">{trouble}</Notice>
			)}
			{held === 0 ? null : (
				<Notice word="Held">
					{held === 1
						? "1 definition is not as it was approved, and is"
						: `${held} definitions are not as they were approved, and are`}{" "}
					hidden from clients.{" "}
					<a href={`/tools/${slug}/changes`}>Look and decide</a>
				</Notice>
			)}
			{tools.length === 0 ? (
				<p>
					No tools are listed. What the server can do appears here, each tool
					with a switch.
				</p>
			) : (
				<form method="post" action={`/tools/${slug}`}>
					<input type="hidden" name="csrf" value={csrf} />
					<Table
						caption={
							<>
								{shown.length} of {countOf(tools.length, "tool")} shown,{" "}
								{countOf(sum(shown), "token")} ({TOKEN_RULE})
							</>
						}
						columns={["Tool", "Tokens", "State", "Switch"]}
					>
						{tools.map((tool) => (
							<ToolRow key={tool.name} slug={slug} tool={tool} />
						))}
					</Table>
				</form>
			)}
			<p>
				<a href="/tools">All servers</a>
			</p>
		</>,
	);
}

function ToolRow(props: {
	readonly slug: string;
	readonly tool: ToolView;
}): VNode {
	const { slug, tool } = props;
	const { name, shownAs, hidden } = tool;
	const query = new URLSearchParams({ tool: name });
	return (
		<tr>
			<th scope="row">
				<code>{shownAs}</code>
				{shownAs === name ? null : (
					<span class="quiet">
						{" "}
						the server calls it <code>{name}</code>
					</span>
				)}
				{tool.destructive ? (
					<strong class="mark-danger"> destructive</strong>
				) : null}
				{tool.description === null ? null : (
					<p class="hint">{firstLine(tool.description)}</p>
				)}
				<p class="hint">
					{tool.hasLongName ? "Its name is too long for some clients. " : null}
					Clients show it as <code>{tool.clientName}</code>.{" "}
					<a href={`/tools/${slug}/edit?${query}`}>Change name or text</a>
				</p>
			</th>
			<td data-label="Tokens">{tool.tokens}</td>
			<td>{hidden === null ? "On" : `Off: ${REASONS[hidden]}`}</td>
			<td>
				<Switch tool={tool} />
			</td>
		</tr>
	);
}

/** One button: what it would do. What waits is decided by looking at it. */
function Switch({ tool }: { readonly tool: ToolView }): VNode | null {
	const { name, hidden } = tool;
	if (hidden === null)
		return (
			<button type="submit" name="off" value={name} class="plain">
				Switch off<span class="unseen"> {name}</span>
			</button>
		);
	return ["off", "not_listed", "destructive"].includes(hidden) ? (
		<button type="submit" name="on" value={name} class="plain">
			Switch on<span class="unseen"> {name}</span>
		</button>
	) : null;
}

const LINE_LENGTH_MAX = 160;

function firstLine(text: string): string {
	const line = text.trim().split("\n")[0] ?? "";
	return line.length > LINE_LENGTH_MAX
		? `${line.slice(0, LINE_LENGTH_MAX - 1)}…`
		: line;
}

function sum(tools: readonly ToolView[]): number {
	return tools.reduce((total, { tokens }) => total + tokens, 0);
}

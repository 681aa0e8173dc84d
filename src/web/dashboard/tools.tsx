/**
 * The pages about tools: all servers, and one server with a switch for each of its tools, its rules, and the button
 * that starts it anew. Form fields: `on=<tool>`, `off=<tool>`, `reset=<tool>`; `save` with `pinning` and
 * `limit`; `restart`; each with a hidden `csrf`.
 */
import type { VNode } from "preact";
import { TOKEN_RULE } from "../../mcp/cost.ts";
import { REASONS } from "../../mcp/shape.ts";
import type { ToolView } from "../../ops/tools.ts";
import { PINNINGS, RESULT_BYTES, type Server } from "../../store/servers.ts";
import { countOf } from "../count.ts";
import { Form } from "../form.tsx";
import { Field, Notice, page } from "../layout.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";
import { RowHeading, Table } from "../table.tsx";
import { NAV, Trouble } from "./about-tools.tsx";

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
			<RowHeading hint={trouble}>
				<a href={`/tools/${slug}`}>{slug}</a>
			</RowHeading>
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
	readonly server: Pick<
		Server,
		"slug" | "enabled" | "pinning" | "resultBytesMax"
	>;
	readonly tools: readonly ToolView[];
	readonly trouble: string | null;
	readonly held: number;
	readonly csrf: string;
	/** What was done just before. */
	readonly done: "saved" | "restarted" | null;
	readonly problem?: Problem;
}): Response {
	const { server, tools, trouble, held, csrf, done, problem } = fields;
	const { slug } = server;
	const shown = tools.filter((tool) => tool.shown);
	return page(
		{ title: `Tools of ${slug}`, nav: NAV, ...problemOptions(problem) },
		<>
			<h1>Tools of {slug}</h1>
			<NotDone problem={problem} />
			{done === "saved" ? (
				<Notice word="Saved">It counts from the next call on.</Notice>
			) : null}
			{done === "restarted" ? (
				<Notice word="Ended">
					What ran of it was ended. Each next call starts it anew.
				</Notice>
			) : null}
			<Trouble text={trouble} />
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
				<Form action={`/tools/${slug}`} csrf={csrf}>
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
				</Form>
			)}
			<Rules server={server} csrf={csrf} />
			{server.enabled ? <Restart slug={slug} csrf={csrf} /> : null}
			<p>
				<a href="/tools">All servers</a>
			</p>
		</>,
	);
}

const PINNING_WORDS: Readonly<Record<Server["pinning"], string>> = {
	hold: "Hold everything back",
	auto: "Take new tools, hold the rest",
	off: "Take everything",
};

/** What becomes of what a server changes, and how long its results may be. */
function Rules(props: {
	readonly server: Pick<Server, "slug" | "pinning" | "resultBytesMax">;
	readonly csrf: string;
}): VNode {
	const { slug, pinning, resultBytesMax } = props.server;
	return (
		<Form action={`/tools/${slug}`} csrf={props.csrf}>
			<h2>Rules</h2>
			<label for="pinning">When the server changes what it says</label>
			<select id="pinning" name="pinning" aria-describedby="pinning-hint">
				{PINNINGS.map((mode) => (
					<option key={mode} value={mode} selected={mode === pinning}>
						{PINNING_WORDS[mode]}
					</option>
				))}
			</select>
			<p class="hint" id="pinning-hint">
				Its tools, prompts and instructions are compared with what was approved,
				and what is held back waits until you accept it. Where everything is
				taken, nothing is compared, and what was approved is forgotten.
			</p>
			<Field
				name="limit"
				label="Longest result, in bytes"
				type="text"
				autocomplete="off"
				value={resultBytesMax === null ? "" : String(resultBytesMax)}
				hint={`From ${RESULT_BYTES.least.toLocaleString("en")} to ${RESULT_BYTES.most.toLocaleString("en")}. Clients read what is longer page by page. Left empty, nothing is cut.`}
				numeric
				optional
			/>
			<p class="actions">
				<button type="submit" name="save" value="yes" class="primary">
					Save
				</button>
			</p>
		</Form>
	);
}

function Restart(props: {
	readonly slug: string;
	readonly csrf: string;
}): VNode {
	return (
		<Form action={`/tools/${props.slug}`} csrf={props.csrf}>
			<h2>Start it anew</h2>
			<p>
				Ends its processes and connections, whoever uses them; calls that run
				now fail. Each next call starts it again.
			</p>
			<p class="actions">
				<button type="submit" name="restart" value="yes">
					Restart {props.slug}
				</button>
			</p>
		</Form>
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

/**
 * The page where a person decides what a client may do. Buttons: `decision=allow` or `decision=deny`; hidden `csrf`;
 * tick boxes `server:<slug>`, one a server, and `later` for those added later.
 * The form goes back to the same query string, which is the request. What a client says of itself is in quotes; what
 * counts, and is large, is where the answer goes.
 */
import type { VNode } from "preact";
import type { AuthorizationRequest } from "../../oauth/authorize.ts";
import {
	type Destination,
	destinationOf,
	formActionSource,
} from "../../oauth/redirect-uris.ts";
import type { ToolsInBrief } from "../../ops/tools.ts";
import { countOf } from "../count.ts";
import { Form } from "../form.tsx";
import { Notice, page } from "../layout.tsx";
import type { OfferedToolset } from "../pages.ts";

/** Which servers this would open, and which of them have a box to tick. */
export type Choice = {
	readonly slugs: readonly string[];
	/** What is known of a server's tools; null when it was never asked. */
	readonly toolsOf: (slug: string) => ToolsInBrief | null;
	/** The toolset that is asked for, which is then all there is. */
	readonly toolset: OfferedToolset | null;
	readonly boxes: "none" | "servers" | "servers and later";
};

export function consentPage(fields: {
	readonly request: AuthorizationRequest;
	/** The query string with its `?`, as it was judged. */
	readonly query: string;
	readonly email: string;
	readonly choice: Choice;
	readonly csrf: string;
	/** What kept the last answer from being one. */
	readonly problem?: string;
}): Response {
	const { request } = fields;
	const { client, redirectUri } = request;
	const destination = destinationOf(redirectUri);
	return page(
		{
			title: "Allow access",
			status: fields.problem === undefined ? 200 : 422,
			// Chromium holds a form's redirects to this list too, and a callback on the web may lead on from there.
			formAction: ["https:", formActionSource(redirectUri)],
		},
		<>
			<h1>{asker(destination)} asks for access</h1>
			<p class="quiet">
				<Claims client={client} />
			</p>
			<Warning destination={destination} />
			{fields.problem === undefined ? null : (
				<Notice word="Not decided">{fields.problem}</Notice>
			)}
			<Form action={`/authorize${fields.query}`} csrf={fields.csrf}>
				<h2>What it may do</h2>
				<Offered choice={fields.choice} />
				<p class="quiet">
					It lasts as long as it is used, at most a year, and ends by itself
					after 30 days without use. You can end it sooner under{" "}
					<a href="/clients">Clients</a>. You are signed in as {fields.email}.
				</p>
				<Decision />
			</Form>
		</>,
	);
}

/** The two buttons, of equal size. */
export function Decision(): VNode {
	return (
		<p class="actions">
			<button type="submit" name="decision" value="deny">
				Not now
			</button>
			<button type="submit" name="decision" value="allow" class="primary">
				Allow
			</button>
		</p>
	);
}

/** What a client says of itself, in quotes, and who describes it. */
export function Claims(props: {
	readonly client: AuthorizationRequest["client"];
}): VNode {
	const { kind, id, name } = props.client;
	return (
		<>
			{name === "" ? (
				"It gives itself no name."
			) : (
				<>
					It calls itself “<bdi>{name}</bdi>”.
				</>
			)}
			{kind === "document" ? ` It is described at ${new URL(id).host}.` : ""}
		</>
	);
}

function asker({ kind, name }: Destination): string {
	if (kind === "host") return name;
	return kind === "loopback"
		? "A program on this computer"
		: `The app for ${name}: links`;
}

function Warning(props: { readonly destination: Destination }): VNode | null {
	const { kind, name, known } = props.destination;
	if (kind === "loopback")
		return (
			<Notice word="Look twice">
				The answer goes to a program on the computer you are using now ({name}).
				Allow this only if you started it yourself a moment ago.
			</Notice>
		);
	if (known) return null;
	return (
		<Notice word="Not known here">
			Nobody has vouched for {name}. Allow this only if you trust whoever runs
			it.
		</Notice>
	);
}

/** What this would open: a toolset, or servers with boxes to tick. */
export function Offered({ choice }: { readonly choice: Choice }): VNode {
	if (choice.toolset) return <Tools toolset={choice.toolset} />;
	return (
		<>
			<p>
				Use every tool of these servers in your name, with the secrets you gave
				them. It does not see the secrets.
			</p>
			<Servers choice={choice} />
		</>
	);
}

function Servers(props: { readonly choice: Choice }): VNode {
	const { slugs, toolsOf, boxes } = props.choice;
	return (
		<>
			{slugs.length === 0 ? (
				<p>
					{boxes === "servers"
						? "It asks for servers that you may not use, so there is nothing to allow."
						: "There is no server you may use yet."}
				</p>
			) : (
				<ul class="choices">
					{slugs.map((slug) => (
						<li key={slug}>
							{boxes === "none" ? (
								<strong>{slug}</strong>
							) : (
								<Box name={`server:${slug}`}>{slug}</Box>
							)}
							<Brief tools={toolsOf(slug)} />
						</li>
					))}
				</ul>
			)}
			{boxes === "servers and later" ? (
				<ul class="choices">
					<li>
						<Box name="later">Servers added later, too</Box>
						<p class="hint">Counts only while every box is ticked.</p>
					</li>
				</ul>
			) : null}
		</>
	);
}

/** How many tools a server has, and which of them may change something. */
function Brief({ tools }: { readonly tools: ToolsInBrief | null }): VNode {
	if (!tools) return <p class="hint">It was not asked for its tools yet.</p>;
	const all = tools.count === 1 ? "1 tool" : `${tools.count} tools`;
	if (tools.changing.length === 0)
		return (
			<p class="hint">
				{tools.count === 0 ? "No tools." : `${all}, which only read.`}
			</p>
		);
	return (
		<details class="hint">
			<summary>
				{all}, {tools.changing.length} of which may change things
			</summary>
			<ul>
				{tools.changing.map((name) => (
					<li key={name}>
						<bdi>{name}</bdi>
					</li>
				))}
			</ul>
		</details>
	);
}

function Tools({ toolset }: { readonly toolset: OfferedToolset }): VNode {
	return (
		<>
			<p>
				Use the tools of the toolset <strong>{toolset.slug}</strong>
				{toolset.title === "" ? "" : ` (${toolset.title})`} in your name, with
				the secrets you gave its servers. It does not see the secrets. What is
				added to the toolset later is open to it too.
			</p>
			<ul class="choices">
				{toolset.servers.map(({ slug, toolCount }) => (
					<li key={slug}>
						<strong>{slug}</strong>{" "}
						<span class="quiet">
							{toolCount === null ? "every tool" : countOf(toolCount, "tool")}
						</span>
					</li>
				))}
			</ul>
		</>
	);
}

function Box(props: {
	readonly name: string;
	readonly children: string;
}): VNode {
	return (
		<label class="box">
			<input type="checkbox" name={props.name} checked />
			{props.children}
		</label>
	);
}

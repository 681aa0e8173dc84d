/** What a signed-in person sees first: the addresses to paste into a client. */
import type { VNode } from "preact";
import type { Notice as Known } from "../../ops/expiry.ts";
import type { Overview } from "../../ops/overview.ts";
import { Address } from "../address.tsx";
import { Form } from "../form.tsx";
import { Notice, page } from "../layout.tsx";
import { RowHeading, Table } from "../table.tsx";

export function homePage(fields: {
	readonly issuer: string;
	readonly email: string;
	readonly slugs: readonly string[];
	readonly toolsets: readonly {
		readonly slug: string;
		readonly title: string;
	}[];
	readonly csrf: string;
	readonly apiToken: string;
	/** Whether something happened to the person's account that they have not put away. */
	readonly hasNews: boolean;
	/** Whether the person may see and change other people's accounts. */
	readonly managesPeople: boolean;
	/** What an administrator has to know before anything else. */
	readonly notices: readonly Known[];
	/** How the gateway is; null for whoever does not run it. */
	readonly overview: Overview | null;
}): Response {
	const { issuer, slugs, apiToken, overview } = fields;
	return page(
		{
			title: "Your servers",
			apiToken,
			nav: { current: "/", administers: fields.managesPeople },
		},
		<>
			{fields.notices.map(({ isUrgent, text }) => (
				<Notice key={text} word="Certificate" danger={isUrgent}>
					{text}
					{overview === null ? null : (
						<>
							{" "}
							<a href="/setup/address">Look at the address</a>
						</>
					)}
				</Notice>
			))}
			{overview === null ||
			// Nothing is well while something has to be known first.
			(overview.state === "good" && fields.notices.length > 0) ? null : (
				<State overview={overview} />
			)}
			<h1>One address for your clients</h1>
			{fields.hasNews ? (
				<Notice word="Your account">
					Something happened to it. <a href="/account">See what</a>
				</Notice>
			) : null}
			<p>
				Paste this into any MCP client. It opens this site once, to ask you.
			</p>
			<p>
				<code class="copy">{issuer}/mcp</code>
			</p>
			<h2>One server at a time</h2>
			{slugs.length === 0 ? (
				<p>
					There is no server you may use yet. Whoever runs this gateway adds one
					{overview === null ? null : (
						<>
							{" "}
							<a href="/setup/server">from the catalogue</a> or
						</>
					)}{" "}
					with <code>sallyport servers add</code>.
				</p>
			) : (
				<Table
					caption="Each server also has an address of its own"
					columns={["Server", "Address"]}
				>
					{slugs.map((slug) => (
						<AddressRow key={slug} issuer={issuer} slug={slug} />
					))}
				</Table>
			)}
			{fields.toolsets.length === 0 ? null : (
				<Table
					caption="Toolsets: a few tools at an address"
					columns={["Toolset", "Address"]}
				>
					{fields.toolsets.map(({ slug, title }) => (
						<AddressRow key={slug} issuer={issuer} slug={slug} title={title} />
					))}
				</Table>
			)}
			<p>
				<a href="/connections">Your connections</a>
				{" · "}
				<a href="/account">Your account</a>
			</p>
			<footer>
				<Form action="/logout" csrf={fields.csrf}>
					Signed in as {fields.email}.{" "}
					<button type="submit" class="plain">
						Sign out
					</button>
				</Form>
			</footer>
		</>,
	);
}

function AddressRow(props: {
	readonly issuer: string;
	readonly slug: string;
	readonly title?: string;
}): VNode {
	const { issuer, slug, title = "" } = props;
	return (
		<tr>
			<RowHeading hint={title}>{slug}</RowHeading>
			<td>
				<Address issuer={issuer} slug={slug} />
			</td>
		</tr>
	);
}

/** One sentence, a word and a shape before it, and the one thing to do. */
function State({ overview }: { readonly overview: Overview }): VNode {
	const { state, text, next } = overview;
	return (
		<div class={state === "good" ? "state good" : "state"} role="status">
			<p>
				<strong>{state === "good" ? "All well." : "Look here."}</strong> {text}
				{next === null ? null : (
					<>
						{" "}
						<a href={next.path}>{next.label}</a>
					</>
				)}
			</p>
		</div>
	);
}

/** What anyone sees while the gateway has no owner. */
export function unclaimedPage(): Response {
	return page(
		{ title: "Not set up yet", status: 503 },
		<>
			<h1>This gateway has no owner yet</h1>
			<p>
				Open the setup link that it printed when it started. For a fresh one,
				run <code>sallyport setup-link</code> on its machine.
			</p>
		</>,
	);
}

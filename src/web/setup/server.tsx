/**
 * Step 4: the first server. The catalogue with its search (`q`), the form of one entry or of a server of one's own, and
 * the pages of the work. Form fields: `slug`, `from=<id>` or `custom=npm|url|command|json`, the declaration's own keys;
 * for a server of one's own `where`, `args`, `secret_name`, `secret_value`, `json`; hidden `csrf`.
 */
import type { VNode } from "preact";
import type { Work } from "../../ops/work.ts";
import type {
	CatalogueEntry,
	CatalogueKind,
} from "../../packages/catalogue.ts";
import type { Declaration } from "../../packages/declaration.ts";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { DeclaredFields } from "./server-form.tsx";
import { Onward, Step, stepTitle, type Wrong, wrongAt } from "./step.tsx";
import { workPage } from "./work.tsx";

const BACK = "/setup/server";
const JSON_LENGTH_MAX = 32_768;

export type CustomKind = "npm" | "url" | "command" | "json";

const KINDS: readonly (readonly [CatalogueKind, string])[] = [
	["try", "To try it"],
	["code", "Code"],
	["work", "Work"],
	["documents", "Documents and mail"],
	["data", "Data"],
	["search", "Knowledge and search"],
	["business", "Business"],
];

const CUSTOM: Readonly<
	Record<CustomKind, { readonly title: string; readonly what: string }>
> = {
	npm: { title: "An npm package", what: "installed and run here" },
	url: { title: "A server on the network", what: "by its URL" },
	command: { title: "A program on this machine", what: "run without a shell" },
	json: { title: "A server.json", what: "pasted from a registry" },
};

/** The servers that there are already. */
export type KnownServer = { readonly slug: string; readonly status: string };

export function cataloguePage(fields: {
	readonly csrf: string;
	readonly entries: readonly CatalogueEntry[];
	readonly query: string;
	readonly servers: readonly KnownServer[];
}): Response {
	const { csrf, entries, query, servers } = fields;
	return page(
		{ title: stepTitle("server", "First server") },
		<Step step="server" title="Add a server" back="/setup/address">
			{servers.length === 0 ? (
				<p>
					Servers are what your clients get to use. Each keeps its secrets here,
					and every client reaches them at one address.
				</p>
			) : (
				<p>
					There {servers.length === 1 ? "is" : "are"}{" "}
					{servers.map(({ slug }, at) => (
						<>
							{at === 0 ? null : ", "}
							<a href={`/setup/server/tools?slug=${slug}`}>{slug}</a>
						</>
					))}
					. Add another, or go on.
				</p>
			)}
			<Form action="/setup/server" csrf={csrf}>
				{servers.length === 0 ? (
					<p>
						<button type="submit" class="plain" name="action" value="skip">
							Not now
						</button>
					</p>
				) : (
					<Onward label="Continue" name="action" value="continue" />
				)}
			</Form>
			<search>
				<form method="get" action="/setup/server">
					<label for="q">Search the catalogue</label>
					<div class="beside">
						<input type="search" id="q" name="q" value={query} />
						<button type="submit">Search</button>
					</div>
				</form>
			</search>
			{entries.length === 0 ? (
				<p>
					The catalogue has nothing for “{query}”. Add it yourself below, or{" "}
					<a href="/setup/server">see all of it</a>.
				</p>
			) : null}
			{KINDS.map(([kind, title]) => (
				<Shelf
					key={kind}
					title={title}
					entries={entries.filter((entry) => entry.kind === kind)}
				/>
			))}
			<h2>Your own</h2>
			<ul class="choices">
				{(Object.keys(CUSTOM) as CustomKind[]).map((kind) => (
					<li key={kind}>
						<a href={`/setup/server/add?custom=${kind}`}>
							{CUSTOM[kind].title}
						</a>
						<span class="quiet"> {CUSTOM[kind].what}</span>
					</li>
				))}
			</ul>
		</Step>,
	);
}

function Shelf(props: {
	readonly title: string;
	readonly entries: readonly CatalogueEntry[];
}): VNode | null {
	if (props.entries.length === 0) return null;
	return (
		<>
			<h2>{props.title}</h2>
			<ul class="choices tiles">
				{props.entries.map(({ id, name, summary, signIn }) => (
					<li key={id}>
						<a href={`/setup/server/add?from=${id}`}>{name}</a>
						<span class="quiet">
							{" "}
							{summary}
							{signIn === "oauth" ? " You sign in with your account." : null}
							{signIn === "key" ? " Takes a key." : null}
						</span>
					</li>
				))}
			</ul>
		</>
	);
}

/** What says where a declaration came from, when its form comes back. */
export type DeclarationSource =
	| { readonly from: string }
	| { readonly json: string; readonly way: number; readonly ways: number };

/** The form for a declared server: an entry of the catalogue, or one way of a `server.json`. */
export function declaredServerPage(fields: {
	readonly csrf: string;
	readonly declaration: Declaration;
	readonly slug: string;
	readonly source: DeclarationSource;
	readonly typed: (key: string) => string | null;
	readonly problems?: readonly Wrong[];
}): Response {
	const { csrf, declaration, slug, source, problems = [] } = fields;
	const { name, summary, way, signIn, docs } = declaration;
	return page(
		{
			title: stepTitle("server", name),
			status: problems.length > 0 ? 400 : 200,
		},
		<Step step="server" title={name} back={BACK} problems={problems}>
			<p>{summary}</p>
			<p class="quiet">
				{way.kind === "remote" ? (
					<>
						Runs at <code>{way.url}</code>
					</>
				) : (
					<>
						Runs here, from npm:{" "}
						<code>
							{way.package}@{way.version}
						</code>
					</>
				)}
				{docs === null ? null : (
					<>
						{" · "}
						<a href={docs} target="_blank" rel="noopener noreferrer">
							Its own pages
						</a>
					</>
				)}
			</p>
			{signIn === "oauth" ? (
				<p>
					It wants each person to sign in with their own account. You do that
					once it is added.
				</p>
			) : null}
			<Form action="/setup/server/add" csrf={csrf}>
				{"from" in source ? (
					<input type="hidden" name="from" value={source.from} />
				) : (
					<>
						<input type="hidden" name="custom" value="json" />
						<textarea name="json" hidden aria-label="server.json">
							{source.json}
						</textarea>
						<Ways way={source.way} ways={source.ways} />
					</>
				)}
				<Slug slug={slug} problems={problems} />
				<DeclaredFields
					declaration={declaration}
					typed={fields.typed}
					problems={problems}
				/>
				<Onward label={way.kind === "npm" ? "Install" : "Add"} />
			</Form>
		</Step>,
	);
}

function Ways(props: {
	readonly way: number;
	readonly ways: number;
}): VNode | null {
	if (props.ways < 2)
		return <input type="hidden" name="way" value={props.way} />;
	return (
		<fieldset>
			<legend>How it runs</legend>
			<p class="hint">
				The file names {props.ways} ways. The form below is for the first that
				is chosen; send it once to change it.
			</p>
			{Array.from({ length: props.ways }, (_, at) => (
				<label class="box" key={at}>
					<input
						type="radio"
						name="way"
						value={at}
						checked={at === props.way}
					/>
					Way {at + 1}
				</label>
			))}
		</fieldset>
	);
}

function Slug(props: {
	readonly slug: string;
	readonly problems: readonly Wrong[];
}): VNode {
	return (
		<Field
			name="slug"
			label="Short name"
			type="text"
			autocomplete="off"
			value={props.slug}
			hint="Its tools begin with it, and its own address ends with it. Small letters, digits and dashes."
			problem={wrongAt(props.problems, "slug")}
		/>
	);
}

/** The form for a server of one's own. */
export function customServerPage(fields: {
	readonly csrf: string;
	readonly kind: CustomKind;
	readonly typed: (key: string) => string | null;
	readonly problems?: readonly Wrong[];
}): Response {
	const { csrf, kind, typed, problems = [] } = fields;
	const { title } = CUSTOM[kind];
	return page(
		{
			title: stepTitle("server", title),
			status: problems.length > 0 ? 400 : 200,
		},
		<Step step="server" title={title} back={BACK} problems={problems}>
			<Form action="/setup/server/add" csrf={csrf}>
				<input type="hidden" name="custom" value={kind} />
				{kind === "json" ? (
					<>
						<label for="json">server.json</label>
						<Problem text={wrongAt(problems, "json")} />
						<textarea
							id="json"
							name="json"
							rows={12}
							required
							maxLength={JSON_LENGTH_MAX}
							spellcheck={false}
							aria-describedby="json-hint"
						>
							{typed("json") ?? ""}
						</textarea>
						<p class="hint" id="json-hint">
							As a registry publishes it. Nothing in it is run before you
							confirmed the form that is made from it.
						</p>
						<Onward label="Read it" />
					</>
				) : (
					<OwnFields kind={kind} typed={typed} problems={problems} />
				)}
			</Form>
		</Step>,
	);
}

function Problem({
	text,
}: {
	readonly text: string | undefined;
}): VNode | null {
	return text === undefined ? null : <p class="problem">{text}</p>;
}

const WHERE = {
	npm: {
		label: "Package",
		placeholder: "some-server@1.2.3",
		hint: "Its name on npm, with a version if you want a certain one.",
	},
	url: {
		label: "URL",
		placeholder: "https://notes.example.org/mcp",
		hint: "Where it answers MCP.",
	},
	command: {
		label: "Program",
		placeholder: "/usr/local/bin/my-server",
		hint: "The full path.",
	},
} as const;

function OwnFields(props: {
	readonly kind: Exclude<CustomKind, "json">;
	readonly typed: (key: string) => string | null;
	readonly problems: readonly Wrong[];
}): VNode {
	const { kind, typed, problems } = props;
	const { label, placeholder, hint } = WHERE[kind];
	const isUrl = kind === "url";
	return (
		<>
			<Slug slug={typed("slug") ?? ""} problems={problems} />
			<Field
				name="where"
				label={label}
				type="text"
				autocomplete="off"
				value={typed("where") ?? ""}
				placeholder={placeholder}
				hint={hint}
				problem={wrongAt(problems, "where")}
			/>
			{isUrl ? null : (
				<>
					<label for="args">
						Arguments <span class="quiet">(may be left empty)</span>
					</label>
					<textarea
						id="args"
						name="args"
						rows={3}
						spellcheck={false}
						aria-describedby="args-hint"
					>
						{typed("args") ?? ""}
					</textarea>
					<p class="hint" id="args-hint">
						One a line, as they are: no quotes, no shell.
					</p>
				</>
			)}
			<Field
				name="secret_name"
				label={isUrl ? "Header with a secret" : "Variable with a secret"}
				type="text"
				autocomplete="off"
				optional
				value={typed("secret_name") ?? ""}
				placeholder={isUrl ? "Authorization" : "API_KEY"}
				hint="If it takes a key. More than one is added with sallyport servers add."
				problem={wrongAt(problems, "secret_name")}
			/>
			<Field
				name="secret_value"
				label="The secret"
				type="password"
				autocomplete="off"
				optional
				hint={
					isUrl
						? "The header's whole value, such as “Bearer …”. Shared by everyone who may use the server. Kept sealed."
						: "Shared by everyone who may use the server. Kept sealed."
				}
				problem={wrongAt(problems, "secret_value")}
			/>
			<Onward label={kind === "npm" ? "Install" : "Add"} />
		</>
	);
}

/** The install, while it runs. */
export function serverWorkPage(fields: {
	readonly work: Work;
	readonly csrf: string;
	readonly slug: string;
	/** Whether there is a server of that name by now. */
	readonly isThere: () => boolean;
}): Response {
	const { work, csrf, slug, isThere } = fields;
	return workPage({
		work,
		step: "server",
		title: `Adding ${slug}`,
		back: BACK,
		outcome: (succeeded) =>
			succeeded ? (
				<p class="actions">
					<a class="button primary" href={`/setup/server/tools?slug=${slug}`}>
						Choose its tools
					</a>
				</p>
			) : isThere() ? (
				<Form action="/setup/server/remove" csrf={csrf}>
					<input type="hidden" name="slug" value={slug} />
					<p>
						{slug} was added, and does not work yet. You can put it right later,
						or take it away and begin again.
					</p>
					<p class="actions">
						<button type="submit" class="primary">
							Take it away and try again
						</button>
						<a class="button" href="/setup/client">
							Keep it and go on
						</a>
					</p>
				</Form>
			) : (
				<p class="actions">
					<a class="button primary" href={BACK}>
						Try again
					</a>
				</p>
			),
	});
}

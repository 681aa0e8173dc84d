/**
 * Step 4 of the wizard: a server is chosen, filled in, added and looked at. It is added through the REST API, as
 * whoever is signed in; what is typed as a secret lives in the work until it is sealed, and nowhere else.
 */
import { SallyportError, sentence } from "../errors.ts";
import {
	type Parameters,
	parseParameters,
	readText,
} from "../oauth/parameters.ts";
import { decideSetup } from "../ops/setup-steps.ts";
import type { Report } from "../ops/work.ts";
import { findCatalogueEntry, listCatalogue } from "../packages/catalogue.ts";
import {
	type Declaration,
	readServerJson,
	type Settled,
	settleDeclaration,
	slotName,
} from "../packages/declaration.ts";
import type { Route } from "../route.ts";
import { findServer, listServers } from "../store/servers.ts";
import { isOwnPost } from "./forms.ts";
import { seeOther } from "./layout.tsx";
import { missingPage, staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import {
	type CustomKind,
	cataloguePage,
	customServerPage,
	type DeclarationSource,
	declaredServerPage,
	serverWorkPage,
} from "./setup/server.tsx";
import type { Wrong } from "./setup/step.tsx";
import { type OfferedTool, toolsPage } from "./setup/tools.tsx";
import { admitOwner, admitOwnerForm } from "./setup.ts";
import { isFresh, type Visitor } from "./visitor.ts";

const PATH = "/setup/server";
const ADD = "/setup/server/add";
const TOOLS = "/setup/server/tools";
const ACTION = "setup server";
/** A pasted file is longer than other forms. */
const FORM_BYTES_MAX = 128 * 1024;
const SLUG = /^[a-z][a-z0-9-]{0,31}$/;
const CUSTOM_KINDS: readonly CustomKind[] = ["npm", "url", "command", "json"];

export function serverStepRoutes(site: Site): readonly Route[] {
	return [
		{ method: "GET", path: PATH, handler: (request) => browse(site, request) },
		{ method: "POST", path: PATH, handler: (request) => goOn(site, request) },
		{ method: "GET", path: ADD, handler: (request) => ask(site, request) },
		{ method: "POST", path: ADD, handler: (request) => add(site, request) },
		{
			method: "GET",
			path: "/setup/server/work",
			handler: (request) => {
				return follow(site, request);
			},
		},
		{
			method: "POST",
			path: "/setup/server/remove",
			handler: (request) => remove(site, request),
		},
		{
			method: "GET",
			path: TOOLS,
			handler: (request) => {
				return showTools(site, request);
			},
		},
		{
			method: "POST",
			path: TOOLS,
			handler: (request) => {
				return keepTools(site, request);
			},
		},
	];
}

function browse(site: Site, request: Request): Response {
	const visitor = admitOwner(site, request, PATH);
	if (visitor instanceof Response) return visitor;
	const query = (new URL(request.url).searchParams.get("q") ?? "")
		.trim()
		.slice(0, 60);
	const words = query.toLowerCase().split(/\s+/).filter(Boolean);
	return cataloguePage({
		csrf: site.forms.issue(visitor.binding, ACTION),
		query,
		entries: listCatalogue().filter(({ id, name, summary }) => {
			const text = `${id} ${name} ${summary}`.toLowerCase();
			return words.every((word) => text.includes(word));
		}),
		servers: listServers(site.db).map(({ slug, enabled }) => ({
			slug,
			status: enabled ? "" : "disabled",
		})),
	});
}

async function goOn(site: Site, request: Request): Promise<Response> {
	const sent = await admitOwnerForm(site, request, ACTION, PATH);
	if (sent instanceof Response) return sent;
	decideSetup(site.db, "server", site.clock.now());
	return seeOther("/setup/client");
}

function ask(site: Site, request: Request): Response {
	const visitor = admitOwner(site, request, PATH);
	if (visitor instanceof Response) return visitor;
	const query = new URL(request.url).searchParams;
	const kind = customKind(query.get("custom"));
	if (kind !== null)
		return customServerPage({
			csrf: csrfFor(site, visitor),
			kind,
			typed: () => null,
		});
	const entry = findCatalogueEntry(query.get("from") ?? "");
	if (!entry) return seeOther(PATH);
	return declaredServerPage({
		csrf: csrfFor(site, visitor),
		declaration: entry,
		slug: freeSlug(site, entry.id),
		source: { from: entry.id },
		typed: () => null,
	});
}

function csrfFor(site: Site, visitor: Visitor): string {
	return site.forms.issue(visitor.binding, ACTION);
}

function customKind(text: string | null): CustomKind | null {
	return CUSTOM_KINDS.find((kind) => kind === text) ?? null;
}

/** `github`, or `github-2` when there is one. */
function freeSlug(site: Site, wanted: string): string {
	for (let n = 1; n < 100; n++) {
		const slug = n === 1 ? wanted : `${wanted.slice(0, 28)}-${n}`;
		if (!findServer(site.db, slug)) return slug;
	}
	return "";
}

async function add(site: Site, request: Request): Promise<Response> {
	if (!isOwnPost(request, site.issuer)) return staleFormPage();
	const visitor = admitOwner(site, request, PATH);
	if (visitor instanceof Response) return visitor;
	const form = parseParameters(await readText(request, FORM_BYTES_MAX));
	if (!site.forms.isValid(visitor.binding, ACTION, form.get("csrf")))
		return staleFormPage();
	const kind = customKind(form.get("custom"));
	if (kind === null) return addFromCatalogue(site, visitor, form);
	return kind === "json"
		? addFromFile(site, visitor, form)
		: addOwn(site, visitor, kind, form);
}

function addFromCatalogue(
	site: Site,
	visitor: Visitor,
	form: Parameters,
): Response {
	const entry = findCatalogueEntry(form.get("from") ?? "");
	if (!entry) return seeOther(PATH);
	return addDeclared(site, visitor, form, entry, { from: entry.id });
}

/** First the file is read and its form shown; then that form comes back with the file in it. */
function addFromFile(site: Site, visitor: Visitor, form: Parameters): Response {
	const json = form.get("json") ?? "";
	const found = readServerJson(parseJson(json));
	const way = Math.min(
		Number(form.get("way") ?? 0) || 0,
		(found?.length ?? 1) - 1,
	);
	const declaration = found?.[way];
	if (!found || !declaration)
		return customServerPage({
			csrf: csrfFor(site, visitor),
			kind: "json",
			typed: form.get,
			problems: [
				{
					field: "json",
					text: "This names no way that can be run here: an https address, or an npm package with a version.",
				},
			],
		});
	const source = { json, way, ways: found.length };
	if (!form.has("slug"))
		return declaredServerPage({
			csrf: csrfFor(site, visitor),
			declaration,
			slug: freeSlug(site, slugOf(declaration.name)),
			source,
			typed: () => null,
		});
	return addDeclared(site, visitor, form, declaration, source);
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return null; // the page says what was expected
	}
}

function slugOf(name: string): string {
	const last = name.split("/").at(-1) ?? "";
	const slug = last
		.toLowerCase()
		.replace(/[^a-z0-9]+/g, "-")
		.replace(/^[^a-z]+|-+$/g, "")
		.slice(0, 32);
	return slug || "server";
}

function addDeclared(
	site: Site,
	visitor: Visitor,
	form: Parameters,
	declaration: Declaration,
	source: DeclarationSource,
): Response {
	const slug = form.get("slug") ?? "";
	const settled = settleDeclaration(declaration, (key) => form.get(key) ?? "");
	const problems: readonly Wrong[] = [
		...judgeSlug(site, slug),
		...[...settled.problems].map(([field, text]) => ({ field, text })),
	];
	if (problems.length > 0)
		return declaredServerPage({
			csrf: csrfFor(site, visitor),
			declaration,
			slug,
			source,
			typed: form.get,
			problems,
		});
	return begin(site, visitor, slug, settled);
}

function addOwn(
	site: Site,
	visitor: Visitor,
	kind: Exclude<CustomKind, "json">,
	form: Parameters,
): Response {
	const slug = form.get("slug") ?? "";
	const where = form.get("where")?.trim() ?? "";
	const name = form.get("secret_name")?.trim() ?? "";
	const value = form.get("secret_value") ?? "";
	const problems: Wrong[] = [...judgeSlug(site, slug)];
	if (where === "") problems.push({ field: "where", text: "Say where it is." });
	if (name === "" && value !== "")
		problems.push({
			field: "secret_name",
			text: "Say what the secret is called.",
		});
	if (problems.length > 0)
		return customServerPage({
			csrf: csrfFor(site, visitor),
			kind,
			typed: form.get,
			problems,
		});
	const args = (form.get("args") ?? "")
		.split("\n")
		.map((line) => line.trim())
		.filter(Boolean);
	const slot = slotName(name);
	return begin(site, visitor, slug, {
		settings: {
			[kind]: where,
			...(kind === "url" ? {} : { args }),
			slots:
				name === ""
					? []
					: [
							{
								name: slot,
								injection: kind === "url" ? "header" : "env",
								target: name,
								personal: false,
								optional: false,
							},
						],
		},
		secrets: new Map(value === "" ? [] : [[slot, value]]),
		problems: new Map(),
	});
}

function judgeSlug(site: Site, slug: string): readonly Wrong[] {
	if (!SLUG.test(slug))
		return [
			{
				field: "slug",
				text: "A short name is 1 to 32 small letters, digits and dashes, beginning with a letter.",
			},
		];
	return findServer(site.db, slug)
		? [{ field: "slug", text: `There is a server named ${slug} already.` }]
		: [];
}

function begin(
	site: Site,
	visitor: Visitor,
	slug: string,
	settled: Settled,
): Response {
	site.desk.works.start(workOf(slug), (report) =>
		install(site, visitor, slug, settled, report),
	);
	return seeOther(`/setup/server/work?${new URLSearchParams({ slug })}`);
}

/** As whom the API is asked. */
function askerOf(
	site: Site,
	visitor: Visitor,
): globalThis.Parameters<Site["desk"]["callApi"]>[0] {
	return { ...visitor.login, isFresh: isFresh(site, visitor) };
}

function workOf(slug: string): string {
	return `server ${slug}`;
}

/** Added switched off, so that it is not asked anything before its secrets are there. */
async function install(
	site: Site,
	visitor: Visitor,
	slug: string,
	{ settings, secrets }: Settled,
	report: Report,
): Promise<boolean> {
	const { callApi } = site.desk;
	const asker = askerOf(site, visitor);
	const isPackage = settings.npm !== undefined;
	report(
		"now",
		isPackage
			? `Fetching ${settings.npm} and what it needs from npm`
			: `Adding ${slug}`,
	);
	await callApi(asker, "POST", "/api/mcp/servers", {
		name: slug,
		...settings,
		destructiveTools: false,
		enabled: false,
	});
	report("done", isPackage ? `${settings.npm}: installed.` : `${slug}: added.`);
	for (const [secretName, secretValue] of secrets)
		await callApi(asker, "POST", "/api/secrets/set", {
			serverName: slug,
			secretName,
			secretValue,
		});
	if (secrets.size > 0)
		report("done", secrets.size === 1 ? "Secret: sealed." : "Secrets: sealed.");
	await callApi(asker, "PUT", `/api/mcp/servers/${slug}/enable`);
	report("now", `Asking ${slug} for its tools`);
	try {
		const tools = await toolsOf(site, asker, slug);
		report(
			"done",
			`${slug}: answers, with ${tools.length === 1 ? "1 tool" : `${tools.length} tools`}.`,
		);
		return true;
	} catch (error) {
		if (!(error instanceof SallyportError) || !wantsPerson(error)) throw error;
		report("note", sentence(error.message), {
			remedy: error.hint === undefined ? undefined : sentence(error.hint),
		});
		return true;
	}
}

/** Whether a server works and only waits for somebody to sign in or give their own secret. */
function wantsPerson({ code, hint }: SallyportError): boolean {
	return code === "unauthorized" || (hint ?? "").includes("/connect/");
}

async function toolsOf(
	site: Site,
	asker: ReturnType<typeof askerOf>,
	slug: string,
): Promise<readonly OfferedTool[]> {
	const reply = await site.desk.callApi(
		asker,
		"GET",
		`/api/mcp/servers/${slug}/tool-settings`,
	);
	return reply["tools"] as readonly OfferedTool[];
}

function follow(site: Site, request: Request): Response {
	const visitor = admitOwner(site, request, PATH);
	if (visitor instanceof Response) return visitor;
	const slug = slugIn(request);
	const work = slug === null ? null : site.desk.works.find(workOf(slug));
	if (slug === null || work === null)
		return seeOther(
			slug !== null && findServer(site.db, slug)
				? `${TOOLS}?slug=${slug}`
				: PATH,
		);
	return serverWorkPage({
		work,
		csrf: csrfFor(site, visitor),
		slug,
		isThere: () => findServer(site.db, slug) !== null,
	});
}

function slugIn(request: Request): string | null {
	const slug = new URL(request.url).searchParams.get("slug") ?? "";
	return SLUG.test(slug) ? slug : null;
}

async function remove(site: Site, request: Request): Promise<Response> {
	const sent = await admitOwnerForm(site, request, ACTION, PATH);
	if (sent instanceof Response) return sent;
	const slug = sent.form.get("slug") ?? "";
	if (SLUG.test(slug) && findServer(site.db, slug))
		await site.desk.callApi(
			askerOf(site, sent.visitor),
			"DELETE",
			`/api/mcp/servers/${slug}`,
		);
	return seeOther(PATH);
}

async function showTools(site: Site, request: Request): Promise<Response> {
	const visitor = admitOwner(site, request, PATH);
	if (visitor instanceof Response) return visitor;
	const slug = slugIn(request);
	if (slug === null || !findServer(site.db, slug))
		return missingPage("There is no server of that name.");
	const csrf = csrfFor(site, visitor);
	try {
		const tools = await toolsOf(site, askerOf(site, visitor), slug);
		return toolsPage({ csrf, slug, tools, problem: null });
	} catch (error) {
		if (!(error instanceof SallyportError) || error.code === "internal")
			throw error;
		const hint = error.hint === undefined ? "" : ` ${sentence(error.hint)}`;
		return toolsPage({
			csrf,
			slug,
			tools: [],
			problem: {
				text: `${sentence(error.message)}${hint}`,
				signIn: wantsPerson(error) ? `/connect/${slug}` : null,
			},
		});
	}
}

async function keepTools(site: Site, request: Request): Promise<Response> {
	const sent = await admitOwnerForm(site, request, ACTION, TOOLS);
	if (sent instanceof Response) return sent;
	const { visitor, form } = sent;
	const slug = form.get("slug") ?? "";
	if (!SLUG.test(slug) || !findServer(site.db, slug)) return seeOther(PATH);
	const tools = await toolsOf(site, askerOf(site, visitor), slug).catch(
		(error: unknown) => {
			// Nothing was shown, so nothing was chosen.
			if (error instanceof SallyportError && error.code !== "internal")
				return [];
			throw error;
		},
	);
	for (const { name, shown } of tools) {
		const enabled = form.has(`tool:${name}`);
		if (enabled === shown) continue;
		await site.desk.callApi(
			askerOf(site, visitor),
			"PUT",
			`/api/mcp/servers/${slug}/tools/${encodeURIComponent(name)}`,
			{ enabled },
		);
	}
	return seeOther("/setup/client");
}

/**
 * The catalogue: servers that people ask for, by people who tried them. Each entry is what the vendor documents: where
 * it lives or which package it is, and what it needs. It is data, compiled in; what is not here is added by its URL,
 * package or command.
 */
import {
	type Declaration,
	type DeclaredInput,
	type DeclaredWay,
	declareInput,
} from "./declaration.ts";

export type CatalogueEntry = Declaration & {
	/** Also the slug that is proposed. */
	readonly id: string;
	readonly kind: CatalogueKind;
};

export const CATALOGUE_KINDS = [
	"try",
	"code",
	"work",
	"documents",
	"data",
	"search",
	"business",
] as const;

export type CatalogueKind = (typeof CATALOGUE_KINDS)[number];

type Entry = {
	readonly id: string;
	readonly name: string;
	readonly kind: CatalogueKind;
	readonly summary: string;
	readonly way: DeclaredWay;
	readonly signIn: Declaration["signIn"];
	readonly inputs?: readonly DeclaredInput[];
	readonly docs?: string;
};

function remote(url: string): DeclaredWay {
	return { kind: "remote", url };
}

function npm(
	name: string,
	version: string,
	...args: readonly string[]
): DeclaredWay {
	return { kind: "npm", package: name, version, args };
}

/** A token that goes into the Authorization header. */
function bearer(
	label: string,
	link: string,
	more: Partial<DeclaredInput> = {},
): DeclaredInput {
	return declareInput({
		kind: "header",
		target: "Authorization",
		label,
		link,
		prefix: "Bearer ",
		required: true,
		personal: true,
		...more,
	});
}

/** A key that goes into a variable. */
function variable(
	target: string,
	label: string,
	link: string,
	more: Partial<DeclaredInput> = {},
): DeclaredInput {
	return declareInput({
		kind: "env",
		target,
		label,
		link,
		required: true,
		secret: true,
		...more,
	});
}

const ENTRIES: readonly Entry[] = [
	{
		id: "everything",
		name: "Everything",
		kind: "try",
		summary:
			"The protocol's own test server: one tool for each feature. Needs nothing.",
		way: npm("@modelcontextprotocol/server-everything", "2026.8.31"),
		signIn: "none",
	},
	{
		id: "memory",
		name: "Memory",
		kind: "try",
		summary:
			"A graph of facts that clients read and write, kept on this machine.",
		way: npm("@modelcontextprotocol/server-memory", "2026.8.31"),
		signIn: "none",
	},
	{
		id: "thinking",
		name: "Sequential thinking",
		kind: "try",
		summary: "A notepad for reasoning in steps that can be revised.",
		way: npm("@modelcontextprotocol/server-sequential-thinking", "2026.8.31"),
		signIn: "none",
	},
	{
		id: "files",
		name: "Files",
		kind: "documents",
		summary: "Reads and writes files in folders of this machine that you name.",
		way: npm("@modelcontextprotocol/server-filesystem", "2026.8.31"),
		signIn: "none",
		inputs: [
			declareInput({
				kind: "argument",
				target: "",
				key: "argument:0",
				label: "Folders",
				help: "Full paths, one a line. Nothing outside of them can be reached.",
				placeholder: "/srv/shared",
				required: true,
				multiple: true,
			}),
		],
	},
	{
		id: "github",
		name: "GitHub",
		kind: "code",
		summary: "Repositories, issues, pull requests, actions and code search.",
		way: remote("https://api.githubcopilot.com/mcp/"),
		signIn: "key",
		docs: "https://github.com/github/github-mcp-server",
		inputs: [
			bearer(
				"Personal access token",
				"https://github.com/settings/personal-access-tokens",
				{
					help: "A fine-grained token with the repositories that clients may see.",
				},
			),
			declareInput({
				kind: "header",
				target: "X-MCP-Readonly",
				label: "Read only",
				help: "With true, clients read and change nothing.",
				choices: ["true", "false"],
				fallback: "false",
			}),
			declareInput({
				kind: "header",
				target: "X-MCP-Toolsets",
				label: "Toolsets",
				help: "Which groups of tools, with commas between them. Empty: GitHub's default.",
				placeholder: "repos,issues,pull_requests",
			}),
		],
	},
	{
		id: "gitlab",
		name: "GitLab",
		kind: "code",
		summary: "Projects, issues, merge requests and pipelines on gitlab.com.",
		way: remote("https://gitlab.com/api/v4/mcp"),
		signIn: "oauth",
	},
	{
		id: "sentry",
		name: "Sentry",
		kind: "code",
		summary: "Errors, traces and releases, with what caused them.",
		way: remote("https://mcp.sentry.dev/mcp"),
		signIn: "oauth",
		docs: "https://mcp.sentry.dev",
	},
	{
		id: "buildkite",
		name: "Buildkite",
		kind: "code",
		summary: "Pipelines, builds, jobs and their logs.",
		way: remote("https://mcp.buildkite.com/mcp"),
		signIn: "oauth",
	},
	{
		id: "vercel",
		name: "Vercel",
		kind: "code",
		summary: "Projects, deployments and their logs.",
		way: remote("https://mcp.vercel.com"),
		signIn: "oauth",
	},
	{
		id: "cloudflare",
		name: "Cloudflare",
		kind: "code",
		summary: "The whole Cloudflare API: DNS, Workers, storage, security.",
		way: remote("https://mcp.cloudflare.com/mcp"),
		signIn: "oauth",
		docs: "https://developers.cloudflare.com/agents/model-context-protocol/",
	},
	{
		id: "cloudflare-docs",
		name: "Cloudflare documentation",
		kind: "search",
		summary: "Searches Cloudflare's documentation. Needs nothing.",
		way: remote("https://docs.mcp.cloudflare.com/mcp"),
		signIn: "none",
	},
	{
		id: "figma",
		name: "Figma layouts",
		kind: "code",
		summary: "Layout and styles of Figma files, made small for coding agents.",
		way: npm("figma-developer-mcp", "0.13.2", "--stdio"),
		signIn: "key",
		inputs: [
			variable(
				"FIGMA_API_KEY",
				"Figma access token",
				"https://help.figma.com/hc/en-us/articles/8085703771159",
				{ personal: true },
			),
		],
	},
	{
		id: "linear",
		name: "Linear",
		kind: "work",
		summary: "Issues, projects and cycles.",
		way: remote("https://mcp.linear.app/mcp"),
		signIn: "oauth",
		docs: "https://linear.app/docs/mcp",
	},
	{
		id: "atlassian",
		name: "Jira and Confluence",
		kind: "work",
		summary: "Jira issues, Confluence pages and Compass components.",
		way: remote("https://mcp.atlassian.com/v1/mcp"),
		signIn: "oauth",
	},
	{
		id: "asana",
		name: "Asana",
		kind: "work",
		summary: "Tasks, projects and who they are on.",
		way: remote("https://mcp.asana.com/v2/mcp"),
		signIn: "oauth",
	},
	{
		id: "basecamp",
		name: "Basecamp",
		kind: "work",
		summary: "Projects, messages, to-dos and schedules.",
		way: remote("https://mcp.basecamp.com/mcp"),
		signIn: "oauth",
	},
	{
		id: "monday",
		name: "monday.com",
		kind: "work",
		summary: "Boards, items and updates.",
		way: remote("https://mcp.monday.com/mcp"),
		signIn: "oauth",
	},
	{
		id: "todoist",
		name: "Todoist",
		kind: "work",
		summary: "Tasks and projects.",
		way: remote("https://ai.todoist.net/mcp"),
		signIn: "oauth",
	},
	{
		id: "notion",
		name: "Notion",
		kind: "documents",
		summary: "Pages, databases and comments, as yourself.",
		way: remote("https://mcp.notion.com/mcp"),
		signIn: "oauth",
		docs: "https://developers.notion.com/docs/mcp",
	},
	{
		id: "notion-token",
		name: "Notion, with a token",
		kind: "documents",
		summary: "The pages that you share with an internal integration.",
		way: npm("@notionhq/notion-mcp-server", "2.5.2"),
		signIn: "key",
		inputs: [
			variable(
				"NOTION_TOKEN",
				"Integration secret",
				"https://www.notion.so/profile/integrations",
			),
		],
	},
	{
		id: "gmail",
		name: "Gmail",
		kind: "documents",
		summary:
			"Mail. A preview of Google's: needs a Google Cloud client of your own.",
		way: remote("https://gmailmcp.googleapis.com/mcp/v1"),
		signIn: "oauth",
	},
	{
		id: "google-drive",
		name: "Google Drive",
		kind: "documents",
		summary:
			"Files. A preview of Google's: needs a Google Cloud client of your own.",
		way: remote("https://drivemcp.googleapis.com/mcp/v1"),
		signIn: "oauth",
	},
	{
		id: "google-calendar",
		name: "Google Calendar",
		kind: "documents",
		summary:
			"Events. A preview of Google's: needs a Google Cloud client of your own.",
		way: remote("https://calendarmcp.googleapis.com/mcp/v1"),
		signIn: "oauth",
	},
	{
		id: "canva",
		name: "Canva",
		kind: "documents",
		summary: "Designs: find, make, export.",
		way: remote("https://mcp.canva.com/mcp"),
		signIn: "oauth",
	},
	{
		id: "webflow",
		name: "Webflow",
		kind: "documents",
		summary: "Sites, pages and collections.",
		way: remote("https://mcp.webflow.com/mcp"),
		signIn: "oauth",
	},
	{
		id: "wix",
		name: "Wix",
		kind: "documents",
		summary: "Sites and their content.",
		way: remote("https://mcp.wix.com/mcp"),
		signIn: "oauth",
	},
	{
		id: "airtable",
		name: "Airtable",
		kind: "data",
		summary: "Bases, tables and records.",
		way: npm("airtable-mcp-server", "1.14.0"),
		signIn: "key",
		inputs: [
			variable(
				"AIRTABLE_API_KEY",
				"Personal access token",
				"https://airtable.com/create/tokens",
				{
					personal: true,
					help: "With the scopes data.records:read and schema.bases:read, and the writing ones if clients may write.",
				},
			),
		],
	},
	{
		id: "supabase",
		name: "Supabase",
		kind: "data",
		summary: "Databases, migrations, logs and functions of your projects.",
		way: remote("https://mcp.supabase.com/mcp"),
		signIn: "oauth",
		docs: "https://supabase.com/docs/guides/getting-started/mcp",
	},
	{
		id: "neon",
		name: "Neon",
		kind: "data",
		summary: "Postgres projects, branches and queries.",
		way: remote("https://mcp.neon.tech/mcp"),
		signIn: "oauth",
	},
	{
		id: "mongodb",
		name: "MongoDB",
		kind: "data",
		summary: "Databases and collections of one deployment; only reads.",
		way: npm("mongodb-mcp-server", "3.0.4", "--readOnly"),
		signIn: "key",
		inputs: [
			variable(
				"MDB_MCP_CONNECTION_STRING",
				"Connection string",
				"https://www.mongodb.com/docs/manual/reference/connection-string/",
				{ placeholder: "mongodb+srv://…" },
			),
		],
	},
	{
		id: "posthog",
		name: "PostHog",
		kind: "data",
		summary: "Events, insights, flags and errors of your product.",
		way: remote("https://mcp.posthog.com/mcp"),
		signIn: "key",
		inputs: [
			bearer(
				"Personal API key",
				"https://app.posthog.com/settings/user-api-keys?preset=mcp_server",
			),
		],
	},
	{
		id: "huggingface",
		name: "Hugging Face",
		kind: "search",
		summary: "Models, data sets, papers and spaces.",
		way: remote("https://huggingface.co/mcp"),
		signIn: "key",
		inputs: [
			bearer("Access token", "https://huggingface.co/settings/tokens", {
				required: false,
			}),
		],
	},
	{
		id: "context7",
		name: "Context7",
		kind: "search",
		summary: "Current documentation of libraries, for coding.",
		way: remote("https://mcp.context7.com/mcp"),
		signIn: "key",
		inputs: [
			declareInput({
				kind: "header",
				target: "CONTEXT7_API_KEY",
				label: "API key",
				help: "Without one there are fewer requests a day.",
				link: "https://context7.com/dashboard",
			}),
		],
	},
	{
		id: "deepwiki",
		name: "DeepWiki",
		kind: "search",
		summary: "Answers about any public GitHub repository. Needs nothing.",
		way: remote("https://mcp.deepwiki.com/mcp"),
		signIn: "none",
	},
	{
		id: "microsoft-learn",
		name: "Microsoft Learn",
		kind: "search",
		summary: "Microsoft's documentation and code samples. Needs nothing.",
		way: remote("https://learn.microsoft.com/api/mcp"),
		signIn: "none",
	},
	{
		id: "aws-knowledge",
		name: "AWS Knowledge",
		kind: "search",
		summary:
			"AWS documentation, guides and regional availability. Needs nothing.",
		way: remote("https://knowledge-mcp.global.api.aws"),
		signIn: "none",
	},
	{
		id: "exa",
		name: "Exa",
		kind: "search",
		summary: "Searches the web and code.",
		way: remote("https://mcp.exa.ai/mcp"),
		signIn: "key",
		inputs: [
			declareInput({
				kind: "header",
				target: "x-api-key",
				label: "API key",
				help: "Without one there are few requests a day.",
				link: "https://dashboard.exa.ai/api-keys",
			}),
		],
	},
	{
		id: "tavily",
		name: "Tavily",
		kind: "search",
		summary: "Searches the web and reads pages.",
		way: remote("https://mcp.tavily.com/mcp/"),
		signIn: "key",
		inputs: [
			bearer("API key", "https://app.tavily.com/home", { personal: false }),
		],
	},
	{
		id: "brave",
		name: "Brave Search",
		kind: "search",
		summary: "Searches the web, news, images and places.",
		way: npm("@brave/brave-search-mcp-server", "2.1.4"),
		signIn: "key",
		inputs: [
			variable(
				"BRAVE_API_KEY",
				"API key",
				"https://api-dashboard.search.brave.com/app/keys",
			),
		],
	},
	{
		id: "firecrawl",
		name: "Firecrawl",
		kind: "search",
		summary: "Reads web pages and whole sites as text.",
		way: npm("firecrawl-mcp", "3.26.0"),
		signIn: "key",
		inputs: [
			variable(
				"FIRECRAWL_API_KEY",
				"API key",
				"https://www.firecrawl.dev/app/api-keys",
			),
		],
	},
	{
		id: "apify",
		name: "Apify",
		kind: "search",
		summary: "Runs scrapers from Apify's store.",
		way: remote("https://mcp.apify.com"),
		signIn: "key",
		inputs: [
			bearer("API token", "https://console.apify.com/settings/integrations", {
				personal: false,
			}),
		],
	},
	{
		id: "stripe",
		name: "Stripe",
		kind: "business",
		summary: "Customers, payments, invoices and subscriptions.",
		way: remote("https://mcp.stripe.com"),
		signIn: "key",
		docs: "https://docs.stripe.com/mcp",
		inputs: [
			bearer("Restricted API key", "https://dashboard.stripe.com/apikeys", {
				personal: false,
				help: "Give it only what clients are to do.",
			}),
		],
	},
	{
		id: "paypal",
		name: "PayPal",
		kind: "business",
		summary: "Invoices, orders, payments and disputes.",
		way: remote("https://mcp.paypal.com/mcp"),
		signIn: "oauth",
	},
	{
		id: "intercom",
		name: "Intercom",
		kind: "business",
		summary: "Conversations with customers, and contacts.",
		way: remote("https://mcp.intercom.com/mcp"),
		signIn: "oauth",
	},
];

const CATALOGUE: readonly CatalogueEntry[] = ENTRIES.map((entry) => ({
	...entry,
	inputs: entry.inputs ?? [],
	fixed: { env: {}, headers: {} },
	docs: entry.docs ?? null,
}));

/** All entries, in the order they are shown. */
export function listCatalogue(): readonly CatalogueEntry[] {
	return CATALOGUE;
}

/** An entry, or null. */
export function findCatalogueEntry(id: string): CatalogueEntry | null {
	return CATALOGUE.find((entry) => entry.id === id) ?? null;
}

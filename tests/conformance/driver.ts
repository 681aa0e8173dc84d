/**
 * The client that the conformance suite starts, one process a scenario: it puts the suite's server behind a running
 * gateway and does through it what the scenario wants done. What the suite then sees as a client is the gateway.
 *
 * Where the server wants its users to sign in, the person of this driver is asked as people are (URL elicitation), and
 * signs in with a browser at the page that they were shown.
 *
 * Environment: GATEWAY_URL, GATEWAY_SOCKET, GATEWAY_COOKIES (of a browser that is signed in); the rest is the suite's.
 */
import {
	Client as ModernClient,
	StreamableHTTPClientTransport as ModernTransport,
} from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { createBrowser } from "../support/browser.ts";

type ToolCall = {
	readonly name: string;
	readonly arguments: Record<string, unknown>;
};

type Tool = { readonly name: string; readonly inputSchema: unknown };

/** A client of either era, signed in at the gateway, in front of the suite's server. */
type Client = {
	readonly listTools: () => Promise<readonly Tool[]>;
	readonly callTool: (call: ToolCall) => Promise<unknown>;
	/** Reads one of each thing that the server lists besides tools. */
	readonly readRest: () => Promise<void>;
	readonly close: () => Promise<void>;
};

/** Times that a person signs in for one scenario; the suite counts them too. */
const SIGN_INS_MAX = 5;

const url = process.argv.at(-1) ?? "";
const scenario = Bun.env["MCP_CONFORMANCE_SCENARIO"] ?? "";
const context = JSON.parse(Bun.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}") as {
	readonly toolCalls?: readonly ToolCall[];
	readonly client_id?: string;
	readonly client_secret?: string;
	readonly issuer?: string;
};
const isModern = Bun.env["MCP_CONFORMANCE_PROTOCOL_VERSION"] === "2026-07-28";
const gateway = Bun.env["GATEWAY_URL"] ?? "";
const slug = `s${process.pid}`;
const browser = createBrowser(
	{ email: "", password: "" },
	fetch,
	JSON.parse(Bun.env["GATEWAY_COOKIES"] ?? "{}") as Record<string, string>,
);
let signIns = 0;

async function api(
	path: string,
	body: Record<string, unknown>,
	method = "POST",
): Promise<Record<string, unknown>> {
	const response = await fetch(`http://sallyport/api/${path}`, {
		unix: Bun.env["GATEWAY_SOCKET"] ?? "",
		method,
		headers: { "content-type": "application/json" },
		body: JSON.stringify(body),
	});
	const reply = (await response.json()) as Record<string, unknown>;
	if (!response.ok) throw new Error(`${path}: ${JSON.stringify(reply)}`);
	return reply;
}

/** What a person does with the page that they are shown. False when there is no way through. */
async function signIn(page: string): Promise<boolean> {
	if (++signIns > SIGN_INS_MAX) return false;
	try {
		const callback = `${gateway}/connect/${slug}/callback`;
		const back = await browser.authorize(page, callback);
		const answer = await browser.open(back, {
			headers: { "Sec-Fetch-Site": "cross-site" },
		});
		if (answer.status === 200) return true;
		console.error(`the callback answered ${answer.status}`);
	} catch (error) {
		console.error(String(error));
	}
	return false;
}

/** Answers what the person is asked: a form with its defaults, a page by signing in there. */
async function answer(params: {
	readonly mode?: string | undefined;
	readonly url?: string;
}): Promise<{ action: "accept" | "cancel"; content?: Record<string, never> }> {
	if (params.mode !== "url") return { action: "accept", content: {} };
	return { action: (await signIn(params.url ?? "")) ? "accept" : "cancel" };
}

async function connectModern(endpoint: string, key: string): Promise<Client> {
	const client = new ModernClient(
		{ name: "driver", version: "1.0.0" },
		{
			capabilities: { elicitation: { form: {}, url: {} } },
			versionNegotiation: { mode: { pin: "2026-07-28" } },
		},
	);
	client.setRequestHandler("elicitation/create", ({ params }) =>
		answer(params as { mode?: string; url?: string }),
	);
	await client.connect(
		new ModernTransport(new URL(endpoint), {
			requestInit: { headers: { authorization: `Bearer ${key}` } },
		}),
	);
	return {
		listTools: async () =>
			(await client.listTools(undefined, { cacheMode: "bypass" })).tools,
		callTool: (call) => client.callTool(call),
		readRest: async () => {
			for (const { uri } of (await client.listResources()).resources)
				await client.readResource({ uri });
			for (const { name } of (await client.listPrompts()).prompts)
				await client.getPrompt({ name });
		},
		close: () => client.close(),
	};
}

async function connectLegacy(endpoint: string, key: string): Promise<Client> {
	// That scenario takes any GET for the one that comes back for an answer, and whoever can be asked has one open.
	const isAskable = scenario !== "sse-retry";
	const client = new LegacyClient(
		{ name: "driver", version: "1.0.0" },
		{
			capabilities: isAskable
				? { elicitation: { form: { applyDefaults: true }, url: {} } }
				: {},
		},
	);
	if (isAskable)
		client.setRequestHandler(ElicitRequestSchema, ({ params }) =>
			answer(params as { mode?: string; url?: string }),
		);
	const transport = new LegacyTransport(new URL(endpoint), {
		requestInit: { headers: { authorization: `Bearer ${key}` } },
	});
	await client.connect(transport as Parameters<LegacyClient["connect"]>[0]);
	return {
		listTools: async () => (await client.listTools()).tools,
		callTool: (call) => client.callTool(call),
		readRest: () => Promise.resolve(),
		close: () => client.close(),
	};
}

/** Arguments for the tools that want some. */
const ARGUMENTS: Readonly<Record<string, Record<string, unknown>>> = {
	add_numbers: { a: 2, b: 3 },
	valid_tool: { region: "eu" },
};

/** Lists that a gateway on a busy machine may give without the suite's server, which it waits for only so long. */
const LISTS_MAX = 10;

/** The tools of the suite's server; none where they cannot be seen before its person has signed in. */
async function listed(client: Client): Promise<readonly Tool[]> {
	const wants = scenario.startsWith("auth/") ? 1 : LISTS_MAX;
	for (let times = 1; ; times++) {
		const tools = await client.listTools();
		if (tools.length > 0 || times >= wants) return tools;
	}
}

/** Calls each tool as the scenario wants it called, and all that the gateway shows where it wants none in particular. */
async function play(client: Client): Promise<void> {
	const own = await listed(client);
	if (scenario === "json-schema-2020-12-preservation")
		return echoSchema(client, own);
	// Not to be seen before its person has signed in, and known to whoever wrote the scenario.
	const names = own.length > 0 ? own.map(({ name }) => name) : ["test-tool"];
	const calls =
		context.toolCalls ??
		names.map((name) => ({ name, arguments: ARGUMENTS[name] ?? {} }));
	for (const call of calls)
		console.log(JSON.stringify(await client.callTool(call)));
	if (own.length === 0) await client.listTools();
	if (scenario === "http-standard-headers") await client.readRest();
}

/** Hands the schema of the one tool to the other, as it was listed. */
async function echoSchema(
	client: Client,
	tools: readonly Tool[],
): Promise<void> {
	const schema = tools.find(
		({ name }) => name === "json_schema_2020_12_tool",
	)?.inputSchema;
	await client.callTool({ name: "json_schema_echo", arguments: { schema } });
}

await api("mcp/servers", { name: slug, url });
try {
	if (context.client_id !== undefined)
		await api("connections/client", {
			serverName: slug,
			clientId: context.client_id,
			clientSecret: context.client_secret,
			issuer: context.issuer,
		});
	const { key } = await api("keys", { name: slug });
	const client = await (isModern ? connectModern : connectLegacy)(
		`${gateway}/mcp/${slug}`,
		String(key),
	);
	try {
		await play(client);
	} finally {
		await client.close();
	}
} finally {
	// The suite waits for every connection to its server to end.
	await api(`mcp/servers/${slug}`, {}, "DELETE");
}

/**
 * Real servers behind one gateway at once: npm's reference servers over each transport, and the fixtures of both eras.
 * Everything is asked through the two official SDKs, so that each assertion holds for a client of either era.
 *
 * @see specification 2026-07-28 and 2025-11-25, server/* and basic/utilities
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	Client,
	StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { ODD_RESULT } from "../fixtures/odd.ts";
import { createBrowser } from "../support/browser.ts";
import { textOfResult } from "../support/clients/client.ts";
import { createSdk1Client, type Sdk1Client } from "../support/clients/sdk1.ts";
import { type Sdk2Client, signedIn } from "../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type FixtureServer,
	fixtureCommand,
	startEverything,
	startFixture,
} from "../support/processes.ts";
import { REPOSITORY } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { openLegacySession, sendModern } from "../support/wire.ts";

setDefaultTimeout(60_000);

const VERSION = "2026.8.31";

let gateway: Gateway;
let directory: string;
let everythingHttp: FixtureServer;
let everythingSse: FixtureServer;
let modernHttp: FixtureServer;
let legacyHttp: FixtureServer;
let modern: Sdk2Client;
let legacy: Sdk1Client;

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "sallyport-files-"));
	mkdirSync(join(directory, "shared"));
	writeFileSync(join(directory, "shared/note.txt"), "a note");
	[everythingHttp, everythingSse, modernHttp, legacyHttp, gateway] =
		await Promise.all([
			startEverything("streamableHttp"),
			startEverything("sse"),
			startFixture("modern"),
			startFixture("legacy"),
			startGateway(),
		]);
	const npm = (name: string): readonly string[] => [
		"--npm",
		`@modelcontextprotocol/server-${name}@${VERSION}`,
	];
	const stdio = (name: "modern" | "legacy"): readonly string[] => {
		const [command, ...args] = fixtureCommand(name, "stdio");
		return ["--command", command, "--", ...args];
	};
	const all: Readonly<Record<string, readonly string[]>> = {
		"everything-sse": ["--url", everythingSse.url],
		everything: [...npm("everything"), "--", "stdio"],
		"everything-http": ["--url", everythingHttp.url],
		memory: [
			...npm("memory"),
			"--env",
			`MEMORY_FILE_PATH=${join(directory, "memory.json")}`,
		],
		filesystem: [...npm("filesystem"), "--", join(directory, "shared")],
		"modern-http": ["--url", `${modernHttp.url}/mcp`],
		"modern-stdio": stdio("modern"),
		"legacy-http": ["--url", `${legacyHttp.url}/mcp`],
		"legacy-stdio": stdio("legacy"),
	};
	for (const [slug, how] of Object.entries(all))
		await gateway.cli(["servers", "add", slug, ...how]);
	modern = await signedIn(gateway.endpoint(), gateway.owner);
	legacy = createSdk1Client(gateway.endpoint());
	await legacy.signIn(createBrowser(gateway.owner));
}, 180_000);

afterAll(async () => {
	await modern?.close();
	await legacy?.close();
	await gateway?.stop();
	for (const server of [everythingHttp, everythingSse, modernHttp, legacyHttp])
		await server?.stop();
	rmSync(directory, { recursive: true, force: true });
});

/** The tools of a server asked directly, without a gateway. */
async function directTools(
	connect: (client: Client) => Promise<void>,
): Promise<readonly string[]> {
	const client = new Client(
		{ name: "direct", version: "1.0.0" },
		{ versionNegotiation: { mode: "auto" } },
	);
	await connect(client);
	const { tools } = await client.listTools();
	await client.close();
	// A tool that may only run as a task refuses plain calls, and tasks are not relayed.
	return tools
		.filter((tool) => tool.execution?.taskSupport !== "required")
		.map((tool) => tool.name);
}

function directStdio(
	command: string,
	args: readonly string[],
): Promise<readonly string[]> {
	return directTools((client) =>
		client.connect(
			new StdioClientTransport({ command, args: [...args], stderr: "ignore" }),
		),
	);
}

function reference(
	name: string,
	...args: readonly string[]
): Promise<readonly string[]> {
	const entry = join(
		REPOSITORY,
		`node_modules/@modelcontextprotocol/server-${name}/dist/index.js`,
	);
	return directStdio(process.execPath, [entry, ...args]);
}

describe("tools/list at /mcp", () => {
	test("shows every tool of every server under its slug, but those that only run as tasks", async () => {
		const everything = await reference("everything", "stdio");
		const fixture = await directTools((client) =>
			client.connect(
				new StreamableHTTPClientTransport(new URL(`${modernHttp.url}/mcp`)),
			),
		);
		const expected: Readonly<Record<string, readonly string[]>> = {
			everything,
			"everything-http": everything,
			"everything-sse": everything,
			filesystem: await reference("filesystem", directory),
			memory: await reference("memory"),
			"modern-http": fixture,
			"modern-stdio": fixture,
			"legacy-http": fixture,
			"legacy-stdio": fixture,
		};
		const exposed = Object.entries(expected).flatMap(([slug, names]) =>
			names.map((name) => `${slug}_${name}`),
		);
		for (const client of [modern, legacy])
			expect([...(await client.listTools())].sort()).toEqual(
				[...exposed].sort(),
			);
	});

	test("is in the same order each time and in both eras (2026-07-28, server/tools: deterministic order)", async () => {
		const first = await modern.listTools();
		const again = await modern.sdk().listTools({}, { cacheMode: "bypass" });
		expect(again.tools.map((tool) => tool.name)).toEqual([...first]);
		expect(await legacy.listTools()).toEqual([...first]);
	});

	test("keeps what it does not know about a tool", async () => {
		const { accessToken } = modern.credentials();
		const answer = await sendModern(
			gateway.endpoint(),
			accessToken,
			"tools/list",
		);
		const tools = answer.last?.result?.["tools"] as readonly Record<
			string,
			unknown
		>[];
		expect(
			tools.find((tool) => tool["name"] === "modern-http_odd"),
		).toMatchObject({
			"x-unknown": { kept: true },
		});
		expect(
			tools.find((tool) => tool["name"] === "legacy-stdio_echo"),
		).toMatchObject({
			annotations: { readOnlyHint: true, futureHint: "kept" },
		});
	});
});

test("/mcp/memory shows that one's names untouched, in its own order", async () => {
	const client = await signedIn(gateway.endpoint("memory"), gateway.owner);
	expect(await client.listTools()).toEqual([...(await reference("memory"))]);
	await client.close();
});

describe("tools/call reaches", () => {
	for (const slug of ["everything", "everything-http", "everything-sse"])
		test(`${slug}, and only it`, async () => {
			for (const client of [modern, legacy])
				expect(await client.callTool(`${slug}_echo`, { message: slug })).toBe(
					`Echo: ${slug}`,
				);
		});

	test("filesystem", async () => {
		for (const client of [modern, legacy])
			expect(
				await client.callTool("filesystem_read_text_file", {
					path: join(directory, "shared/note.txt"),
				}),
			).toBe("a note");
	});

	test("memory, which keeps what it was told", async () => {
		await modern.callTool("memory_create_entities", {
			entities: [
				{ name: "gate", entityType: "place", observations: ["small"] },
			],
		});
		expect(await legacy.callTool("memory_read_graph")).toContain("small");
	});

	for (const slug of [
		"modern-http",
		"modern-stdio",
		"legacy-http",
		"legacy-stdio",
	])
		test(slug, async () => {
			for (const client of [modern, legacy])
				expect(await client.callTool(`${slug}_echo`, { text: slug })).toBe(
					slug,
				);
		});

	test("a tool with a large answer", async () => {
		for (const slug of [
			"modern-http",
			"modern-stdio",
			"legacy-http",
			"legacy-stdio",
		])
			expect(
				await modern.callTool(`${slug}_sized`, { bytes: 1_500_000 }),
			).toHaveLength(1_500_000);
	});
});

const FIXTURES = [
	"modern-http",
	"modern-stdio",
	"legacy-http",
	"legacy-stdio",
] as const;

describe.each(FIXTURES.map((slug) => ({ slug })))(
	"through $slug",
	({ slug }) => {
		test("an answer of tomorrow arrives as it was written", async () => {
			const call = { name: `${slug}_odd`, arguments: {} };
			const { accessToken } = modern.credentials();
			const session = await openLegacySession(
				gateway.endpoint(),
				legacy.credentials().accessToken,
			);
			const answers = [
				await sendModern(gateway.endpoint(), accessToken, "tools/call", call),
				await session.request("tools/call", call),
			];
			const content = ODD_RESULT.slice(
				ODD_RESULT.indexOf('"content"'),
				ODD_RESULT.indexOf(',"_meta"'),
			);
			for (const { text } of answers) {
				expect(text).toContain(content);
				expect(text).toContain('"zeta":1');
				expect(text).toContain('"com.example/trace":"kept"');
				expect(text).toContain('"alpha":null');
			}
		});

		test("progress comes with the caller's own token, in order", async () => {
			const steps: number[] = [];
			const onprogress = ({ progress }: { progress: number }): void =>
				void steps.push(progress);
			const call = { name: `${slug}_slow`, arguments: { ms: 60 } };
			await modern.sdk().callTool(call, { onprogress });
			expect(steps).toEqual([1, 2, 3, 4]);
			steps.length = 0;
			await legacy.sdk().callTool(call, undefined, { onprogress });
			expect(steps).toEqual([1, 2, 3, 4]);
		});

		test("progress tokens of two callers at once are not mixed up", async () => {
			const { accessToken } = modern.credentials();
			const answers = await Promise.all(
				["one", 2].map((progressToken) =>
					sendModern(gateway.endpoint(), accessToken, "tools/call", {
						name: `${slug}_slow`,
						arguments: { ms: 60 },
						_meta: { progressToken },
					}),
				),
			);
			expect(
				answers.map(({ messages }) =>
					messages
						.slice(0, -1)
						.map((message) => message.params?.["progressToken"]),
				),
			).toEqual([
				["one", "one", "one", "one"],
				[2, 2, 2, 2],
			]);
		});

		test("a cancelled call is cancelled at the server, in both eras", async () => {
			for (const [start, client] of [
				[startModernCall, modern],
				[startLegacyCall, legacy],
			] as const) {
				const before = Number(await client.callTool(`${slug}_cancelled`));
				await start(slug);
				await until(
					"the server sees the cancellation",
					async () =>
						Number(await client.callTool(`${slug}_cancelled`)) === before + 1,
				);
			}
		});

		test("an error that is a result stays a result, with its text", async () => {
			const call = { name: `${slug}_fail`, arguments: {} };
			const expected = { isError: true, content: [{ text: "it went wrong" }] };
			expect(await modern.sdk().callTool(call)).toMatchObject(expected);
			expect(await legacy.sdk().callTool(call)).toMatchObject(expected);
		});

		test("an error of the protocol keeps its code and message", async () => {
			const answer = await sendModern(
				gateway.endpoint(),
				modern.credentials().accessToken,
				"tools/call",
				{ name: `${slug}_nope`, arguments: {} },
			);
			expect(answer.last?.error).toMatchObject({
				code: -32602,
				message: "Unknown tool: nope",
			});
		});

		test("resources are listed and read under their exposed addresses", async () => {
			for (const client of [modern.sdk(), legacy.sdk()]) {
				const { resources } = await client.listResources();
				const uri = `${slug}+fixture://static/text`;
				expect(resources.map((resource) => resource.uri)).toContain(uri);
				expect((await client.readResource({ uri })).contents).toMatchObject([
					{ uri, text: "a text" },
				]);
				const binary = `${slug}+fixture://static/binary`;
				expect(
					(await client.readResource({ uri: binary })).contents,
				).toMatchObject([{ uri: binary, blob: "AAECAw==" }]);
			}
		});

		test("a template can be filled in and read", async () => {
			for (const client of [modern.sdk(), legacy.sdk()]) {
				const { resourceTemplates } = await client.listResourceTemplates();
				const template = resourceTemplates.find(({ uriTemplate }) =>
					uriTemplate.startsWith(`${slug}+`),
				);
				expect(template?.uriTemplate).toBe(`${slug}+fixture://item/{id}`);
				const uri = `${slug}+fixture://item/7`;
				expect((await client.readResource({ uri })).contents).toMatchObject([
					{ uri, text: "item 7" },
				]);
			}
		});

		test("prompts are listed and got, and what they link to can be read", async () => {
			for (const client of [modern.sdk(), legacy.sdk()]) {
				const { prompts } = await client.listPrompts();
				expect(prompts.map((prompt) => prompt.name)).toContain(
					`${slug}_review`,
				);
				const { messages } = await client.getPrompt({
					name: `${slug}_review`,
					arguments: { language: "dutch" },
				});
				expect(messages).toMatchObject([
					{ content: { text: "review in dutch" } },
					{ content: { uri: `${slug}+fixture://static/text` } },
				]);
			}
		});

		test("arguments are completed", async () => {
			for (const client of [modern.sdk(), legacy.sdk()])
				expect(
					await client.complete({
						ref: { type: "ref/prompt", name: `${slug}_review` },
						argument: { name: "language", value: "eng" },
					}),
				).toMatchObject({
					completion: { values: ["english", "english (uk)"] },
				});
		});
	},
);

test("every resource that /mcp lists can be read", async () => {
	const { resources } = await modern.sdk().listResources();
	expect(resources.length).toBeGreaterThan(20);
	for (const { uri } of resources)
		expect(
			(await modern.sdk().readResource({ uri })).contents.length,
		).toBeGreaterThan(0);
});

test("a resource that nobody has is -32602 to a modern client and -32002 to a legacy one", async () => {
	const answer = await sendModern(
		gateway.endpoint(),
		modern.credentials().accessToken,
		"resources/read",
		{ uri: "nobody+fixture://nowhere" },
	);
	expect(answer.last?.error?.code).toBe(-32602);
	const session = await openLegacySession(
		gateway.endpoint(),
		legacy.credentials().accessToken,
	);
	const old = await session.request("resources/read", {
		uri: "nobody+fixture://nowhere",
	});
	expect(old.last?.error?.code).toBe(-32002);
});

// These change a list for good, so they come last.
describe("when a server's tools change", () => {
	for (const slug of FIXTURES)
		test(`at ${slug}, clients hear of it and see the new list`, async () => {
			const heard = Promise.withResolvers<void>();
			const fresh = createSdk1Client(gateway.endpoint());
			await fresh.signIn(createBrowser(gateway.owner));
			fresh
				.sdk()
				.setNotificationHandler(ToolListChangedNotificationSchema, () =>
					heard.resolve(),
				);
			expect(await fresh.listTools()).not.toContain(`${slug}_added`);
			expect(
				textOfResult(
					await modern
						.sdk()
						.callTool({ name: `${slug}_change`, arguments: {} }),
				),
			).toBe("changed");
			await heard.promise;
			await until("the new tool is listed", async () =>
				(await fresh.listTools()).includes(`${slug}_added`),
			);
			expect(await fresh.callTool(`${slug}_added`)).toBe("added");
			await fresh.close();
		});
});

/** Starts a long call and drops the connection: to a modern server that is the cancellation. */
async function startModernCall(slug: string): Promise<void> {
	const abort = new AbortController();
	const call = modern.sdk().callTool(
		{ name: `${slug}_slow`, arguments: { ms: 30_000 } },
		{
			signal: abort.signal,
			onprogress: () => abort.abort(new Error("enough")),
		},
	);
	await expect(call).rejects.toThrow("enough");
}

/** Starts a long call and sends `notifications/cancelled`. */
async function startLegacyCall(slug: string): Promise<void> {
	const abort = new AbortController();
	const call = legacy
		.sdk()
		.callTool({ name: `${slug}_slow`, arguments: { ms: 30_000 } }, undefined, {
			signal: abort.signal,
			onprogress: () => abort.abort("enough"),
		});
	await expect(call).rejects.toThrow("enough");
}

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
import { exposeNames } from "../../src/mcp/names.ts";
import {
	type FixtureServers,
	signInBoth,
	startBothEras,
} from "../support/both-eras.ts";
import type { Sdk1Client } from "../support/clients/sdk1.ts";
import { type Sdk2Client, signedIn } from "../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { type FixtureServer, startEverything } from "../support/processes.ts";
import { REPOSITORY } from "../support/tools.ts";
import { sendModern } from "../support/wire.ts";

setDefaultTimeout(60_000);

const VERSION = "2026.8.31";

let gateway: Gateway;
let directory: string;
let everythingHttp: FixtureServer;
let everythingSse: FixtureServer;
let fixtures: FixtureServers;
let modern: Sdk2Client;
let legacy: Sdk1Client;

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "sallyport-files-"));
	mkdirSync(join(directory, "shared"));
	writeFileSync(join(directory, "shared/note.txt"), "a note");
	[everythingHttp, everythingSse, fixtures, gateway] = await Promise.all([
		startEverything("streamableHttp"),
		startEverything("sse"),
		startBothEras(),
		startGateway(),
	]);
	const npm = (name: string): readonly string[] => [
		"--npm",
		`@modelcontextprotocol/server-${name}@${VERSION}`,
	];
	await gateway.addServers({
		"everything-sse": ["--url", everythingSse.url],
		everything: [...npm("everything"), "--", "stdio"],
		"everything-http": ["--url", everythingHttp.url],
		memory: [
			...npm("memory"),
			"--env",
			`MEMORY_FILE_PATH=${join(directory, "memory.json")}`,
		],
		filesystem: [...npm("filesystem"), "--", join(directory, "shared")],
		...fixtures.flags,
	});
	({ modern, legacy } = await signInBoth(gateway));
}, 180_000);

afterAll(async () => {
	await modern?.close();
	await legacy?.close();
	await gateway?.stop();
	for (const server of [everythingHttp, everythingSse, fixtures])
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
	for (const { name, execution } of tools)
		if (execution?.taskSupport === "required") taskOnly.add(name);
	return tools.map((tool) => tool.name);
}

/** Tools that refuse plain calls. A modern client could not follow the tasks of a legacy server. */
const taskOnly = new Set<string>();

function runsPlainly(exposed: string): boolean {
	return !taskOnly.has(exposed.slice(exposed.indexOf("_") + 1));
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
	test("shows every tool of every server under its slug, but tasks only to clients of their era", async () => {
		const everything = await reference("everything", "stdio");
		const fixture = await directTools((client) =>
			client.connect(
				new StreamableHTTPClientTransport(new URL(fixtures.modernUrl)),
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
		const exposed = Object.entries(expected).flatMap(([slug, names]) => [
			...exposeNames(slug, names).values(),
		]);
		expect(taskOnly.size).toBeGreaterThan(0);
		expect([...(await legacy.listTools())].sort()).toEqual([...exposed].sort());
		expect([...(await modern.listTools())].sort()).toEqual(
			exposed.filter(runsPlainly).sort(),
		);
	});

	test("is in the same order each time and in both eras (2026-07-28, server/tools: deterministic order)", async () => {
		const first = await modern.listTools();
		const again = await modern.sdk().listTools({}, { cacheMode: "bypass" });
		expect(again.tools.map((tool) => tool.name)).toEqual([...first]);
		expect((await legacy.listTools()).filter(runsPlainly)).toEqual([...first]);
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

test("every resource that /mcp lists can be read", async () => {
	const { resources } = await modern.sdk().listResources();
	expect(resources.length).toBeGreaterThan(20);
	for (const { uri } of resources)
		expect(
			(await modern.sdk().readResource({ uri })).contents.length,
		).toBeGreaterThan(0);
});

/** The tools of `sallyport tools list`, under their exposed names. */
async function commandLineTools(): Promise<readonly string[]> {
	const { tools, shortNames } = JSON.parse(
		await gateway.cli(["tools", "list", "--json"]),
	) as {
		tools: readonly Readonly<Record<string, readonly { name: string }[]>>[];
		shortNames: Readonly<Record<string, string>>;
	};
	return tools
		.flatMap((entry) => Object.entries(entry))
		.flatMap(([slug, own]) => own.map(({ name }) => `${slug}_${name}`))
		.map((name) => shortNames[name] ?? name);
}

test("the command line lists and calls what clients do", async () => {
	const names = await commandLineTools();
	for (const name of await modern.listTools()) expect(names).toContain(name);
	const called = await gateway.cli(
		["tools", "call", "everything_echo", "--args", "-"],
		'{"message":"by hand"}',
	);
	expect(called).toContain("Echo: by hand");
});

test("the command line lists nothing that cannot be called", async () => {
	expect(await commandLineTools()).toEqual([...(await modern.listTools())]);
});

// It changes what is listed, so it comes last.
test("a server that is disabled is gone from the list and unknown to a call, until it is enabled", async () => {
	const call = { name: "memory_read_graph", arguments: {} };
	const { accessToken } = modern.credentials();
	await gateway.cli(["servers", "disable", "memory"]);
	expect(
		(await modern.listTools()).filter((name) => name.startsWith("memory_")),
	).toEqual([]);
	const answer = await sendModern(
		gateway.endpoint(),
		accessToken,
		"tools/call",
		call,
	);
	expect(answer.last?.error?.code).toBe(-32602);
	await gateway.cli(["servers", "enable", "memory"]);
	expect(await modern.listTools()).toContain("memory_read_graph");
	expect(await modern.callTool("memory_read_graph")).toContain("small");
});

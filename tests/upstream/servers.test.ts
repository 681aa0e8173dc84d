import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Transport } from "../../src/store/servers.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import { ODD_RESULT } from "../fixtures/odd.ts";
import {
	type FixtureServer,
	fixtureCommand,
	startEverything,
	startFixture,
} from "../support/processes.ts";
import {
	asCommand,
	ask,
	callTool,
	overHttp,
	type Pool,
	startPool,
} from "../support/upstreams.ts";

const SERVERS = join(
	import.meta.dir,
	"../../node_modules/@modelcontextprotocol",
);

let pool: Pool;
let listening: FixtureServer[] = [];
const upstreams: Record<string, Upstream> = {};

beforeAll(async () => {
	pool = startPool();
	const [modern, legacy, http, sse] = await Promise.all([
		startFixture("modern"),
		startFixture("legacy"),
		startEverything("streamableHttp"),
		startEverything("sse"),
	]);
	listening = [modern, legacy, http, sse];
	const everything = join(SERVERS, "server-everything/dist/index.js");
	const transports: Record<string, Transport> = {
		"everything-stdio": asCommand([process.execPath, everything, "stdio"]),
		"everything-http": overHttp(http.url),
		"everything-sse": overHttp(sse.url),
		"modern-stdio": asCommand(fixtureCommand("modern", "stdio")),
		"modern-http": overHttp(`${modern.url}/mcp`),
		"legacy-stdio": asCommand(fixtureCommand("legacy", "stdio")),
		"legacy-http": overHttp(`${legacy.url}/mcp`),
	};
	for (const [slug, transport] of Object.entries(transports))
		upstreams[slug] = pool.upstream(slug, transport);
}, 30_000);

afterAll(async () => {
	await pool.close();
	await Promise.all(listening.map((server) => server.stop()));
});

const FIXTURES = ["modern-stdio", "modern-http", "legacy-stdio", "legacy-http"];
const EVERYTHING = ["everything-stdio", "everything-http", "everything-sse"];

function at(slug: string): Upstream {
	return upstreams[slug] as Upstream;
}

for (const slug of EVERYTHING)
	test(`${slug}: its era is found, its lists are read, its tools are called`, async () => {
		const upstream = at(slug);
		expect(upstream.knownFacts()).toBeNull();
		const facts = await upstream.facts();
		expect(facts).toMatchObject({
			era: "legacy",
			protocolVersion: "2025-11-25",
			serverInfo: { name: "mcp-servers/everything" },
		});
		expect(upstream.state()).toBe("ready");
		const tools = await upstream.list("tools");
		expect(tools.map(({ key }) => key)).toContain("echo");
		expect((await upstream.list("prompts")).length).toBeGreaterThan(0);
		expect((await upstream.list("resources")).length).toBeGreaterThan(0);
		expect((await upstream.list("resourceTemplates")).length).toBeGreaterThan(
			0,
		);
		expect(await callTool(upstream, "echo", { message: "hi" })).toBe(
			"Echo: hi",
		);
	}, 20_000);

for (const slug of FIXTURES)
	describe(slug, () => {
		const upstream = (): Upstream => at(slug);

		test("its era is found out", async () => {
			const facts = await upstream().facts();
			const [era, name] = [
				slug.split("-")[0] as string,
				`${slug.split("-")[0]}-fixture`,
			];
			expect(facts).toMatchObject({
				era,
				instructions: "call echo first",
				serverInfo: { name },
			});
			expect(upstream().knownFacts()).toEqual(facts);
		});

		test("what no SDK would write arrives byte for byte", async () => {
			const { member, text } = await ask(
				upstream(),
				"tools/call",
				'{"name":"odd","arguments":{"n":12345678901234567890,"s":"\\ud800"}}',
			);
			expect([member, text]).toEqual(["result", ODD_RESULT]);
			const odd = (await upstream().list("tools")).find(
				({ key }) => key === "odd",
			);
			expect(JSON.parse(String(odd && Buffer.from(odd.bytes)))).toMatchObject({
				"x-unknown": { kept: true },
			});
		});

		test("small and large results arrive whole", async () => {
			for (const bytes of [0, 100, 64 * 1024, 70_000, 1024 * 1024 + 1])
				expect(await callTool(upstream(), "sized", { bytes })).toBe(
					"x".repeat(bytes),
				);
		});

		test("resources, templates, prompts and completion are relayed", async () => {
			expect(
				(await ask(upstream(), "resources/read", '{"uri":"fixture://item/7"}'))
					.text,
			).toContain("item 7");
			expect((await upstream().list("resourceTemplates"))[0]?.key).toBe(
				"fixture://item/{id}",
			);
			expect(
				(await ask(upstream(), "prompts/get", '{"name":"greeting"}')).text,
			).toContain("hello");
			expect(
				(
					await ask(
						upstream(),
						"completion/complete",
						'{"ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"language","value":"en"}}',
					)
				).text,
			).toContain("english (uk)");
		});

		test("an error of the server is its answer, not a failure", async () => {
			const unknown = await ask(
				upstream(),
				"tools/call",
				'{"name":"no-such-tool"}',
			);
			expect(unknown.member).toBe("error");
			expect(JSON.parse(unknown.text)).toMatchObject({ code: -32602 });
			expect((await ask(upstream(), "no/such-method")).member).toBe("error");
		});

		test("progress comes back with the client's own token, to the right call", async () => {
			const heard: Record<string, unknown[]> = { a: [], b: [] };
			const call = (token: string): Promise<string> =>
				ask(
					upstream(),
					"tools/call",
					`{"name":"slow","arguments":{"ms":40},"_meta":{"progressToken":"${token}"}}`,
					{
						onNotification: (message) => {
							const { params } = JSON.parse(Buffer.from(message).toString());
							heard[token]?.push(params.progressToken);
						},
					},
				).then(({ text }) => text);
			const [a] = await Promise.all([call("a"), call("b")]);
			expect(a).toContain("done");
			expect(heard).toEqual({ a: Array(4).fill("a"), b: Array(4).fill("b") });
		});

		test("a cancelled call ends at once, and the server hears of it", async () => {
			const before = Number(await callTool(upstream(), "cancelled"));
			const abort = new AbortController();
			const call = ask(
				upstream(),
				"tools/call",
				'{"name":"slow","arguments":{"ms":20000},"_meta":{"progressToken":1}}',
				{ signal: abort.signal, onNotification: () => abort.abort() },
			);
			await expect(call).rejects.toThrow("cancelled");
			let after = before;
			while (after === before)
				after = Number(await callTool(upstream(), "cancelled"));
			expect(after).toBe(before + 1);
		});

		test("many calls at once each get their own answer", async () => {
			const texts = Array.from({ length: 60 }, (_, n) => `call ${n}`);
			expect(
				await Promise.all(
					texts.map((text) => callTool(upstream(), "echo", { text })),
				),
			).toEqual(texts);
		});

		test("a changed list is announced and read anew", async () => {
			const changed = new Promise<string>((resolve) => {
				upstream().subscribe((event) => {
					if (event.type === "list_changed") resolve(event.list);
				});
			});
			expect(
				(await upstream().list("tools")).map(({ key }) => key),
			).not.toContain("added");
			await callTool(upstream(), "change");
			expect(await changed).toBe("tools");
			expect((await upstream().list("tools")).map(({ key }) => key)).toContain(
				"added",
			);
		});
	});

test("server-memory and server-filesystem work over stdio", async () => {
	const memory = pool.upstream(
		"memory",
		asCommand(
			[process.execPath, join(SERVERS, "server-memory/dist/index.js")],
			{
				MEMORY_FILE_PATH: join(pool.folder, "memory.json"),
			},
		),
	);
	writeFileSync(join(pool.folder, "note.txt"), "a note");
	const files = pool.upstream(
		"files",
		asCommand([
			process.execPath,
			join(SERVERS, "server-filesystem/dist/index.js"),
			pool.folder,
		]),
	);
	const [graph, note] = await Promise.all([
		callTool(memory, "read_graph"),
		callTool(files, "read_text_file", { path: join(pool.folder, "note.txt") }),
	]);
	expect(JSON.parse(graph)).toEqual({ entities: [], relations: [] });
	expect(note).toBe("a note");
}, 20_000);

test("an npm package's entry is run by this executable, in the server's own folder", async () => {
	const own = startPool({
		entry: `../../..${join(SERVERS, "server-everything/dist/index.js")}`,
	});
	const upstream = own.upstream("npm", {
		kind: "npm",
		package: "@modelcontextprotocol/server-everything",
		version: "2026.8.31",
		args: ["stdio"],
		env: {},
	});
	expect(await callTool(upstream, "echo", { message: "x" })).toBe("Echo: x");
	await own.close();
}, 20_000);

test("a mode that is given is kept to: SSE is not fallen back to", async () => {
	const [, , , sse] = listening as [never, never, never, FixtureServer];
	const upstream = pool.upstream("only-http", overHttp(sse.url, "http"));
	await expect(upstream.facts()).rejects.toThrow(
		"only-http: the server answered 404",
	);
});

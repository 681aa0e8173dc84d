/**
 * Every client of the compatibility table, from a pasted address to a tool call and past a refresh: as a gateway
 * without internet sees it, where the bundled documents stand in; with the vendors' documents; and against the
 * executable, which fetches them from an internet of the test's own.
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { join } from "node:path";
import type { ConnectionsView } from "../../src/api/doctor.ts";
import {
	type Internet,
	networkNamespaces,
	openInternet,
	PUBLIC,
	VENDORS,
} from "../support/internet.ts";
import { freePort } from "../support/processes.ts";
import { serveDocument } from "../support/recordings/documents.ts";
import type { Recording } from "../support/recordings/recording.ts";
import { replay } from "../support/recordings/replay.ts";
import { openTheatre, type Theatre } from "../support/recordings/stage.ts";
import { RECORDINGS } from "../support/recordings.ts";
import { describeWith, executable } from "../support/tools.ts";

setDefaultTimeout(60_000);

/** Plays each recording, and asks the doctor about all of them. */
function plays(
	recordings: readonly Recording[],
	open: () => Promise<Theatre>,
): void {
	let theatre: Theatre;
	beforeAll(async () => {
		theatre = await open();
	});
	afterAll(() => theatre?.gateway.stop());

	for (const recording of recordings)
		test(`${recording.client} ${recording.way}`, async () => {
			const { said, scope } = await replay(
				recording,
				theatre.stageFor(recording),
			);
			expect(new Set(said)).toEqual(new Set([`from ${recording.client}`]));
			expect(scope).toBe("mcp");
		});

	test("the doctor finds each of them connected, under its name", async () => {
		const response = await fetch("http://sallyport/api/doctor/connections", {
			unix: join(theatre.gateway.dataDir, "admin.sock"),
		});
		const { connections } = (await response.json()) as ConnectionsView;
		for (const { name, verdict } of connections)
			expect(`${name} ${verdict.state}`).toBe(`${name} connected`);
		const names = new Set(connections.map(({ name }) => name));
		for (const { client } of recordings)
			if (!client.startsWith("a client")) expect(names).toContain(client);
	});
}

describe("where no document can be read", () =>
	plays(RECORDINGS, () =>
		openTheatre({
			documents: () => Promise.reject(new Error("there is no internet here")),
		}),
	));

describe("with the vendor's document", () =>
	plays(
		RECORDINGS.filter(({ identity }) => identity.kind === "document"),
		() => openTheatre({ documents: async (url) => serveDocument(String(url)) }),
	));

describeWith([executable(), networkNamespaces()], "the executable", () => {
	let internet: Internet;
	const fetched: string[] = [];

	plays(RECORDINGS, async () => {
		const port = await freePort();
		internet = await openInternet(port);
		for (const name of VENDORS) internet.name(name, [PUBLIC[0]]);
		internet.serve((request) => {
			const { host } = new URL(`https://${request.headers.get("Host")}`);
			const url = `https://${host}${new URL(request.url).pathname}`;
			fetched.push(url);
			return serveDocument(url);
		});
		return openTheatre(
			{
				compiled: true,
				port,
				inside: internet.inside,
				env: internet.env,
			},
			(input, init) => internet.fetchInside(new URL(String(input)), init),
		);
	});
	afterAll(() => internet?.close());

	test("each document was fetched once, from its vendor", () => {
		const documents = RECORDINGS.flatMap(({ identity }) =>
			identity.kind === "document" ? [new URL(identity.url).host] : [],
		);
		expect(new Set(fetched.map((url) => new URL(url).host))).toEqual(
			new Set(documents),
		);
		expect(new Set(fetched).size).toBe(fetched.length);
	});
});

describe("the recordings", () => {
	test("are of every client that the project promises", () => {
		const clients = new Set(RECORDINGS.map(({ client }) => client));
		for (const name of [
			...["Claude", "Claude Code", "ChatGPT", "Codex", "Cursor"],
			...["Visual Studio Code", "GitHub Copilot CLI", "Zed", "Goose"],
			...["LibreChat", "n8n", "MCP Inspector", "mcp-remote", "Gemini CLI"],
			...["OpenCode", "Grok"],
		])
			expect(clients).toContain(name);
	});

	test("say where each fact is from, and have a name of their own", () => {
		const names = RECORDINGS.map(({ client, way }) => `${client} ${way}`);
		expect(new Set(names).size).toBe(names.length);
		for (const { sources } of RECORDINGS)
			expect(sources.length).toBeGreaterThan(0);
	});
});

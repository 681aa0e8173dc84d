/**
 * Real servers from npm behind the executable, which installs and runs them itself, asked by the Inspector's command
 * line in both eras: the reference servers, one that needs a key, and two that people use for everyday work.
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
import { createBrowser } from "../support/browser.ts";
import type { McpClient } from "../support/clients/client.ts";
import {
	createInspector,
	inspectorTools,
} from "../support/clients/inspector.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { describeWith, executable } from "../support/tools.ts";
import { sendModern } from "../support/wire.ts";

setDefaultTimeout(60_000);

const REFERENCE = "2026.8.31";
const AIRTABLE_TOOLS = ["list_bases", "list_tables", "search_records"];

/** A call of each server, and what its answer has in it. */
const CALLS: readonly {
	readonly tool: string;
	readonly args: Record<string, unknown>;
	readonly says: string;
}[] = [
	{
		tool: "everything_echo",
		args: { message: "from npm" },
		says: "Echo: from npm",
	},
	{
		tool: "filesystem_list_directory",
		args: { path: "." },
		says: "note.txt",
	},
	{
		tool: "memory_read_graph",
		args: {},
		says: '"entities"',
	},
	{
		tool: "thinking_sequentialthinking",
		args: {
			thought: "one step",
			nextThoughtNeeded: false,
			thoughtNumber: 1,
			totalThoughts: 1,
		},
		says: '"thoughtNumber": 1',
	},
	{
		tool: "calc_convert",
		args: { value: 1, from: "km", to: "m" },
		says: "1000",
	},
	{
		tool: "bank_memory_bank_write",
		args: { projectName: "gate", fileName: "plan.md", content: "# Plan" },
		says: "plan.md",
	},
];

describeWith([executable(), ...inspectorTools()], "servers from npm", () => {
	let gateway: Gateway;
	let directory: string;

	beforeAll(async () => {
		directory = mkdtempSync(join(tmpdir(), "sallyport-npm-"));
		mkdirSync(join(directory, "files"));
		mkdirSync(join(directory, "bank"));
		writeFileSync(join(directory, "files/note.txt"), "a note");
		gateway = await startGateway({ compiled: true });
		const reference = (name: string): readonly string[] => [
			"--npm",
			`@modelcontextprotocol/server-${name}@${REFERENCE}`,
		];
		await gateway.addServers({
			everything: [...reference("everything"), "--", "stdio"],
			filesystem: [...reference("filesystem"), "--", join(directory, "files")],
			memory: [
				...reference("memory"),
				...["--env", `MEMORY_FILE_PATH=${join(directory, "memory.json")}`],
			],
			thinking: reference("sequential-thinking"),
			airtable: [
				...["--npm", "airtable-mcp-server@1.14.0"],
				...["--slot", "token=env:AIRTABLE_API_KEY"],
			],
			calc: ["--npm", "@coo-quack/calc-mcp@2.1.1"],
			bank: [
				...["--npm", "@allpepper/memory-bank-mcp@0.2.2"],
				...["--env", `MEMORY_BANK_ROOT=${join(directory, "bank")}`],
			],
		});
	}, 180_000);

	afterAll(async () => {
		await gateway?.stop();
		rmSync(directory, { recursive: true, force: true });
	});

	describe.each(["modern", "legacy"] as const)(
		"to the Inspector, %s",
		(era) => {
			let inspector: McpClient;

			beforeAll(async () => {
				inspector = createInspector(gateway.endpoint(), era);
				await inspector.signIn(createBrowser(gateway.owner));
			});

			afterAll(() => inspector?.close());

			test("every server's tools are listed, but those of the one without its key", async () => {
				const names = await inspector.listTools();
				for (const { tool } of CALLS) expect(names).toContain(tool);
				expect(names.filter((name) => name.startsWith("airtable_"))).toEqual(
					[],
				);
			});

			test.each(CALLS)("$tool answers", async ({ tool, args, says }) => {
				expect(await inspector.callTool(tool, args)).toContain(says);
			});
		},
	);

	test("the one without its key says which is missing; with one that is wrong, the server itself says what is wrong", async () => {
		const key = await gateway.apiKey("npm");
		const { text } = await sendModern(
			gateway.endpoint("airtable"),
			key,
			"tools/call",
			{ name: "list_bases", arguments: {} },
		);
		expect(text).toContain("sallyport secrets set airtable token");
		await gateway.cli(["secrets", "set", "airtable", "token"], "pat.none");
		const inspector = createInspector(gateway.endpoint("airtable"), "modern");
		await inspector.signIn(createBrowser(gateway.owner));
		expect(await inspector.listTools()).toEqual(
			expect.arrayContaining(AIRTABLE_TOOLS),
		);
		await expect(inspector.callTool("list_bases")).rejects.toThrow(
			"isError:true",
		);
		await inspector.close();
	});
});

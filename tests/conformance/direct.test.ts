/**
 * The conformance fixture, run directly: what it fails by itself says nothing about the gateway, so it must fail
 * nothing that is required of a server.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { describeWith } from "../support/tools.ts";
import { type HttpKind, MODERN_ON_MODERN } from "./expected.ts";
import {
	type FixtureServer,
	fixtureCommand,
	startFixture,
} from "./fixtures.ts";
import {
	type Outcome,
	outcomeOf,
	type Requirements,
	runServerSuite,
	SUITE_TOOLS,
	serverScenarios,
} from "./runner.ts";

setDefaultTimeout(60_000);

const WAYS: readonly {
	readonly kind: HttpKind;
	readonly requirements: Requirements;
	readonly requiredCount: number;
	readonly expected: Outcome;
}[] = [
	{
		kind: "http-modern",
		requirements: "2026-07-28",
		requiredCount: 37,
		expected: MODERN_ON_MODERN,
	},
	{
		kind: "http-legacy",
		requirements: "2025-11-25",
		requiredCount: 30,
		expected: { failed: {}, warned: {}, hollow: [] },
	},
];

describeWith(SUITE_TOOLS, "the conformance fixture by itself", () => {
	const servers = new Map<HttpKind, FixtureServer>();

	beforeAll(async () => {
		for (const { kind } of WAYS) servers.set(kind, await startFixture(kind));
	});

	afterAll(async () => {
		for (const server of servers.values()) await server.stop();
	});

	test.each(WAYS)(
		"meets all that $requirements requires over $kind",
		async ({ kind, requirements, requiredCount, expected }) => {
			const report = await runServerSuite(
				servers.get(kind)?.url ?? "",
				requirements,
			);
			const { required } = serverScenarios(requirements);
			expect(required).toHaveLength(requiredCount);
			expect([...report.scenarios.keys()]).toEqual(
				expect.arrayContaining([...required]),
			);
			expect(outcomeOf(report)).toEqual(expected);
			for (const scenario of required)
				expect(expected.failed[scenario]).toBeUndefined();
		},
	);

	test.each(["stdio-modern", "stdio-legacy"] as const)(
		"asks its client over %s",
		async (kind) => {
			const [command, ...args] = fixtureCommand(kind);
			const client = new Client(
				{ name: "direct", version: "1.0.0" },
				{
					capabilities: { elicitation: { form: {} } },
					versionNegotiation: {
						mode: kind === "stdio-modern" ? { pin: "2026-07-28" } : "legacy",
					},
				},
			);
			client.setRequestHandler("elicitation/create", async () => ({
				action: "accept",
				content: { name: "Alice" },
			}));
			await client.connect(new StdioClientTransport({ command, args }));
			expect(
				await client.callTool({
					name: "test_input_required_result_elicitation",
				}),
			).toMatchObject({ content: [{ type: "text", text: "Hello, Alice!" }] });
			await client.close();
		},
	);
});

/**
 * The official conformance suite through the gateway, signed in, at the endpoint of one server: clients of both eras
 * in front of every kind of server. What is expected stands in `expected.ts`.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { auth } from "@modelcontextprotocol/sdk/client/auth.js";
import { META } from "../../src/protocol.ts";
import { createBrowser } from "../support/browser.ts";
import { createProvider } from "../support/clients/provider.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { describeWith } from "../support/tools.ts";
import { sendModern } from "../support/wire.ts";
import { EXPECTED, KINDS, type Kind } from "./expected.ts";
import {
	type FixtureServer,
	fixtureCommand,
	startFixture,
} from "./fixtures.ts";
import {
	outcomeOf,
	type Report,
	type Requirements,
	runServerSuite,
	SUITE_TOOLS,
	serverScenarios,
} from "./runner.ts";
import { type SignedProxy, startSignedProxy } from "./signed-proxy.ts";

setDefaultTimeout(120_000);

const PAIRINGS = (["2026-07-28", "2025-11-25"] as const).flatMap(
	(requirements) => KINDS.map((kind) => ({ requirements, kind })),
);

describeWith(SUITE_TOOLS, "the conformance suite through the gateway", () => {
	let gateway: Gateway;
	const fixtures: FixtureServer[] = [];
	const proxies = new Map<Kind, SignedProxy>();

	beforeAll(async () => {
		gateway = await startGateway();
		for (const kind of KINDS) {
			const slug = `conformance-${kind}`;
			await gateway.cli(["servers", "add", slug, ...(await place(kind))]);
			const endpoint = gateway.endpoint(slug);
			const token = await signIn(gateway, endpoint);
			await wake(endpoint, token);
			proxies.set(kind, await startSignedProxy(endpoint, token));
		}
	}, 120_000);

	afterAll(async () => {
		for (const proxy of proxies.values()) await proxy.stop();
		await gateway?.stop();
		for (const fixture of fixtures) await fixture.stop();
	});

	/** The flags that say where the server is, which runs from now on. */
	async function place(kind: Kind): Promise<readonly string[]> {
		if (kind === "http-modern" || kind === "http-legacy") {
			const fixture = await startFixture(kind);
			fixtures.push(fixture);
			return ["--url", fixture.url];
		}
		const [command, ...args] = fixtureCommand(kind);
		return ["--command", command, "--", ...args];
	}

	test.each(PAIRINGS)(
		"a client of $requirements gets from $kind what the table says",
		async ({ requirements, kind }) => {
			const report = await runServerSuite(
				proxies.get(kind)?.url ?? "",
				requirements,
			);
			const { required, notScored } = serverScenarios(requirements);
			expect([...report.scenarios.keys()].sort()).toEqual(
				[...required, ...notScored].sort(),
			);
			explainSurprises(report, requirements, kind);
			expect(outcomeOf(report)).toEqual(EXPECTED[requirements][kind]);
		},
	);
});

/** One scenario waits 600 ms for a client that can be asked: no time to start a process on a busy machine. */
async function wake(endpoint: string, token: string): Promise<void> {
	const _meta = { [META.clientCapabilities]: { elicitation: {} } };
	await sendModern(endpoint, token, "tools/list", { _meta });
}

/** An access token for one endpoint, obtained as a client does. */
async function signIn(gateway: Gateway, endpoint: string): Promise<string> {
	const provider = createProvider({ clientName: "conformance" });
	await auth(provider, { serverUrl: endpoint });
	const code = (await provider.visit(createBrowser(gateway.owner))).get("code");
	if (code === null) throw new Error("no code came back");
	await auth(provider, { serverUrl: endpoint, authorizationCode: code });
	return provider.credentials().accessToken;
}

/** The suite's own words for failures that the table does not have: the comparison shows only their ids. */
function explainSurprises(
	report: Report,
	requirements: Requirements,
	kind: Kind,
): void {
	const expected = EXPECTED[requirements][kind].failed;
	for (const [scenario, { messages }] of report.scenarios)
		if (messages.length > 0 && !expected[scenario])
			console.error(
				`${requirements} → ${kind}, ${scenario}:\n  ${messages.join("\n  ")}`,
			);
}

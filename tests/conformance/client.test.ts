/**
 * The official conformance suite's client legs, with the gateway as the client: the suite serves, and its command is a
 * driver that puts the suite's server behind a running gateway and uses it from there (`driver.ts`). What does not
 * pass stands in `EXPECTED`.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { createBrowser } from "../support/browser.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { describeWith } from "../support/tools.ts";
import {
	clientScenarios,
	type Outcome,
	outcomeOf,
	runClientSuite,
	SUITE_TOOLS,
} from "./runner.ts";

setDefaultTimeout(300_000);

/** The document that the suite's authorization servers know. */
const CLIENT_DOCUMENT = "https://conformance-test.local/client-metadata.json";

/**
 * Extensions, which are not scored: grants without a person (client credentials, workload identity, an enterprise's own
 * identity provider) and tokens bound to a key (DPoP). The gateway signs people in, with bearer tokens.
 */
const EXPECTED: Outcome = {
	failed: {
		"auth/client-credentials-basic": [
			"client-credentials-basic-auth",
			"client-credentials-grant-type",
		],
		"auth/client-credentials-jwt": [
			"client-credentials-grant-type",
			"client-credentials-jwt-verified",
		],
		"auth/dpop": [
			"sep-1932-client-dpop-auth-scheme",
			"sep-1932-client-fresh-proof",
			"sep-1932-client-token-request-proof",
		],
		"auth/dpop-nonce": [
			"sep-1932-client-as-nonce",
			"sep-1932-client-dpop-auth-scheme",
			"sep-1932-client-fresh-proof",
			"sep-1932-client-rs-nonce",
			"sep-1932-client-token-request-proof",
		],
		"auth/enterprise-managed-authorization": [
			"complete-flow-jwt-bearer",
			"complete-flow-token-exchange",
		],
		"auth/wif-jwt-bearer": ["wif-grant-type"],
	},
	warned: {},
	hollow: [],
};

describeWith(SUITE_TOOLS, "the conformance suite behind the gateway", () => {
	let gateway: Gateway;
	let cookies: string;

	beforeAll(async () => {
		gateway = await startGateway({ clientDocumentUrl: CLIENT_DOCUMENT });
		const browser = createBrowser(gateway.owner);
		await browser.authorize(`${gateway.url}/login`, `${gateway.url}/`);
		cookies = JSON.stringify(browser.cookies());
	}, 60_000);

	afterAll(() => gateway?.stop());

	test.each(["2026-07-28", "2025-11-25"] as const)(
		"as a client of %s the gateway meets every requirement that the table does not name",
		async (requirements) => {
			const report = await runClientSuite(
				[process.execPath, join(import.meta.dir, "driver.ts")],
				requirements,
				{
					GATEWAY_URL: gateway.url,
					GATEWAY_SOCKET: join(gateway.dataDir, "admin.sock"),
					GATEWAY_COOKIES: cookies,
				},
			);
			const { required, notScored } = clientScenarios(requirements);
			expect([...report.scenarios.keys()].sort()).toEqual(
				[...required, ...notScored].sort(),
			);
			for (const [scenario, { messages }] of report.scenarios)
				if (messages.length > 0 && !EXPECTED.failed[scenario])
					console.error(
						`${requirements}, ${scenario}:\n  ${messages.join("\n  ")}`,
					);
			expect(outcomeOf(report)).toEqual(EXPECTED);
		},
	);
});

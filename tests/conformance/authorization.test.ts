/**
 * The conformance suite's scenarios for authorization servers: metadata, and one authorization code grant that a
 * scripted person completes at the URL that the suite prints.
 *
 * @see RFC 8414, RFC 6749 4.1, RFC 7636, RFC 9207
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createBrowser } from "../support/browser.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { freePort } from "../support/processes.ts";
import { describeWith } from "../support/tools.ts";
import { outcomeOf, runAuthorizationSuite, SUITE_TOOLS } from "./runner.ts";

setDefaultTimeout(60_000);

describeWith(SUITE_TOOLS, "the conformance suite for the issuer", () => {
	let gateway: Gateway;

	beforeAll(async () => {
		gateway = await startGateway();
	}, 60_000);

	afterAll(() => gateway?.stop());

	test("metadata and an authorization code grant meet every requirement", async () => {
		const callbackPort = await freePort();
		const redirectUri = `http://127.0.0.1:${callbackPort}/callback`;
		const report = await runAuthorizationSuite(
			{
				issuer: gateway.url,
				clientId: await register(redirectUri),
				resource: gateway.endpoint(),
				callbackPort,
			},
			async (url) => {
				const browser = createBrowser(gateway.owner);
				await browser.open(await browser.authorize(url, redirectUri));
			},
		);
		expect([...report.scenarios.keys()]).toEqual([
			"authorization-code-grant",
			"authorization-server-metadata-endpoint",
		]);
		expect(outcomeOf(report)).toEqual({ failed: {}, warned: {}, hollow: [] });
	});

	/** RFC 7591, as a public client. */
	async function register(redirectUri: string): Promise<string> {
		const response = await fetch(`${gateway.url}/register`, {
			method: "POST",
			headers: { "Content-Type": "application/json" },
			body: JSON.stringify({
				client_name: "conformance",
				redirect_uris: [redirectUri],
				grant_types: ["authorization_code"],
				response_types: ["code"],
				token_endpoint_auth_method: "none",
			}),
		});
		const { client_id } = (await response.json()) as { client_id: string };
		return client_id;
	}
});

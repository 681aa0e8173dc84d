/** A real Chromium that reaches this machine alone, an authenticator that lives in it, and a look for barriers. */
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";

/** Nothing leaves this machine, whatever a page asks for. */
export function launchChromium(executablePath: string): Promise<Browser> {
	return chromium.launch({
		executablePath,
		args: [
			"--no-sandbox",
			"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
		],
	});
}

/** An authenticator as a phone or a laptop has one: it keeps passkeys and verifies its person without being asked. */
export async function addVirtualAuthenticator(page: Page): Promise<void> {
	const devtools = await page.context().newCDPSession(page);
	await devtools.send("WebAuthn.enable");
	await devtools.send("WebAuthn.addVirtualAuthenticator", {
		options: {
			protocol: "ctap2",
			transport: "internal",
			hasResidentKey: true,
			hasUserVerification: true,
			isUserVerified: true,
			automaticPresenceSimulation: true,
		},
	});
}

/** What axe calls serious or critical. Evaluated, not loaded: the page's own policy lets no other script in. */
export async function violations(page: Page): Promise<readonly string[]> {
	await page.evaluate(axe.source);
	const results = (await page.evaluate("axe.run()")) as axe.AxeResults;
	return results.violations
		.filter(({ impact }) => impact === "serious" || impact === "critical")
		.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}

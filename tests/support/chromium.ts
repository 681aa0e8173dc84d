/** A real Chromium that reaches this machine alone, and an authenticator that lives in it. */
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

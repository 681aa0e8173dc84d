/**
 * The consent page in a real browser, under its own Content-Security-Policy: what is unticked is not granted, and the
 * answer reaches a program on this computer, a host on the web, and an app by its scheme.
 *
 * @see Content Security Policy Level 3, form-action (Chromium holds the redirect of a form to it too)
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { openTarget, type Target } from "../attacks/target.ts";
import {
	authorizeQuery,
	type Client,
	redeem,
	register,
} from "../oauth/authority.ts";
import { describeWith, systemTool } from "../support/tools.ts";

setDefaultTimeout(60_000);

const CHROMIUM = systemTool("chromium", "chromium");
const APP = "cursor://anysphere.cursor-mcp/oauth/callback";
const WEB = "https://vscode.dev/redirect";

describeWith([CHROMIUM], "in Chromium", () => {
	let target: Target;
	let browser: Browser;
	let page: Page;
	let callback: ReturnType<typeof Bun.serve>;
	let complaints: string[] = [];

	beforeAll(async () => {
		target = await openTarget();
		callback = Bun.serve({
			port: 0,
			hostname: "localhost",
			fetch: () => new Response("you can close this window"),
		});
		browser = await chromium.launch({
			executablePath: CHROMIUM.path ?? "",
			// Nothing leaves this machine, whatever a page asks for.
			args: [
				"--no-sandbox",
				"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
			],
		});
		page = await browser.newPage();
		page.on("console", (message) => complaints.push(message.text()));
		const { email, password } = target.gateway.owner;
		await page.goto(`${target.issuer}/login`);
		await page.fill("[name=email]", email);
		await page.fill("[name=password]", password);
		await page.click("button.primary");
	}, 60_000);
	afterAll(async () => {
		await browser?.close();
		await callback?.stop(true);
		await target?.stop();
	});

	async function ask(redirectUri: string): Promise<Client> {
		complaints = [];
		const client = await register(target, { redirect_uris: [redirectUri] });
		await page.goto(
			`${target.issuer}/authorize${authorizeQuery(client, { redirect_uri: redirectUri })}`,
		);
		return client;
	}

	/** Where the browser goes on to when Allow is pressed; nothing there needs to answer. */
	async function allow(redirectUri: string): Promise<URL> {
		const [request] = await Promise.all([
			page.waitForRequest((sent) => sent.url().startsWith(redirectUri)),
			page.click("button[value=allow]"),
		]);
		return new URL(request.url());
	}

	test("what is unticked is not granted, and a program on this computer gets the code", async () => {
		const redirectUri = `${callback.url.origin}/callback`;
		const client = await ask(redirectUri);
		expect(await page.isChecked("[name='server:a']")).toBe(true);
		await page.uncheck("[name='server:ab']");
		const sent = await allow(redirectUri);
		await page.waitForURL(`${redirectUri}?*`);
		const code = sent.searchParams.get("code") ?? "";
		const tokens = await redeem(target, client, code, {
			redirect_uri: redirectUri,
		});
		expect(tokens.scope).toBe("mcp:a");
		expect(complaints).toEqual([]);
	});

	test("focus begins on neither button, and Enter decides nothing", async () => {
		await ask(`${callback.url.origin}/callback`);
		expect(await page.evaluate("document.activeElement.tagName")).toBe("BODY");
		await page.keyboard.press("Enter");
		expect(page.url()).toStartWith(`${target.issuer}/authorize?`);
	});

	/** Presses Allow, and gives where the answer leads to, before the browser has judged that. */
	async function press(): Promise<string> {
		const devtools = await page.context().newCDPSession(page);
		await devtools.send("Network.enable");
		const answered = new Promise<string>((resolve) => {
			devtools.on("Network.responseReceivedExtraInfo", (answer) => {
				if (answer.statusCode === 303)
					resolve(answer.headers["Location"] ?? "");
			});
		});
		await page.click("button[value=allow]", { noWaitAfter: true });
		const location = await answered;
		await devtools.detach();
		return location;
	}

	function refusals(): readonly string[] {
		return complaints.filter((text) => /form-action/.test(text));
	}

	for (const redirectUri of [APP, WEB]) {
		test(`the policy lets the answer go to ${redirectUri}`, async () => {
			await ask(redirectUri);
			expect(await press()).toStartWith(`${redirectUri}?code=`);
			// A round trip to the browser, behind whatever it had to say about the redirect.
			await page.title().catch(() => "");
			expect(refusals()).toEqual([]);
		});

		test(`a policy without it would not: ${redirectUri}`, async () => {
			await page.route(/\/authorize/, async (route) => {
				const response = await route.fetch({ maxRedirects: 0 });
				const policy = "default-src 'none'; form-action 'self'";
				const headers = {
					...response.headers(),
					"content-security-policy": policy,
				};
				await route.fulfill({ response, headers });
			});
			await ask(redirectUri);
			await page.unroute(/\/authorize/);
			const complaint = page.waitForEvent("console", (message) =>
				/form-action/.test(message.text()),
			);
			await press();
			expect((await complaint).text()).toContain("form-action");
		});
	}
});

/**
 * The consent page in a real browser, under its own Content-Security-Policy: what is unticked is not granted, and the
 * answer reaches a program on this computer, a host on the web, and an app by its scheme.
 *
 * @see Content Security Policy Level 3, form-action (Chromium holds the redirect of a form to it too)
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	type Browser,
	type BrowserContext,
	chromium,
	type Page,
} from "playwright-core";
import { openTarget, type Target } from "../attacks/target.ts";
import {
	authorizeQuery,
	type Client,
	redeem,
	register,
} from "../oauth/authority.ts";
import { describeWith, systemTool } from "../support/tools.ts";

setDefaultTimeout(15_000);

const CHROMIUM = systemTool("chromium", "chromium");
const APP = "cursor://anysphere.cursor-mcp/oauth/callback";
const WEB = "https://vscode.dev/redirect";

describeWith([CHROMIUM], "in Chromium", () => {
	let target: Target;
	let browser: Browser;
	let context: BrowserContext;
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
		context = await browser.newContext();
		page = await context.newPage();
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
		// Anew, because a page that was sent to an app's scheme stays where it was, half gone.
		await page.close();
		page = await context.newPage();
		page.on("console", (message) => complaints.push(message.text()));
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

	/** Where the gateway sends the browser when Allow is pressed, seen before the browser has judged it. */
	async function press(): Promise<string> {
		const devtools = await context.newCDPSession(page);
		await devtools.send("Network.enable");
		const answered = new Promise<string>((resolve) => {
			devtools.on("Network.responseReceivedExtraInfo", (answer) => {
				const { headers } = answer;
				if (answer.statusCode === 303)
					resolve(headers["Location"] ?? headers["location"] ?? "");
			});
		});
		await page.click("button[value=allow]", { noWaitAfter: true });
		return answered;
	}

	test("the policy lets the answer go to a host on the web", async () => {
		await ask(WEB);
		const arrival = page.waitForEvent("requestfailed", (request) =>
			request.url().startsWith(WEB),
		);
		expect(await press()).toStartWith(`${WEB}?code=`);
		// The name does not resolve in here; that it was looked up is what the policy had to allow.
		expect((await arrival).failure()?.errorText).toBe(
			"net::ERR_NAME_NOT_RESOLVED",
		);
		expect(complaints).toEqual([]);
	});

	test("the policy lets the answer go to an app by its scheme", async () => {
		await ask(APP);
		expect(await press()).toStartWith(`${APP}?code=`);
		// Nothing on this machine has the scheme, so nothing follows; a refusal would be said at once.
		await page.evaluate("new Promise(requestAnimationFrame)");
		expect(complaints).toEqual([]);
	});
});

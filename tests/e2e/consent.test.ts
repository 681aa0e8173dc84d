/**
 * The consent page in a real browser, under its own Content-Security-Policy: what is unticked is not granted, and the
 * answer reaches a program on this computer, a host on the web, and an app by its scheme.
 *
 * @see Content Security Policy Level 3, form-action (Chromium holds the redirect of a form to it too)
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { openTarget, type Target } from "../attacks/target.ts";
import {
	authorizeQuery,
	type Client,
	redeem,
	register,
} from "../oauth/authority.ts";
import { appCode } from "../support/authenticator.ts";
import {
	addVirtualAuthenticator,
	launchChromium,
} from "../support/chromium.ts";
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
		browser = await launchChromium(CHROMIUM.path ?? "");
		context = await browser.newContext();
		page = await context.newPage();
		const { email, password } = target.gateway.owner;
		await page.goto(`${target.issuer}/login`);
		await page.fill("[name=email]", email);
		await page.fill("[name=password]", password);
		await page.click("button.primary");
		// A page that is closed while it goes somewhere can take a browser that has just started along.
		await page.waitForURL(({ pathname }) => pathname !== "/login");
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
	async function pressAllow(): Promise<string> {
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
		expect(await pressAllow()).toStartWith(`${WEB}?code=`);
		// The name does not resolve in here; that it was looked up is what the policy had to allow.
		expect((await arrival).failure()?.errorText).toBe(
			"net::ERR_NAME_NOT_RESOLVED",
		);
		expect(complaints).toEqual([]);
	});

	test("the policy lets the answer go to an app by its scheme", async () => {
		await ask(APP);
		expect(await pressAllow()).toStartWith(`${APP}?code=`);
		// Nothing on this machine has the scheme, so nothing follows; a refusal would be said at once.
		await page.evaluate("new Promise(requestAnimationFrame)");
		expect(complaints).toEqual([]);
	});

	test("a person who signs in on the way, with an app's code or a passkey, is asked, and the answer reaches an app", async () => {
		const person = await target.gateway.addUser("ada@example.org");
		await context.close();
		context = await browser.newContext();
		page = await context.newPage();
		await addVirtualAuthenticator(page);
		const press = (name: string): Promise<void> =>
			page.getByRole("button", { name, exact: true }).click();
		const firstStep = async (): Promise<void> => {
			await page.fill("[name=email]", person.email);
			await page.fill("[name=password]", person.password);
			await press("Sign in");
		};
		const client = await register(target, { redirect_uris: [APP] });
		const authorize = `${target.issuer}/authorize${authorizeQuery(client, { redirect_uri: APP })}`;
		await page.goto(`${target.issuer}/login`);
		await firstStep();
		await page.goto(`${target.issuer}/account/app`);
		const key = (await page.textContent("code.copy")) ?? "";
		const now = (): number => Math.floor(Date.now() / 1000);
		await page.fill("[name=code]", appCode(key, now(), -1));
		await press("Turn it on");
		await page.goto(`${target.issuer}/account/passkey`);
		await page.fill("[name=name]", "phone");
		await press("Make it");
		await page.waitForURL(`${target.issuer}/account`);

		const ways = {
			code: async (): Promise<void> => {
				await firstStep();
				await page.fill("[name=code]", appCode(key, now()));
				await press("Continue");
			},
			"passkey as the second step": async (): Promise<void> => {
				await firstStep();
				await press("Use your passkey");
			},
			"passkey alone": (): Promise<void> => press("Use a passkey"),
		};
		page.on("console", (message) => complaints.push(message.text()));
		for (const [way, signIn] of Object.entries(ways)) {
			await context.clearCookies();
			complaints = [];
			await page.goto(authorize);
			expect(page.url(), way).toStartWith(`${target.issuer}/login?next=`);
			await signIn();
			await page.waitForSelector("button[value=allow]");
			expect(page.url(), way).toBe(authorize);
			expect(complaints, way).toEqual([]);
		}
		// Once, because a page that was sent to an app's scheme stays where it was, half gone.
		expect(await pressAllow()).toStartWith(`${APP}?code=`);
		await page.evaluate("new Promise(requestAnimationFrame)");
		expect(complaints).toEqual([]);
	}, 30_000);
});

/**
 * Connecting in a real browser: from the link that a client shows, over the login and the service, to the page that says
 * so. The way out is no redirect of a form, because browsers hold our policy against wherever that would lead.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launchChromium, violations } from "../support/chromium.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type OAuthService,
	startOAuthService,
} from "../support/oauth-service.ts";
import { describeWith, systemTool } from "../support/tools.ts";

setDefaultTimeout(60_000);

const CHROMIUM = systemTool("chromium", "chromium");

describeWith([CHROMIUM], "connecting in Chromium", () => {
	let gateway: Gateway;
	let service: OAuthService;
	let browser: Browser;
	let page: Page;
	const complaints: string[] = [];

	beforeAll(async () => {
		gateway = await startGateway();
		service = startOAuthService({
			scope: "read write",
			host: "localhost",
		});
		await gateway.cli(["servers", "add", "linear", "--url", service.url]);
		browser = await launchChromium(CHROMIUM.path ?? "");
		page = await browser.newPage();
		page.on("console", (message) => {
			if (message.type() === "error") complaints.push(message.text());
		});
	}, 60_000);

	afterAll(async () => {
		await browser?.close();
		await gateway?.stop();
		service?.stop();
	});

	test("a link leads over the login to the service and back", async () => {
		await page.goto(`${gateway.url}/connect/linear`);
		await page.fill("[name=email]", gateway.owner.email);
		await page.fill("[name=password]", gateway.owner.password);
		await page.click("button.primary");
		await page.waitForURL(`${gateway.url}/connect/linear`);
		const text = await page.textContent("main");
		expect(text).toContain("read");
		expect(text).toContain(new URL(service.url).host);
		expect(await violations(page)).toEqual([]);
		await page.click("button[value=sign-in]");
		await page.waitForURL(/\/callback\?/);
		expect(await page.textContent("h1")).toBe("linear is connected");
		expect(await violations(page)).toEqual([]);
	});

	test("what is connected can be seen and ended", async () => {
		await page.goto(`${gateway.url}/connections`);
		expect(await page.textContent("main")).toContain("connected");
		expect(await violations(page)).toEqual([]);
		await page.click("button[name=disconnect]");
		await page.waitForURL(`${gateway.url}/connections`);
		expect(await page.textContent("main")).toContain("not connected");
		expect(service.at("/revoke").length).toBeGreaterThan(0);
		expect(complaints).toEqual([]);
	});
});

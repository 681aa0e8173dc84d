/**
 * People in a real browser, under the pages' own Content-Security-Policy: passkeys of a virtual authenticator, an app's
 * codes without any script, recovery codes as a file, and pages that a screen reader can use.
 *
 * @see WebAuthn Level 3, 11 "User Agent Automation"; WCAG 2.2 AA
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { openTarget, type Target } from "../attacks/target.ts";
import { appCode } from "../support/authenticator.ts";
import type { Person } from "../support/browser.ts";
import {
	addVirtualAuthenticator,
	launchChromium,
	violations,
} from "../support/chromium.ts";
import { describeWith, systemTool } from "../support/tools.ts";

setDefaultTimeout(20_000);

const CHROMIUM = systemTool("chromium", "chromium");

describeWith([CHROMIUM], "in Chromium", () => {
	let target: Target;
	let browser: Browser;
	let people = 0;

	beforeAll(async () => {
		target = await openTarget();
		browser = await launchChromium(CHROMIUM.path ?? "");
	}, 60_000);
	afterAll(async () => {
		await browser?.close();
		await target?.stop();
	});

	/** A person of their own, and a browser that has an empty profile. */
	async function arrive(options: { readonly script?: boolean } = {}): Promise<{
		readonly person: Person;
		readonly page: Page;
		readonly complaints: string[];
	}> {
		const person = await target.gateway.addUser(
			`person${++people}@example.org`,
		);
		const context = await browser.newContext({
			javaScriptEnabled: options.script ?? true,
			acceptDownloads: true,
		});
		const page = await context.newPage();
		const complaints: string[] = [];
		page.on("console", (message) => complaints.push(message.text()));
		page.on("pageerror", (error) => complaints.push(String(error)));
		await page.goto(`${target.issuer}/login`);
		await enterPassword(page, person);
		await page.waitForURL(`${target.issuer}/`);
		return { person, page, complaints };
	}

	async function enterPassword(page: Page, person: Person): Promise<void> {
		await page.fill("[name=email]", person.email);
		await page.fill("[name=password]", person.password);
		await press(page, "Sign in");
	}

	async function signOut(page: Page): Promise<void> {
		await page.goto(`${target.issuer}/`);
		await press(page, "Sign out");
		await page.waitForURL(`${target.issuer}/login`);
	}

	async function addPasskey(page: Page): Promise<void> {
		await page.goto(`${target.issuer}/account/passkey`);
		await page.fill("[name=name]", "this computer");
		await press(page, "Make it");
		await page.waitForSelector("text=Keep these recovery codes");
	}

	/** Sets an app up; returns its key. */
	async function setUpApp(page: Page): Promise<string> {
		await page.goto(`${target.issuer}/account/app`);
		const key = (await page.textContent("code.copy")) ?? "";
		await page.fill("[name=code]", appCode(key, Date.now() / 1000, -1));
		await press(page, "Turn it on");
		await page.waitForSelector("text=Keep these recovery codes");
		return key;
	}

	test("a passkey is made, signs in by itself, is a second step, and proves who it is", async () => {
		const { person, page, complaints } = await arrive();
		await addVirtualAuthenticator(page);
		await addPasskey(page);
		await page.click("text=I have kept them");
		expect(await page.textContent("table")).toContain("this computer");

		await signOut(page);
		await press(page, "Use a passkey");
		await page.waitForURL(`${target.issuer}/`);
		expect(await page.textContent("footer")).toContain(person.email);

		await signOut(page);
		await enterPassword(page, person);
		await page.waitForURL(`${target.issuer}/login/second?*`);
		await press(page, "Use your passkey");
		await page.waitForURL(`${target.issuer}/`);

		await page.goto(`${target.issuer}/reauthenticate?next=%2Faccount`);
		await press(page, "Use your passkey");
		await page.waitForURL(`${target.issuer}/account`);
		expect(await page.textContent("main")).toContain("by passkey");
		expect(complaints).toEqual([]);
	});

	test("without a passkey at hand the page says so, and the password still works", async () => {
		const { person, page } = await arrive();
		await signOut(page);
		await addVirtualAuthenticator(page);
		await press(page, "Use a passkey");
		await page.waitForSelector("text=No passkey was used");
		await enterPassword(page, person);
		await page.waitForURL(`${target.issuer}/`);
	});

	test("without scripts an app's code signs in, and nothing offers what would not work", async () => {
		const { person, page } = await arrive({ script: false });
		const key = await setUpApp(page);
		await signOut(page);
		expect(await page.isVisible("text=Use a passkey")).toBe(false);
		await enterPassword(page, person);
		await page.waitForURL(`${target.issuer}/login/second?*`);
		await page.fill("[name=code]", appCode(key, Date.now() / 1000));
		await press(page, "Continue");
		await page.waitForURL(`${target.issuer}/`);
		await page.goto(`${target.issuer}/account/passkey`);
		expect(await page.isVisible("text=makes no passkeys here")).toBe(true);
		expect(await page.isVisible("text=Make it")).toBe(false);
	});

	test("recovery codes are saved as a file, and one of them signs in", async () => {
		const { person, page } = await arrive();
		await setUpApp(page);
		const [download] = await Promise.all([
			page.waitForEvent("download"),
			page.click("text=save them as a file"),
		]);
		expect(download.suggestedFilename()).toBe("sallyport-recovery-codes.txt");
		const file = readFileSync(await download.path(), "utf8");
		const codes = file.match(/[0-9A-Z]{5}-[0-9A-Z]{5}/g) ?? [];
		expect(codes).toHaveLength(10);
		await signOut(page);
		await enterPassword(page, person);
		await page.fill("[name=code]", codes[3] ?? "");
		await press(page, "Continue");
		await page.waitForURL(`${target.issuer}/`);
		await page.goto(`${target.issuer}/account`);
		expect(await page.textContent("main")).toContain("9 of 10");
	});

	test("axe finds nothing serious on the pages of people, in either colour scheme, wide or narrow", async () => {
		const context = await browser.newContext();
		const page = await context.newPage();
		await addVirtualAuthenticator(page);
		await page.goto(`${target.issuer}/login`);
		const found: string[] = [];
		const look = async (name: string): Promise<void> => {
			for (const colorScheme of ["light", "dark"] as const)
				for (const width of [1280, 360]) {
					await page.emulateMedia({ colorScheme });
					await page.setViewportSize({ width, height: 900 });
					const problems = await violations(page);
					found.push(
						...problems.map(
							(problem) => `${name} ${colorScheme} ${width} ${problem}`,
						),
					);
				}
		};
		await look("login");
		await enterPassword(page, { ...target.gateway.owner, password: "wrong" });
		await page.waitForSelector("text=Not signed in");
		await look("login refused");
		await enterPassword(page, target.gateway.owner);
		await page.waitForURL(`${target.issuer}/`);
		await look("home");
		for (const path of [
			"/account/app",
			"/account/password",
			"/reauthenticate",
		]) {
			await page.goto(target.issuer + path);
			await look(path);
		}
		await page.goto(`${target.issuer}/account/passkey`);
		await look("passkey");
		await addPasskey(page);
		await look("codes");
		await page.goto(`${target.issuer}/account`);
		await look("account");
		await page.goto(`${target.issuer}/users/provider`);
		await look("provider");
		await page.goto(`${target.issuer}/users`);
		await look("people");
		await page.click("text=person1@example.org");
		await look("person");
		await press(page, "Reset password");
		await page.waitForSelector("text=Give this link");
		await look("link");
		await signOut(page);
		await enterPassword(page, target.gateway.owner);
		await page.waitForURL(`${target.issuer}/login/second?*`);
		await look("second step");
		expect(found).toEqual([]);
		await context.close();
	}, 60_000);
});

function press(page: Page, name: string): Promise<void> {
	return page.getByRole("button", { name, exact: true }).click();
}

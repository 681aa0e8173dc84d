/**
 * The whole wizard in a real Chromium, through the executable: by keyboard with scripts, and by mouse without, each from
 * a fresh machine to a client that is signed in, over a certificate of a real Pebble. And what goes wrong on the way.
 *
 * With `SHOTS=DIR` each page is also drawn there.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import {
	type Browser,
	type BrowserContext,
	chromium,
	type Page,
} from "playwright-core";
import { createBrowser } from "../support/browser.ts";
import { createCanaries } from "../support/canaries.ts";
import { createSdk2Client } from "../support/clients/sdk2.ts";
import { type NameServer, startNameServer } from "../support/dns.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type FaultProxy,
	type Pebble,
	pebbleTools,
	startFaultProxy,
	startPebble,
} from "../support/pebble.ts";
import { fixtureCommand, freePort } from "../support/processes.ts";
import { type Reach, reachHere } from "../support/reach.ts";
import { describeWith, executable, systemTool } from "../support/tools.ts";

setDefaultTimeout(120_000);

const CHROMIUM = systemTool("chromium", "chromium");
const OWNER = { email: "ada@example.org", password: "four random words here" };
const NAME = "gate.example.test";
const TABS_MAX = 150;
const SHOTS = Bun.env["SHOTS"];

let chrome: Browser;
const folder = mkdtempSync(join(tmpdir(), "sallyport-wizard-"));
afterAll(async () => {
	await chrome?.close();
	rmSync(folder, { recursive: true });
});

async function openChrome(): Promise<void> {
	chrome ??= await chromium.launch({
		executablePath: CHROMIUM.path ?? "",
		args: [
			"--no-sandbox",
			"--host-resolver-rules=MAP *.example.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
		],
	});
}

/** The link that the machine prints, at the origin a browser reaches without a warning. */
async function setupLink(gateway: Gateway): Promise<URL> {
	const reply = JSON.parse(await gateway.cli(["setup-link", "--json"]));
	return new URL(reply.tunnelUrl ?? reply.setupUrl);
}

/** What axe finds serious or critical on a page, light and wide, then dark and narrow. */
async function findSerious(page: Page): Promise<readonly string[]> {
	const found: string[] = [];
	for (const [colorScheme, width] of [
		["light", 1000],
		["dark", 360],
	] as const) {
		await page.emulateMedia({ colorScheme });
		await page.setViewportSize({ width, height: 800 });
		await page.evaluate(axe.source);
		const { violations } = (await page.evaluate("axe.run()")) as axe.AxeResults;
		for (const { id, impact, nodes } of violations)
			if (impact === "serious" || impact === "critical")
				found.push(
					`${page.url()} ${colorScheme} ${id}: ${nodes.map(({ html }) => html).join(" ")}`,
				);
		const wider = (await page.evaluate(
			"document.documentElement.scrollWidth - innerWidth",
		)) as number;
		if (wider > 0) found.push(`${page.url()} is ${wider} px too wide`);
	}
	await page.emulateMedia({ colorScheme: "light" });
	await page.setViewportSize({ width: 1000, height: 800 });
	return found;
}

/** Somebody who sets a gateway up, in their own way. */
type Hand = {
	readonly page: Page;
	readonly type: (selector: string, text: string) => Promise<void>;
	readonly tick: (selector: string) => Promise<void>;
	/** Presses, and waits for the page that follows. */
	readonly press: (selector: string) => Promise<void>;
	/** Looks at the page as it is now. */
	readonly look: (name: string) => Promise<void>;
};

/** By keyboard alone: Tab until the thing has the focus. */
function byKeyboard(page: Page, serious: string[]): Hand {
	const reach = async (selector: string): Promise<void> => {
		for (let tabs = 0; tabs < TABS_MAX; tabs++) {
			const isThere = await page.evaluate(
				`document.activeElement?.matches(${JSON.stringify(selector)}) ?? false`,
			);
			if (isThere) return;
			await page.keyboard.press("Tab");
		}
		throw new Error(`${selector} is not reached by keyboard on ${page.url()}`);
	};
	return {
		page,
		type: async (selector, text) => {
			await reach(selector);
			await page.keyboard.press("ControlOrMeta+A");
			await page.keyboard.type(text);
		},
		tick: async (selector) => {
			await reach(selector);
			await page.keyboard.press("Space");
		},
		press: async (selector) => {
			await reach(selector);
			await Promise.all([
				page.waitForNavigation({ waitUntil: "load" }),
				page.keyboard.press("Enter"),
			]);
		},
		look: async (name) => {
			serious.push(...(await findSerious(page)));
			await shoot(page, `scripts-${name}`);
		},
	};
}

/** By mouse, where no script runs. */
function byMouse(page: Page): Hand {
	return {
		page,
		type: (selector, text) => page.fill(selector, text),
		tick: (selector) => page.check(selector),
		press: async (selector) => {
			await Promise.all([
				page.waitForNavigation({ waitUntil: "load" }),
				page.click(selector),
			]);
		},
		look: (name) => shoot(page, `plain-${name}`),
	};
}

async function shoot(page: Page, name: string): Promise<void> {
	if (SHOTS !== undefined)
		await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

const PRIMARY = "button.primary, a.button.primary";
const read = async (page: Page, selector: string): Promise<string> =>
	(await page.textContent(selector)) ?? "";
const heading = (page: Page): Promise<string> => read(page, "h1");
const text = (page: Page): Promise<string> => read(page, "main");

/** Steps 1 and 2: from the link to an owner whose kit is saved. @returns the kit */
async function claim(hand: Hand, link: URL): Promise<string> {
	const { page } = hand;
	await page.goto(link.href);
	if (hand.page.url().includes("#"))
		await hand.type("#token", link.hash.slice(1));
	expect(await heading(page)).toBe("Set up your gateway");
	expect(await text(page)).toContain("Step 1 of 6");
	await hand.look("1-welcome");
	await hand.press("button[value=new]");
	await hand.look("2-owner");
	await hand.type("#email", OWNER.email);
	await hand.type("#password", OWNER.password);
	await hand.press(PRIMARY);
	expect(await heading(page)).toBe("Save the recovery kit");
	await hand.look("2-kit");
	const kit = await read(page, "pre.kit");
	await hand.tick("#saved");
	await hand.press(PRIMARY);
	return kit;
}

/** Step 4 from the catalogue: the form, the install, the tools. */
async function addMemory(hand: Hand): Promise<void> {
	const { page } = hand;
	await hand.look("4-catalogue");
	await hand.press("a[href='/setup/server/add?from=memory']");
	await hand.look("4-form");
	await hand.press(PRIMARY);
	// The page ends when the work does.
	expect(await text(page)).toContain("memory: answers, with 9 tools.");
	await hand.look("4-work");
	await page.reload();
	expect(await text(page)).toContain("memory: answers, with 9 tools.");
	await hand.press(PRIMARY);
	await hand.look("4-tools");
}

describeWith(
	[executable(), CHROMIUM, ...pebbleTools()],
	"from a setup link to a client that is signed in",
	() => {
		let pebble: Pebble;
		let staging: FaultProxy;
		let names: NameServer;
		let httpPort: number;

		beforeAll(async () => {
			httpPort = await freePort();
			pebble = await startPebble({ httpPort });
			staging = startFaultProxy(pebble);
			writeFileSync(join(folder, "ca.pem"), pebble.endpoint.chain);
			names = await startNameServer({
				[NAME]: { addresses: ["127.0.0.1"] },
				"elsewhere.example.test": { addresses: ["127.0.0.9"] },
				"broken.example.test": "fails",
			});
			await pebble.setAddress("elsewhere.example.test", ["127.0.0.9"]);
			await openChrome();
		});
		afterAll(async () => {
			await staging?.stop();
			await pebble?.stop();
			names?.stop();
		});

		function start(): Promise<Gateway> {
			return startGateway({
				compiled: true,
				unclaimed: true,
				flags: [
					...["--tls", "acme", "--acme-directory", pebble.directory],
					...["--acme-staging", staging.directory],
					...["--acme-ca", join(folder, "ca.pem")],
					...["--http-listen", `127.0.0.1:${httpPort}`],
					...["--dns-server", names.at],
				],
			});
		}

		/** Step 3: a name that is proved at staging, certified, and moved to with the login. */
		async function chooseName(hand: Hand, gateway: Gateway): Promise<string> {
			const { page } = hand;
			const name = `${NAME}:${new URL(gateway.url).port}`;
			expect(await heading(page)).toBe("Where clients reach it");
			await hand.look("3-address");
			staging.takeLog();
			await hand.type("#name", name);
			await hand.press(PRIMARY);
			const said = await text(page);
			expect(said).toContain("A: 127.0.0.1 is this machine.");
			expect(said).toContain("Port 80: the CA found this machine.");
			expect(said).toContain("Certificate: issued by Pebble");
			expect(staging.takeLog().join()).toContain("POST");
			await hand.look("3-issued");
			await page.reload();
			expect(await text(page)).toContain("Certificate: issued by Pebble");
			await hand.press(PRIMARY);
			expect(new URL(page.url()).host).toBe(name);
			return `https://${name}`;
		}

		async function signInClient(origin: string, reach: Reach): Promise<void> {
			const client = createSdk2Client(`${origin}/mcp`, {
				mode: { pin: "2026-07-28" },
				reach,
			});
			await client.signIn(createBrowser(OWNER, reach));
			expect(await client.listTools()).toContain("memory_read_graph");
			await client.close();
		}

		test("by keyboard, with scripts, with nothing serious for axe on any page, light or dark, wide or narrow", async () => {
			const gateway = await start();
			const context = await chrome.newContext({ ignoreHTTPSErrors: true });
			const complaints: string[] = [];
			const serious: string[] = [];
			try {
				const page = await context.newPage();
				page.on("console", (message) => {
					if (message.type() === "error") complaints.push(message.text());
				});
				const hand = byKeyboard(page, serious);
				const link = await setupLink(gateway);
				await claim(hand, link);
				const origin = await chooseName(hand, gateway);
				await addMemory(hand);
				await hand.press(PRIMARY);
				expect(await heading(page)).toBe("Connect a client");
				expect(await read(page, ".address code")).toBe(`${origin}/mcp`);
				for (const summary of await page.$$("summary")) await summary.click();
				await hand.look("5-waiting");
				const reach = reachHere(await pebble.root());
				await signInClient(origin, reach);
				// By itself.
				await page.waitForSelector("#state.good", { timeout: 20_000 });
				expect(await read(page, "#state")).toContain("signed in as you");
				await hand.look("5-connected");
				await hand.press(PRIMARY);
				await hand.look("6-done");
				await hand.press(PRIMARY);
				expect(await text(page)).toContain("The server is healthy.");
				await hand.look("7-home");
				expect(serious).toEqual([]);
				expect(complaints).toEqual([]);
				const backups = await fetch("http://sallyport/api/backups", {
					unix: join(gateway.dataDir, "admin.sock"),
				});
				// On unless it is unticked.
				expect(await backups.json()).toMatchObject({ schedule: "nightly" });
				const listed = JSON.parse(
					await gateway.cli(["servers", "list", "--json"]),
				);
				expect(listed.servers).toMatchObject([{ name: "memory" }]);
			} finally {
				await context.close();
				await gateway.stop();
			}
		});

		test("by mouse, without scripts, and what is wrong with a name is said on the way", async () => {
			const gateway = await start();
			const context = await chrome.newContext({
				ignoreHTTPSErrors: true,
				javaScriptEnabled: false,
			});
			try {
				const page = await context.newPage();
				const hand = byMouse(page);
				const link = await setupLink(gateway);
				await claim(hand, link);

				const tryName = async (name: string): Promise<string> => {
					await page.goto(`${link.origin}/setup/address`);
					await hand.type("#name", name);
					await hand.press(PRIMARY);
					return text(page);
				};
				expect(await tryName("gate")).toContain(
					"A name looks like gate.example.org.",
				);
				const missing = await tryName("nowhere.example.test");
				expect(missing).toContain("nowhere.example.test has no address yet.");
				expect(missing).toContain("Create");
				expect(missing).toContain("Nothing was changed.");
				expect(await tryName("broken.example.test")).toContain(
					"The name servers do not answer",
				);
				await tryName("elsewhere.example.test");
				await hand.look("3-elsewhere");
				if (await page.isVisible("button[value=force]"))
					await hand.press("button[value=force]");
				const elsewhere = await text(page);
				// The CA's own words, and ours.
				expect(elsewhere).toContain("The CA said: ");
				expect(elsewhere).toContain("127.0.0.9");
				expect(elsewhere).toContain("open port 80 (TCP) in the firewall");

				await page.goto(`${link.origin}/setup/address`);
				const origin = await chooseName(hand, gateway);
				await addMemory(hand);
				await page.uncheck("[name='tool:create_entities']");
				await hand.press(PRIMARY);
				expect(await read(page, "#state")).toContain("Waiting");
				await signInClient(origin, reachHere(await pebble.root()));
				await page.reload();
				expect(await read(page, "#state")).toContain("Connected");
				await hand.press(PRIMARY);
				await hand.press(PRIMARY);
				expect(await text(page)).toContain("The server is healthy.");
				const { tools } = JSON.parse(
					await gateway.cli(["servers", "tools", "memory", "--json"]),
				);
				expect(JSON.stringify(tools)).not.toContain("create_entities");
				const logs = gateway.logs();
				for (const secret of [OWNER.password, link.hash.slice(1)])
					expect(logs).not.toContain(secret);
			} finally {
				await context.close();
				await gateway.stop();
			}
		});
	},
);

describeWith([executable(), CHROMIUM], "on one computer, in clear", () => {
	let gateway: Gateway;
	let context: BrowserContext;
	let page: Page;
	let hand: Hand;
	let kit = "";

	beforeAll(async () => {
		await openChrome();
		gateway = await startGateway({ compiled: true, unclaimed: true });
		context = await chrome.newContext({ javaScriptEnabled: false });
		page = await context.newPage();
		hand = byMouse(page);
	});
	afterAll(async () => {
		await context?.close();
		await gateway?.stop();
	});

	test("a link that is made up or replaced says on the page what to do", async () => {
		const replaced = await setupLink(gateway);
		await setupLink(gateway);
		for (const token of ["sp_su_nothing", replaced.hash.slice(1)]) {
			await page.goto(`${gateway.url}/setup`);
			await hand.type("#token", token);
			await hand.press(PRIMARY);
			const said = await text(page);
			expect(said).toContain("it was used, replaced, or is too old");
			expect(said).toContain("sudo sallyport setup-link");
		}
	});

	test("of two who claim at once one becomes the owner, and the other finds nothing there", async () => {
		const link = await setupLink(gateway);
		const other = await chrome.newContext({ javaScriptEnabled: false });
		const pages = [page, await other.newPage()];
		for (const one of pages) {
			await one.goto(link.href);
			await one.fill("#token", link.hash.slice(1));
			await Promise.all([
				one.waitForNavigation(),
				one.click("button[value=new]"),
			]);
			await one.fill("#email", OWNER.email);
			await one.fill("#password", OWNER.password);
		}
		await Promise.all(
			pages.map((one) =>
				Promise.all([one.waitForNavigation(), one.click(PRIMARY)]),
			),
		);
		const headings = await Promise.all(pages.map(heading));
		expect(headings.toSorted()).toEqual([
			"Save the recovery kit",
			"There is nothing here",
		]);
		const lost = pages[headings.indexOf("There is nothing here")] as Page;
		await lost.goto(link.href);
		expect(await text(lost)).toContain("This gateway has an owner");
		if (lost === page) {
			// Whoever won goes on.
			await context.close();
			context = other;
			page = pages[1] as Page;
			hand = byMouse(page);
		} else await other.close();
		kit = await read(page, "pre.kit");
	});

	test("a restart in the middle is where the wizard goes on, whatever page was open", async () => {
		await gateway.restart();
		await page.goto(`${gateway.url}/setup`);
		expect(await heading(page)).toBe("Save the recovery kit");
		await hand.tick("#saved");
		await hand.press(PRIMARY);
		expect(await text(page)).toContain("Nobody else can.");
		await gateway.restart();
		await page.goto(`${gateway.url}/setup`);
		expect(await heading(page)).toBe("Where clients reach it");
		await hand.press(PRIMARY);
		await gateway.restart();
		await page.goto(`${gateway.url}/setup`);
		expect(await heading(page)).toBe("Add a server");
	});

	test("a server that does not work says why, and can be taken away", async () => {
		await page.click("a[href='/setup/server/add?custom=url']");
		await hand.type("#slug", "dead");
		await hand.type("#where", "http://127.0.0.1:9/mcp");
		await hand.press(PRIMARY);
		const said = await text(page);
		expect(said).toContain("the connection was refused");
		expect(said).toContain("dead was added, and does not work yet.");
		await hand.press(PRIMARY);
		expect(await heading(page)).toBe("Add a server");
		const { servers } = JSON.parse(
			await gateway.cli(["servers", "list", "--json"]),
		);
		expect(servers).toEqual([]);
	});

	test("a server of one's own gets its secret, which is sealed and written nowhere else", async () => {
		const canaries = createCanaries();
		const [command, ...args] = fixtureCommand("env");
		await page.goto(`${gateway.url}/setup/server/add?custom=command`);
		await hand.type("#slug", "Env");
		await hand.type("#where", command);
		await hand.type("#args", args.join("\n"));
		await hand.type("#secret_name", "TOKEN");
		await hand.type("#secret_value", canaries.make("typed"));
		await hand.press(PRIMARY);
		// What was wrong is said at its field; what was typed is there still, but for the secret.
		expect(await text(page)).toContain("A short name is 1 to 32");
		expect(await page.inputValue("#where")).toBe(command);
		expect(await page.inputValue("#secret_value")).toBe("");
		const secret = canaries.make("kept");
		await hand.type("#slug", "env");
		await hand.type("#secret_value", secret);
		await hand.press(PRIMARY);
		expect(await text(page)).toContain("Secret: sealed.");
		await hand.press(PRIMARY);
		const html = await page.content();
		const seen = await gateway.cli(["tools", "call", "env_environment"]);
		expect(seen).toContain(createHash("sha256").update(secret).digest("hex"));
		expect(
			canaries.search({
				directories: [gateway.dataDir],
				texts: { html, logs: gateway.logs() },
			}),
		).toEqual([]);
		await gateway.cli(["servers", "remove", "env", "--yes"]);
	});

	test("a server.json that is pasted becomes a form, and what cannot be run says so", async () => {
		await page.goto(`${gateway.url}/setup/server/add?custom=json`);
		await hand.type("#json", '{"name":"x/y","packages":[]}');
		await hand.press(PRIMARY);
		expect(await text(page)).toContain("names no way that can be run here");
		await hand.type(
			"#json",
			JSON.stringify({
				name: "io.github.example/weather",
				description: "Forecasts <b>here</b>",
				packages: [
					{
						registryType: "npm",
						identifier: "weather",
						version: "1.0.0",
						environmentVariables: [
							{ name: "API_KEY", isRequired: true, isSecret: true },
							{ name: "UNITS", choices: ["metric", "imperial"] },
						],
					},
				],
			}),
		);
		await hand.press(PRIMARY);
		expect(await text(page)).toContain("Forecasts <b>here</b>");
		expect(await page.inputValue("#slug")).toBe("weather");
		expect(await page.getAttribute("[name='env:API_KEY']", "type")).toBe(
			"password",
		);
		expect(await page.locator("[name='env:UNITS']").count()).toBe(2);
	});

	test("skipping is allowed, and the first page says what is left", async () => {
		await page.goto(`${gateway.url}/`);
		expect(await text(page)).toContain("Setting up is not finished.");
		await page.goto(`${gateway.url}/setup`);
		await hand.press("button[value=skip]");
		await hand.press("button[value=skip]");
		expect(await heading(page)).toBe("One last thing");
		await hand.press(PRIMARY);
		expect(await text(page)).toContain("There is no server yet.");
		await page.goto(`${gateway.url}/setup`);
		expect(new URL(page.url()).pathname).toBe("/");
		const schedule = JSON.parse(
			await gateway.cli(["backup", "list", "--json"]),
		);
		expect(schedule).toMatchObject({ backups: [] });
	});

	test("a backup is restored on the first page of a new machine, with the code of the kit", async () => {
		const backup = (await gateway.cli(["backup", "create"])).trim();
		const code = /recovery code\s+(\S+\s+\S+)/.exec(kit)?.[1] ?? "";
		const second = await startGateway({ compiled: true, unclaimed: true });
		const visit = await chrome.newContext({ javaScriptEnabled: false });
		try {
			const there = await visit.newPage();
			const link = await setupLink(second);
			await there.goto(link.href);
			await there.fill("#token", link.hash.slice(1));
			const press = async (selector: string): Promise<void> => {
				await Promise.all([there.waitForNavigation(), there.click(selector)]);
			};
			await press("button[value=restore]");
			const restore = async (file: string, key: string): Promise<string> => {
				await there.setInputFiles("#backup", file);
				await there.fill("#key", key);
				await press(PRIMARY);
				return text(there);
			};
			const cut = join(folder, "cut.backup");
			writeFileSync(cut, readFileSync(backup).subarray(0, 4000));
			expect(await restore(cut, code)).toContain("damaged or cut off");
			expect(await restore(backup, "another passphrase")).toContain(
				"That does not open this backup.",
			);
			const restored = await restore(backup, code);
			expect(restored).toContain(`sign in as ${OWNER.email}`);
			// It starts anew by itself; the page leads to the sign-in.
			await there.waitForURL(/\/login/, { timeout: 20_000 });
			await there.fill("[name=email]", OWNER.email);
			await there.fill("[name=password]", OWNER.password);
			await press(PRIMARY);
			expect(await heading(there)).toBe("Save the recovery kit");
		} finally {
			await visit.close();
			await second.stop();
		}
	});
});

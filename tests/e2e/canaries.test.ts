/**
 * One whole run of the executable at its most talkative, with a canary wherever a secret can be: then the database,
 * its WAL, the logs and the pages are searched for all of them.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	existsSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../fixtures/repertoire.ts";
import { csrfOf, openBrowser, signIn } from "../oauth/authority.ts";
import { appCode } from "../support/authenticator.ts";
import { createBrowser } from "../support/browser.ts";
import { type Canaries, createCanaries } from "../support/canaries.ts";
import { revokeAccessToken } from "../support/clients/client.ts";
import { createSdk1Client } from "../support/clients/sdk1.ts";
import { signedIn } from "../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { startFakeProvider } from "../support/identity-provider.ts";
import {
	descendantsOf,
	type FixtureServer,
	fixtureCommand,
	startFixture,
} from "../support/processes.ts";
import { describeWith, executable } from "../support/tools.ts";
import { sendModern } from "../support/wire.ts";

setDefaultTimeout(60_000);

test("the search finds a canary in each form it can take, so that finding none means something", () => {
	const directory = mkdtempSync(join(tmpdir(), "sallyport-canaries-"));
	const canaries = createCanaries();
	const secret = canaries.make("planted");
	const bytes = Buffer.from(secret);
	const forms = {
		clear: secret,
		hex: bytes.toString("hex"),
		base64: bytes.toString("base64"),
		"base64 behind a prefix": Buffer.from(`u:${secret}`).toString("base64"),
		"base64url behind a prefix": Buffer.from(`us:${secret}`).toString(
			"base64url",
		),
	};
	for (const [name, text] of Object.entries(forms))
		writeFileSync(join(directory, name), `..${text}..`);
	const found = new Set(
		canaries.search({ directories: [directory] }).map(({ where }) => where),
	);
	expect([...found].sort()).toEqual(
		Object.keys(forms)
			.map((name) => join(directory, name))
			.sort(),
	);
	expect(canaries.search({ texts: { empty: "nothing here" } })).toEqual([]);
	rmSync(directory, { recursive: true });
});

describeWith([executable()], "a whole run", () => {
	const canaries: Canaries = createCanaries();
	let gateway: Gateway;
	let http: FixtureServer;
	const pages: string[] = [];
	const said: string[] = [];

	beforeAll(async () => {
		[http, gateway] = await Promise.all([
			startFixture("legacy"),
			startGateway({
				compiled: true,
				flags: ["--log-level", "debug"],
				ownerPassword: canaries.make("owner-password"),
			}),
		]);
		const member = await gateway.addUser(
			"member@example.org",
			canaries.make("member-password"),
		);
		const [command, ...args] = fixtureCommand("env");
		const [echoCommand, ...echoArgs] = fixtureCommand("modern", "stdio");
		const [dying, ...dyingArgs] = fixtureCommand(
			"hostile",
			"stdio",
			"die-on-call",
		);
		await gateway.cli([
			...["servers", "add", "env", "--command", command],
			...[
				"--slot",
				"mine=env:MINE,personal",
				"--slot",
				"ours=env:OURS,shared",
				"--",
				...args,
			],
		]);
		await gateway.cli([
			...["servers", "add", "http", "--url", `${http.url}/mcp`],
			...["--slot", "key=header:X-Key,shared"],
		]);
		await gateway.cli([
			"servers",
			"add",
			"echo",
			"--command",
			echoCommand,
			"--",
			...echoArgs,
		]);
		await gateway.cli([
			"servers",
			"add",
			"dying",
			"--command",
			dying,
			"--",
			...dyingArgs,
		]);
		const ours = canaries.make("shared-env");
		const key = canaries.make("shared-header");
		said.push(await gateway.cli(["secrets", "set", "env", "ours"], ours));
		said.push(await gateway.cli(["secrets", "set", "http", "key"], key));

		for (const person of [gateway.owner, member]) {
			const mine = canaries.make(`personal-${person.email}`);
			said.push(
				await gateway.cli(
					["secrets", "set", "env", "mine", "--user", person.email],
					mine,
				),
			);
			const browser = createBrowser(person);
			const client = await signedIn(
				gateway.endpoint(),
				person,
				"auto",
				browser,
			);
			const argument = canaries.make(`argument-${person.email}`);
			expect(await client.callTool("echo_echo", { text: argument })).toBe(
				argument,
			);
			expect(await client.callTool("env_environment")).toContain(sha256(mine));
			expect(await client.callTool("http_headers")).toContain(sha256(key));
			await client.callTool("dying_act", { text: argument }).catch(() => {});
			for (let round = 0; round < 2; round++) {
				const { accessToken, refreshToken } = client.credentials();
				canaries.add(`access-token-${round}-${person.email}`, accessToken);
				canaries.add(`refresh-token-${round}-${person.email}`, refreshToken);
				if (round === 0)
					await revokeAccessToken(gateway.url, client.credentials());
				await client.callTool("echo_echo", { text: argument });
			}
			await client.close();

			const old = createSdk1Client(gateway.endpoint());
			await old.signIn(browser);
			await old.callTool("echo_echo", { text: argument });
			canaries.add(`session-${person.email}`, old.sessionId() ?? "");
			canaries.add(
				`access-token-v1-${person.email}`,
				old.credentials().accessToken,
			);
			await old.close();

			// The last code went to its client in a redirect, as it must; nowhere else may it be.
			const redirects = browser.seen().filter((text) => /[?&]code=/.test(text));
			for (const [index, text] of redirects.entries()) {
				const code = /[?&]code=([^&\s"]+)/.exec(text)?.[1] ?? "";
				canaries.add(`code-${index}-${person.email}`, decodeURIComponent(code));
			}
			expect(redirects.length).toBeGreaterThan(0);
			pages.push(...browser.seen().filter((text) => !/[?&]code=/.test(text)));
		}

		// Wrong credentials are secrets too: often they are right somewhere else.
		const wrong = canaries.make("wrong-token");
		expect(
			(await sendModern(gateway.endpoint(), wrong, "tools/list")).status,
		).toBe(401);
		const intruder = createBrowser({
			email: gateway.owner.email,
			password: canaries.make("wrong-password"),
		});
		await signedIn(
			gateway.endpoint(),
			{ email: "", password: "" },
			"auto",
			intruder,
		).catch(() => {});
		pages.push(...intruder.seen());
		pages.push(...(await guard(gateway, canaries)));
		said.push(await gateway.cli(["servers", "show", "env", "--json"]));
		said.push(await gateway.cli(["secrets", "list", "--json"]));
		said.push(await gateway.cli(["users", "list", "--json"]));
	}, 180_000);

	afterAll(async () => {
		await gateway?.stop();
		await http?.stop();
	});

	test("used a good number of canaries, a database and a WAL", () => {
		expect(canaries.names().length).toBeGreaterThan(20);
		const wal = join(gateway.dataDir, "sallyport.db-wal");
		expect(existsSync(wal) && statSync(wal).size > 0).toBe(true);
	});

	test("left none of them in the database, the WAL or anything else it wrote", () => {
		expect(canaries.search({ directories: [gateway.dataDir] })).toEqual([]);
	});

	test("left none of them in the logs", () => {
		expect(gateway.logs()).not.toBe("");
		expect(canaries.search({ texts: { logs: gateway.logs() } })).toEqual([]);
	});

	test("showed none of them on a page or in what the command line printed", () => {
		expect(pages.length).toBeGreaterThan(4);
		expect(
			canaries.search({
				texts: { pages: pages.join("\n"), cli: said.join("\n") },
			}),
		).toEqual([]);
	});

	test("gave none of them to another process: they are in no command line, and in no environment but a child's", () => {
		const children = descendantsOf(gateway.pid() ?? 0);
		const texts: Record<string, string> = {};
		for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
			for (const what of ["cmdline", "environ"])
				if (what === "cmdline" || !children.includes(Number(pid)))
					texts[`/proc/${pid}/${what}`] = readIfThere(`/proc/${pid}/${what}`);
		expect(Object.keys(texts)).toContain(`/proc/${gateway.pid()}/environ`);
		expect(canaries.search({ texts })).toEqual([]);
	});

	test("leaves none behind when it stops", async () => {
		await gateway.restart();
		expect(canaries.search({ directories: [gateway.dataDir] })).toEqual([]);
	});
});

/**
 * Someone who takes all the care there is: an app, recovery codes, a password changed, wrong codes, an account elsewhere.
 * Returns the pages that are not the ones that show a secret to its person.
 */
async function guard(
	gateway: Gateway,
	canaries: Canaries,
): Promise<readonly string[]> {
	const provider = await startFakeProvider();
	const pages: string[] = [];
	const person = await gateway.addUser(
		"guarded@example.org",
		canaries.make("guarded-password"),
	);
	canaries.add("provider-secret", provider.clientSecret);
	await gateway.cli(
		[
			...["identity-provider", "set", provider.issuer],
			...["--client-id", provider.clientId, "--client-secret-file", "-"],
		],
		provider.clientSecret,
	);
	await provider.stop();
	const browser = openBrowser({
		issuer: gateway.url,
		send: (path, init) =>
			fetch(new URL(path, gateway.url), { ...init, redirect: "manual" }),
	});
	const remember = (): void => {
		for (const name of ["sp_login", "sp_half", "sp_known"]) {
			const value = browser.cookies.get(name) ?? "";
			if (value !== "") canaries.add(`${name} ${value.slice(-6)}`, value);
		}
	};
	const read = async (path: string): Promise<string> => {
		const html = await (await browser.get(path)).text();
		pages.push(html);
		return html;
	};
	await signIn(browser, person);
	remember();
	const app = await (await browser.get("/account/app")).text();
	const key = /<code class="copy">([A-Z2-7 ]+)<\/code>/.exec(app)?.[1] ?? "";
	const offer = /name="offer" value="([^"]+)"/.exec(app)?.[1] ?? "";
	canaries.add("app-key", key.replaceAll(" ", ""));
	const now = Date.now() / 1000;
	const done = await browser.post("/account/app", {
		csrf: csrfOf(app),
		offer,
		code: appCode(key, now, -1),
	});
	const codes = (await done.text()).match(/[0-9A-Z]{5}-[0-9A-Z]{5}/g) ?? [];
	for (const [index, code] of codes.entries())
		canaries.add(`recovery-code-${index}`, code);
	remember();
	const password = canaries.make("guarded-new-password");
	const csrf = csrfOf(await read("/account/password"));
	await browser.post("/account/password", { csrf, password });
	remember();
	await read("/account");
	browser.cookies.delete("sp_login");
	await signIn(browser, { ...person, password });
	remember();
	const wrong = canaries.make("wrong-code");
	for (const code of [wrong, codes[0] ?? ""]) {
		const second = csrfOf(await read("/login/second"));
		await browser.post("/login/second", { csrf: second, code });
	}
	remember();
	if (!(await read("/account")).includes("9 of 10"))
		throw new Error("the recovery code did not sign in");
	return pages;
}

/** A process may end, or be somebody else's, while it is looked at. */
function readIfThere(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return "";
	}
}

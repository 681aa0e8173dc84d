/**
 * F. Client documents (research/oauth.md 5, 76–82), on an internet where every host is the attacker's. Against the
 * executable only: it is put on that internet whole, and nothing in it is told so.
 */
import {
	afterAll,
	afterEach,
	beforeAll,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import {
	allow,
	authorizeQuery,
	CHALLENGE,
	type Place,
	redeem,
	refresh,
} from "../oauth/authority.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type Internet,
	networkNamespaces,
	openInternet,
	PRIVATE,
	PUBLIC,
} from "../support/internet.ts";
import { createMovedClock, type MovedClock } from "../support/moved-clock.ts";
import { freePort } from "../support/processes.ts";
import { describeWith, executable } from "../support/tools.ts";
import {
	expectAsked,
	expectPage,
	manyVisitors,
	TRUST_LOOPBACK,
} from "./target.ts";

setDefaultTimeout(60_000);

const HOST = "client.site.example";
const ID = `https://${HOST}/c.json`;
const CALLBACK = `https://${HOST}/callback`;
const DOCUMENT = {
	client_id: ID,
	client_name: "Client",
	redirect_uris: [CALLBACK],
	token_endpoint_auth_method: "none",
};
const VENDOR = "https://claude.ai/oauth/claude-code-client-metadata";

describeWith([executable(), networkNamespaces()], "client documents", () => {
	let internet: Internet;
	let gateway: Gateway;
	let clock: MovedClock;
	let place: Place;
	let later = 0;
	let fetched: string[] = [];

	beforeAll(async () => {
		const port = await freePort();
		clock = createMovedClock();
		internet = await openInternet(port);
		gateway = await startGateway({
			compiled: true,
			port,
			inside: internet.inside,
			env: { ...internet.env, ...clock.env },
			flags: TRUST_LOOPBACK,
		});
		place = manyVisitors(gateway.url, internet.fetchInside);
		answer(() => Response.json(DOCUMENT));
		internet.name(HOST, PUBLIC);
	});
	afterAll(async () => {
		await gateway?.stop();
		await internet?.close();
	});
	// What failed is remembered for a minute; one host is asked 30 times in one.
	afterEach(() => wait(61));

	function wait(seconds: number): void {
		later += seconds;
		clock.moveTo(later);
	}

	function answer(
		handler: (request: Request) => Response | Promise<Response>,
	): void {
		fetched = [];
		internet.serve((request) => {
			fetched.push(request.url);
			return handler(request);
		});
	}

	function ask(id: string, redirect = CALLBACK): Promise<Response> {
		return place.send(
			`/authorize${authorizeQuery({ client_id: id }, { redirect_uri: redirect })}`,
		);
	}

	test("76: a name that means a private address is not connected to", async () => {
		const before = internet.connected().length;
		for (const [at, address] of [
			...PRIVATE,
			...["127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:a00:1", "fe80::1"],
		].entries()) {
			const host = `p${at}.site.example`;
			internet.name(host, [address]);
			await expectPage(await ask(`https://${host}/c.json`), address);
		}
		expect(internet.connected().slice(before)).toEqual([]);
	});

	test("77: a name that changes its mind is asked once, and one that means both is not believed", async () => {
		const lookups: string[] = [];
		internet.name("rebind.site.example", () => {
			lookups.push("asked");
			// One question for IPv4 and one for IPv6 make a lookup.
			return lookups.length <= 2 ? [PUBLIC[0]] : ["169.254.169.254"];
		});
		const id = "https://rebind.site.example/c.json";
		answer(() => Response.json({ ...DOCUMENT, client_id: id }));
		const before = internet.connected().length;
		expectAsked(await ask(id));
		expect(new Set(internet.connected().slice(before))).toEqual(
			new Set([PUBLIC[0]]),
		);
		expect(lookups.length).toBeLessThanOrEqual(2);

		internet.name("mixed.site.example", ["10.0.0.1", PUBLIC[0]]);
		const between = internet.connected().length;
		await expectPage(await ask("https://mixed.site.example/c.json"));
		expect(internet.connected().slice(between)).toEqual([]);
	});

	test("78: a document that is somewhere else", async () => {
		for (const [status, location] of [
			[301, "/elsewhere.json"],
			[302, ID],
			[303, "https://other.site.example/c.json"],
			[307, "http://169.254.169.254/latest"],
			[308, "https://127.0.0.1/c.json"],
		] as const) {
			answer(
				() => new Response(null, { status, headers: { Location: location } }),
			);
			await expectPage(await ask(ID), location);
			expect(fetched, location).toEqual([ID]);
			wait(61);
		}
	});

	test("79: a document that is not exactly right ends in one page that does not say why", async () => {
		const pages = new Set<string>();
		const bodies: Readonly<Record<string, () => Response>> = {
			"a bomb": () =>
				new Response(Bun.gzipSync("x".repeat(20_000_000)), {
					headers: { "Content-Encoding": "gzip" },
				}),
			"6 KB": () => Response.json({ ...DOCUMENT, pad: "x".repeat(6000) }),
			"no JSON": () => new Response("<html>"),
			"another id": () => Response.json({ ...DOCUMENT, client_id: `${ID}?x` }),
			"a secret": () => Response.json({ ...DOCUMENT, client_secret: "x" }),
			"a shared secret's method": () =>
				Response.json({
					...DOCUMENT,
					token_endpoint_auth_method: "client_secret_basic",
				}),
			"a private key": () =>
				Response.json({ ...DOCUMENT, jwks: { keys: [{ kty: "EC", d: "x" }] } }),
			"an error": () => new Response("down", { status: 503 }),
		};
		for (const [what, body] of Object.entries(bodies)) {
			answer(body);
			const page = await ask(ID);
			expect(page.status, what).toBe(400);
			pages.add(await page.text());
			const again = fetched.length;
			expect((await ask(ID)).status, what).toBe(400);
			expect(fetched.length, `${what}: asked again at once`).toBe(again);
			wait(61);
		}
		expect(pages.size).toBe(1);
	});

	test("79: a document that drips is given up after five seconds", async () => {
		answer(
			() =>
				new Response(
					new ReadableStream({
						async pull(controller) {
							await Bun.sleep(200);
							controller.enqueue(new TextEncoder().encode(" "));
						},
					}),
				),
		);
		const started = performance.now();
		await expectPage(await ask(ID));
		expect(performance.now() - started).toBeLessThan(8000);
	});

	test("80: one host is asked 30 times a minute, whatever the documents", async () => {
		answer(() => new Response("not here", { status: 404 }));
		const asked = await Promise.all(
			Array.from({ length: 1000 }, (_, at) =>
				ask(`https://${HOST}/${at}.json`),
			),
		);
		for (const page of asked) expect(page.status).toBe(400);
		expect(fetched.length).toBeLessThanOrEqual(30);
		expect(fetched.length).toBeGreaterThan(0);
	});

	test("81: a document that changes its redirect URIs is judged anew, and what it was granted goes on", async () => {
		answer(() => Response.json(DOCUMENT));
		const sent = await allow(
			place,
			authorizeQuery(
				{ client_id: ID },
				{ redirect_uri: CALLBACK, code_challenge: CHALLENGE },
			),
		);
		const code = sent.searchParams.get("code") ?? "";
		const tokens = await redeem(place, { client_id: ID }, code, {
			redirect_uri: CALLBACK,
		});
		const moved = `https://${HOST}/moved`;
		answer(() => Response.json({ ...DOCUMENT, redirect_uris: [moved] }));
		wait(24 * 3600);
		await expectPage(await ask(ID));
		expectAsked(await ask(ID, moved));
		const later = await refresh(place, { client_id: ID }, tokens.refresh_token);
		expect(later.status).toBe(200);
	});

	test("82: a known vendor's document that cannot be read is replaced by our copy, and the log says so", async () => {
		internet.name("claude.ai", PUBLIC);
		answer(() => new Response("blocked", { status: 403 }));
		expectAsked(await ask(VENDOR, "http://localhost:58135/callback"));
		expect(fetched).toEqual([VENDOR]);
		expect(gateway.logs()).toContain("bundled client document used");
	});
});

import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { type Clock, systemClock } from "../../../src/clock.ts";
import { createLog } from "../../../src/log.ts";
import { listNotices } from "../../../src/ops/expiry.ts";
import { findAcmeAccount } from "../../../src/store/acme-accounts.ts";
import { type Database, openDatabase } from "../../../src/store/database.ts";
import { requireAccount } from "../../../src/tls/account.ts";
import { type Acme, createAcme } from "../../../src/tls/acme.ts";
import { createTransport } from "../../../src/tls/acme-transport.ts";
import type { Authority } from "../../../src/tls/authority.ts";
import { type KeyPair, readCertificate } from "../../../src/tls/certificate.ts";
import { keptCertificates } from "../../../src/tls/certificates.ts";
import { createChallenges } from "../../../src/tls/challenges.ts";
import { parseIdentifiers } from "../../../src/tls/identifiers.ts";
import { type Keeper, openKeeper } from "../../../src/tls/keeper.ts";
import {
	type Listener,
	listen,
	listenTls,
} from "../../../src/tls/listeners.ts";
import { createKeyring, openVault, type Vault } from "../../../src/vault.ts";
import {
	type Pebble,
	type PebbleOptions,
	pebbleTools,
	problem,
	startFaultProxy,
	startPebble,
} from "../../support/pebble.ts";
import { describeWith } from "../../support/tools.ts";
import { until } from "../../support/until.ts";

const HOUR = 3600;
const KEK = new Uint8Array(32).fill(7);
const LIMITS = { timeoutMs: 700, retryDelaysMs: [10, 10] };

function createVault(): Vault {
	return openVault(KEK, createKeyring(KEK, 0));
}

/** A clock that can be put forward. */
function createClock(): Clock & { forward: (seconds: number) => void } {
	let ahead = 0;
	return {
		now: () => systemClock.now() + ahead,
		nowMs: systemClock.nowMs,
		forward: (seconds) => {
			ahead += seconds;
		},
	};
}

describeWith(pebbleTools(), "against a real Pebble", () => {
	const challenges = createChallenges();
	const closers: (() => unknown)[] = [];
	let port80: Listener;
	let pebble: Pebble;

	const start = async (options: Partial<PebbleOptions>): Promise<Pebble> => {
		const started = await startPebble({ httpPort: port80.port, ...options });
		closers.push(started.stop);
		return started;
	};

	beforeAll(async () => {
		port80 = listen(
			"127.0.0.1",
			0,
			challenges.handler(() => null),
		);
		pebble = await startPebble({ httpPort: port80.port });
	});
	afterEach(async () => {
		for (const close of closers.splice(0).reverse()) await close();
	});
	afterAll(async () => {
		await pebble.stop();
		await port80.close(0);
	});

	const authority = (
		directory: string,
		more: Partial<Authority> = {},
	): Authority => ({
		directory,
		staging: null,
		profile: null,
		email: null,
		binding: null,
		...more,
	});

	const createWorld = (
		wanted: Authority,
		at: Pebble = pebble,
	): {
		db: Database;
		vault: Vault;
		acme: Acme;
		clock: ReturnType<typeof createClock>;
	} => {
		const [db, vault, clock] = [
			openDatabase(":memory:"),
			createVault(),
			createClock(),
		];
		const { egress } = at;
		const deps = { db, vault, clock, egress, challenges, limits: LIMITS };
		return { db, vault, clock, acme: createAcme(deps, wanted) };
	};

	const issue = async (
		acme: Acme,
		names: readonly string[],
		replaces: string | null = null,
	): Promise<KeyPair> => {
		const result = await acme.order(
			parseIdentifiers(names),
			"production",
			replaces,
		);
		if (!result.ok) throw new Error(JSON.stringify(result.failure));
		return result.pair;
	};

	const failToIssue = async (acme: Acme, names: readonly string[]) => {
		const result = await acme.order(
			parseIdentifiers(names),
			"production",
			null,
		);
		if (result.ok) throw new Error("it was issued");
		return result.failure;
	};

	const open = async (
		world: ReturnType<typeof createWorld>,
		directory: string,
		sets: readonly (readonly string[])[],
		show: Parameters<typeof openKeeper>[0]["show"] = async () => {},
		fallback: Acme | null = null,
	): Promise<{ keeper: Keeper; lines: string[] }> => {
		const lines: string[] = [];
		const log = createLog({
			level: "debug",
			format: "json",
			write: (line) => lines.push(line),
		});
		const keeper = await openKeeper(
			{ ...world, log, directory, show, fallback },
			sets,
		);
		closers.push(keeper.stop);
		return { keeper, lines };
	};

	test("a certificate for two names is issued, and a client that trusts the CA accepts it", async () => {
		const { acme } = createWorld(authority(pebble.directory));
		const pair = await issue(acme, ["gate.example.test", "mcp.example.test"]);
		const facts = readCertificate(pair.chain);
		expect(facts.names).toEqual(["gate.example.test", "mcp.example.test"]);
		// The leanest profile that it offers for names.
		expect(facts.notAfter - facts.notBefore).toBeGreaterThan(44 * 24 * HOUR);
		const server = listenTls(
			"127.0.0.1",
			0,
			[{ serverName: null, ...pair }],
			() => new Response("ok"),
		);
		closers.push(() => server.close(0));
		const ca = await pebble.root();
		const authorized = new Promise<boolean>((resolve, reject) => {
			const socket = connect({
				host: "127.0.0.1",
				port: server.port,
				servername: "mcp.example.test",
				ca,
			});
			socket.once("error", reject);
			socket.once("secureConnect", () => {
				resolve(socket.authorized);
				socket.destroy();
			});
		});
		expect(await authorized).toBe(true);
	});

	test("a certificate for an address is short-lived (RFC 8738)", async () => {
		const { acme } = createWorld(authority(pebble.directory));
		const facts = readCertificate((await issue(acme, ["127.0.0.1"])).chain);
		expect(facts.names).toEqual(["127.0.0.1"]);
		expect(Math.round((facts.notAfter - facts.notBefore) / HOUR)).toBe(160);
	});

	test("every certificate has a key of its own, and the account stays", async () => {
		const { acme, db } = createWorld(authority(pebble.directory));
		const first = await issue(acme, ["gate.example.test"]);
		const account = findAcmeAccount(db, pebble.directory);
		const second = await issue(acme, ["gate.example.test"]);
		expect(second.key).not.toBe(first.key);
		expect(findAcmeAccount(db, pebble.directory)).toEqual(account);
		expect(Buffer.from(account!.keySealed).includes("PRIVATE KEY")).toBe(false);
	});

	test("bad nonces, proofs the CA remembers, and long chains from other roots change nothing (RFC 8555 6.5)", async () => {
		const odd = await start({
			env: {
				PEBBLE_WFE_NONCEREJECT: "50",
				PEBBLE_AUTHZREUSE: "100",
				PEBBLE_ALTERNATE_ROOTS: "2",
				PEBBLE_CHAIN_LENGTH: "3",
			},
		});
		const { acme } = createWorld(authority(odd.directory), odd);
		await issue(acme, ["gate.example.test"]);
		const again = await issue(acme, ["gate.example.test"]);
		const chain = again.chain.match(/BEGIN CERTIFICATE/g) ?? [];
		expect(chain.length).toBe(4);
		const leaf = new X509Certificate(again.chain);
		expect(leaf.checkHost("gate.example.test")).toBe("gate.example.test");
	});

	test("a CA that wants its customers bound gets the binding, and refuses a wrong one (RFC 8555 7.3.4)", async () => {
		const key = Buffer.alloc(32, 5).toString("base64url");
		const bound = await start({
			config: {
				externalAccountBindingRequired: true,
				externalAccountMACKeys: { "kid-1": key },
			},
		});
		const without = createWorld(authority(bound.directory), bound);
		const failure = await failToIssue(without.acme, ["gate.example.test"]);
		expect(failure.type).toBe("externalAccountRequired");
		expect(failure.remedy).toContain("account binding");
		const right = authority(bound.directory, {
			binding: { keyId: "kid-1", key },
		});
		await issue(createWorld(right, bound).acme, ["gate.example.test"]);
		const wrong = authority(bound.directory, {
			binding: { keyId: "kid-2", key },
		});
		const refused = await failToIssue(createWorld(wrong, bound).acme, [
			"gate.example.test",
		]);
		expect(refused.type).not.toBe("externalAccountRequired");
	});

	test("a directory whose certificate is not trusted is unreachable, and the failure says so", async () => {
		const { createEgress } = await import("../../../src/egress.ts");
		const stranger = {
			...pebble,
			egress: createEgress({ allowPrivate: ["127.0.0.0/8", "::1/128"] }),
		};
		const failure = await failToIssue(
			createWorld(authority(pebble.directory), stranger).acme,
			["a.example.test"],
		);
		expect(failure.type).toBe("unreachable");
		expect(failure.detail).toContain("certificate is not accepted");
	});

	test.each([
		[
			"a closed port 80",
			"closed.example.test",
			["127.0.0.2"],
			"connection",
			"open port 80",
		],
		[
			"a name that leads elsewhere",
			"elsewhere.example.test",
			["127.0.0.3"],
			"unauthorized",
			"something else answers",
		],
	])(
		"%s fails in the CA's words and ours",
		async (_what, name, addresses, type, remedy) => {
			const other = Bun.serve({
				hostname: "127.0.0.3",
				port: port80.port,
				fetch: () => new Response("not here", { status: 404 }),
			});
			closers.push(() => other.stop(true));
			await pebble.setAddress(name, addresses);
			const { acme } = createWorld(authority(pebble.directory));
			const failure = await failToIssue(acme, [name]);
			expect(failure.type).toBe(type);
			expect(failure.detail.length).toBeGreaterThan(10);
			expect(failure.remedy).toContain(remedy);
			expect(failure.remedy).toContain(name);
		},
	);

	test("a name that cannot be resolved fails as DNS", async () => {
		await pebble.setServerFailure("broken.example.test");
		const { acme } = createWorld(authority(pebble.directory));
		const failure = await failToIssue(acme, ["broken.example.test"]);
		expect(["dns", "connection"]).toContain(failure.type);
		expect(failure.remedy).toContain("broken.example.test");
	});

	// Pebble reads no CAA records: the proxy answers as Let's Encrypt does, when it has proved the name.
	test("a CAA record that names another CA is refused with the record to change (RFC 8659 3)", async () => {
		const proxy = startFaultProxy(pebble);
		closers.push(proxy.stop);
		const { acme } = createWorld(authority(proxy.directory));
		const name = "forbidden.example.test";
		const error = {
			type: "urn:ietf:params:acme:error:caa",
			detail: `CAA record for ${name} prevents issuance`,
		};
		let asked = 0;
		proxy.setFault((path) =>
			path.startsWith("/authZ/") && ++asked > 1
				? Response.json({
						status: "invalid",
						identifier: { type: "dns", value: name },
						challenges: [
							{ type: "http-01", url: "https://x/", token: "t", error },
						],
					})
				: null,
		);
		const failure = await failToIssue(acme, [name]);
		expect(failure.type).toBe("caa");
		expect(failure.detail).toBe(error.detail);
		expect(failure.remedy).toContain(`a CAA record of ${name} forbids this CA`);
	});

	test("a name that the CA blocks is refused in its words", async () => {
		const strict = await start({
			config: { domainBlocklist: ["blocked.test"] },
		});
		const { acme } = createWorld(authority(strict.directory), strict);
		const failure = await failToIssue(acme, ["blocked.test"]);
		expect(failure.type).toBe("rejectedIdentifier");
		expect(failure.remedy).toContain("use another name");
	});

	test("an account that the CA has lost, or closed, is replaced on the way", async () => {
		const forgetful = await start({});
		const wanted = authority(forgetful.directory);
		const world = createWorld(wanted, forgetful);
		await issue(world.acme, ["gate.example.test"]);
		const first = findAcmeAccount(world.db, forgetful.directory);
		await forgetful.restart();
		await issue(world.acme, ["gate.example.test"]);
		const second = findAcmeAccount(world.db, forgetful.directory);
		expect(second?.url).not.toBe(first!.url);

		const signal = new AbortController().signal;
		const transport = createTransport(
			{ ...world, egress: forgetful.egress, signal },
			forgetful.directory,
		);
		const account = await requireAccount(
			world,
			transport,
			forgetful.directory,
			wanted,
		);
		await transport.post(
			account.accountUrl,
			{ status: "deactivated" },
			account,
		);
		await issue(world.acme, ["gate.example.test"]);
		expect(findAcmeAccount(world.db, forgetful.directory)?.url).not.toBe(
			second!.url,
		);
	});

	test("renewal information moves the renewal, and the new certificate replaces the old (RFC 9773 5)", async () => {
		const proxy = startFaultProxy(pebble);
		closers.push(proxy.stop);
		const orders: Readonly<Record<string, unknown>>[] = [];
		proxy.setFault((path, payload) => {
			if (path === "/order-plz") orders.push(payload);
			return null;
		});
		const world = createWorld(authority(proxy.directory));
		const { keeper } = await open(world, proxy.directory, [
			["ari.example.test"],
		]);
		await keeper.check();
		const [before] = keeper.status();
		expect(before?.renewAt).toBeGreaterThan(world.clock.now() + 24 * HOUR);
		await keeper.check();
		expect(orders).toHaveLength(1);

		await pebble.setRenewalInfo(
			chainOf(keeper),
			JSON.stringify({
				suggestedWindow: {
					start: "2020-01-01T00:00:00Z",
					end: "2020-01-02T00:00:00Z",
				},
				explanationURL: "https://ca.example/why",
			}),
		);
		world.clock.forward(7 * HOUR);
		await keeper.check();
		const [after] = keeper.status();
		expect(after?.fingerprint).not.toBe(before!.fingerprint);
		expect(orders).toHaveLength(2);
		expect(orders[0]).toEqual({
			identifiers: [{ type: "dns", value: "ari.example.test" }],
			profile: "tlsserver",
		});
		// RFC 9773 4.1: key identifier and serial of the one that is replaced.
		expect(orders[1]?.["replaces"]).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
	});

	test("a certificate that was already replaced is followed by an order that does not say so (RFC 9773 5)", async () => {
		const { acme } = createWorld(authority(pebble.directory));
		const first = await issue(acme, ["again.example.test"]);
		await issue(acme, ["again.example.test"], first.chain);
		await issue(acme, ["again.example.test"], first.chain);
	});

	test("when a CA revokes in masses every certificate is renewed at the next look", async () => {
		const world = createWorld(authority(pebble.directory));
		const { keeper } = await open(
			world,
			pebble.directory,
			["one", "two", "three"].map((name) => [`${name}.revoked.test`]),
		);
		await keeper.check();
		const before = keeper.status();
		const signal = new AbortController().signal;
		const transport = createTransport(
			{ ...world, egress: pebble.egress, signal },
			pebble.directory,
		);
		const account = await requireAccount(
			world,
			transport,
			pebble.directory,
			authority(pebble.directory),
		);
		const directory = await (
			await pebble.egress.fetch(pebble.directory, { timeoutMs: 2000 })
		).json();
		for (const { serverName, chain } of keeper.materials()) {
			if (serverName === null) continue; // the first, once more
			const certificate = new X509Certificate(chain).raw.toString("base64url");
			await transport.post(
				directory.revokeCert,
				{ certificate, reason: 4 },
				account,
			);
		}
		world.clock.forward(7 * HOUR);
		await keeper.check();
		const kept = keeper
			.status()
			.filter(({ fingerprint }, at) => fingerprint === before[at]?.fingerprint);
		expect(kept).toEqual([]);
		expect(keeper.status().every(({ trusted }) => trusted)).toBe(true);
	});

	test("a certificate of 8 seconds is renewed in real time under a stream that goes on", async () => {
		const world = createWorld(
			authority(pebble.directory, { profile: "brief" }),
		);
		const shown: string[] = [];
		const sinks: ReadableStreamDefaultController<Uint8Array>[] = [];
		const { keeper } = await open(
			world,
			pebble.directory,
			[["127.0.0.1"]],
			async (materials) => {
				await server.replace(materials);
				shown.push(readCertificate(materials[0]!.chain).fingerprint);
			},
		);
		const server = listenTls("127.0.0.1", 0, keeper.materials(), () => {
			return new Response(
				new ReadableStream<Uint8Array>({
					start: (sink) => {
						sink.enqueue(Buffer.from("hello"));
						sinks.push(sink);
					},
				}),
			);
		});
		closers.push(() => server.close(0));
		keeper.start();
		await until("the first certificate is shown", () => shown.length === 1);
		const ca = await pebble.root();
		const held = await fetch(`https://127.0.0.1:${server.port}/`, {
			tls: { ca },
		});
		const reader = held.body!.pipeThrough(new TextDecoderStream()).getReader();
		expect((await reader.read()).value).toBe("hello");
		await until("it is renewed", () => shown.length >= 2, 20_000);
		sinks[0]!.enqueue(Buffer.from("still here"));
		expect((await reader.read()).value).toBe("still here");
		expect(new Set(shown).size).toBe(shown.length);
		const fresh = await fetch(`https://127.0.0.1:${server.port}/`, {
			tls: { ca },
		});
		expect(fresh.status).toBe(200);
	}, 30_000);

	test("a restart shows the same certificate and orders nothing", async () => {
		const proxy = startFaultProxy(pebble);
		closers.push(proxy.stop);
		const world = createWorld(authority(proxy.directory));
		const sets = [["kept.example.test"], ["127.0.0.1"]];
		const first = await open(world, proxy.directory, sets);
		expect(first.keeper.status().map(({ trusted }) => trusted)).toEqual([
			false,
			false,
		]);
		await first.keeper.check();
		const before = first.keeper.status();
		expect(before.map(({ trusted }) => trusted)).toEqual([true, true]);
		// No name in the hello: the certificate for the address (tls.md 2.3).
		expect(
			first.keeper.materials().map(({ serverName }) => serverName),
		).toEqual([null, "kept.example.test"]);
		proxy.takeLog();
		const second = await open(world, proxy.directory, sets);
		const next = await second.keeper.check();
		expect(second.keeper.status()).toEqual(before);
		expect(next).toBeGreaterThan(world.clock.now() + HOUR);
		expect(proxy.takeLog()).toEqual([]);
	});

	test("a rate limit is respected, shown, and never slept through", async () => {
		const proxy = startFaultProxy(pebble);
		closers.push(proxy.stop);
		const world = createWorld(authority(proxy.directory));
		const { keeper, lines } = await open(world, proxy.directory, [
			["limit.example.test"],
		]);
		proxy.setFault((path) =>
			path === "/order-plz"
				? problem(429, "rateLimited", "too many certificates already issued", {
						"retry-after": "36000",
					})
				: null,
		);
		const now = world.clock.now();
		const next = await keeper.check();
		expect(next).toBeGreaterThanOrEqual(now + 36_000);
		const [status] = keeper.status();
		expect(status?.failure).toMatchObject({
			type: "rateLimited",
			detail: "too many certificates already issued",
		});
		expect(status?.trusted).toBe(false);
		expect(lines.join("")).toContain("too many certificates already issued");
		expect(keeper.renew(["limit.example.test"])).rejects.toThrow(
			"the CA wants no order before",
		);
		proxy.takeLog();
		await keeper.check();
		expect(proxy.takeLog()).toEqual([]);

		proxy.setFault(null);
		world.clock.forward(36_001);
		await keeper.check();
		expect(keeper.status()[0]).toMatchObject({
			trusted: true,
			failure: null,
			nextAttemptAt: 0,
		});
	});

	test("after a failure the names are proved at staging, and production follows at once", async () => {
		const staging = await start({});
		const proxy = startFaultProxy(pebble);
		closers.push(proxy.stop);
		// One egress for both: the production proxy and the staging directory have different certificates.
		const egress = {
			fetch: (
				url: string | URL,
				init: Parameters<Pebble["egress"]["fetch"]>[1],
			) =>
				(String(url).startsWith(new URL(staging.directory).origin)
					? staging
					: pebble
				).egress.fetch(url, init),
		};
		const world = createWorld(
			authority(proxy.directory, { staging: staging.directory }),
			{ ...pebble, egress },
		);
		const { keeper, lines } = await open(world, proxy.directory, [
			["staged.example.test"],
		]);
		proxy.setFault((path) =>
			path === "/order-plz"
				? problem(
						403,
						"caa",
						"CAA record for staged.example.test prevents issuance",
					)
				: null,
		);
		const next = await keeper.check();
		expect(next).toBe(world.clock.now() + 60);
		expect(keeper.status()[0]?.failure?.remedy).toContain("CAA record");
		proxy.takeLog();

		await staging.setAddress("staged.example.test", ["127.0.0.2"]);
		world.clock.forward(61);
		await keeper.check();
		expect(proxy.takeLog()).toEqual([]);
		expect(keeper.status()[0]?.failure).toMatchObject({
			type: "connection",
			directory: staging.directory,
		});

		proxy.setFault(null);
		await staging.setAddress("staged.example.test", ["127.0.0.1"]);
		world.clock.forward(601);
		await keeper.check();
		expect(keeper.status()[0]?.trusted).toBe(true);
		expect(lines.some((line) => line.includes("certificate rehearsed"))).toBe(
			true,
		);
		expect(await keeper.rehearse(["another.example.test"])).toBeNull();
	});

	test("a busy CA is asked again, a silent one given up, and half an answer is no answer", async () => {
		const proxy = startFaultProxy(pebble);
		closers.push(proxy.stop);
		const { acme } = createWorld(authority(proxy.directory));
		let busy = 2;
		proxy.setFault((path) =>
			path === "/order-plz" && busy-- > 0
				? new Response("<html>busy</html>", {
						status: 503,
						headers: { "retry-after": "0" },
					})
				: null,
		);
		await issue(acme, ["busy.example.test"]);

		proxy.setFault((path) =>
			path === "/order-plz"
				? new Response("<html>busy</html>", {
						status: 503,
						headers: { "retry-after": "7200" },
					})
				: null,
		);
		const later = await failToIssue(acme, ["busy.example.test"]);
		expect(later.retryAt! - later.at).toBe(7200);

		proxy.setFault((path) =>
			path === "/order-plz"
				? new Response('{"status": "pend', {
						status: 201,
						headers: { "content-type": "application/json" },
					})
				: null,
		);
		expect((await failToIssue(acme, ["busy.example.test"])).type).toBe(
			"malformedAnswer",
		);

		let asked = 0;
		proxy.setFault((path) => {
			if (path !== "/order-plz") return null;
			asked++;
			return new Promise<Response>(() => {});
		});
		const silent = await failToIssue(acme, ["busy.example.test"]);
		expect(silent.type).toBe("timeout");
		expect(asked).toBe(3);
	}, 20_000);

	test("a second CA is asked when the first has failed three times, and issues", async () => {
		const first = startFaultProxy(pebble);
		closers.push(first.stop);
		first.setFault(() => problem(500, "serverInternal", "all is broken"));
		const second = await start({});
		const world = createWorld(authority(first.directory));
		const fallback = createWorld(authority(second.directory), second).acme;
		const asked = async (): Promise<boolean> => {
			await keeper.check();
			return keeper.status()[0]?.trusted ?? false;
		};
		const { keeper, lines } = await open(
			world,
			first.directory,
			[["second.example.test"]],
			undefined,
			fallback,
		);
		expect(await asked()).toBe(false);
		world.clock.forward(61);
		expect(await asked()).toBe(false);
		expect(keeper.status()[0]?.failure?.detail).toBe("all is broken");
		world.clock.forward(601);
		expect(await asked()).toBe(true);
		expect(keeper.status()[0]).toMatchObject({ failure: null });
		expect(lines.join("")).toContain(
			`"certificate issued","reason":"second.example.test","url":"${second.directory}"`,
		);

		// Nothing is due now, and a renewal begins with the first CA again.
		first.takeLog();
		await keeper.check();
		expect(first.takeLog()).toEqual([]);
		first.setFault(null);
		await keeper.renew(["second.example.test"]);
		expect(lines.at(-1)).toContain(first.directory);
	});

	test("a first CA that wants to be left alone for a day is followed by the second at once; what both say is kept", async () => {
		const [first, second] = [startFaultProxy(pebble), startFaultProxy(pebble)];
		closers.push(first.stop, second.stop);
		first.setFault((path) =>
			path === "/order-plz"
				? problem(429, "rateLimited", "too many", { "retry-after": "86400" })
				: null,
		);
		second.setFault((path) =>
			path === "/order-plz"
				? problem(403, "rejectedIdentifier", "not from us either")
				: null,
		);
		const fallbackOf = (at: string): Acme => createWorld(authority(at)).acme;
		const world = createWorld(authority(first.directory));
		const { keeper } = await open(
			world,
			first.directory,
			[["both.example.test"], ["127.0.0.1"]],
			undefined,
			fallbackOf(second.directory),
		);
		await keeper.check();
		const [byName, byAddress] = keeper.status();
		expect(byName?.failure?.detail).toBe(
			"too many; localhost said: not from us either",
		);
		// The second CA is for names: few others issue for addresses.
		expect(byAddress?.failure?.detail).toBe("too many");
	});

	test("a certificate that nears its end is announced, and shown even after it", async () => {
		const proxy = startFaultProxy(pebble);
		closers.push(proxy.stop);
		const world = createWorld(authority(proxy.directory));
		const { keeper } = await open(world, proxy.directory, [
			["ending.example.test"],
		]);
		await keeper.check();
		const chain = chainOf(keeper);
		proxy.setFault(() => problem(403, "rejectedIdentifier", "no more"));
		world.clock.forward(44 * 24 * HOUR);
		await keeper.check();
		const { list } = keptCertificates(keeper, null);
		expect(listNotices(list(), world.clock.now())).toEqual([
			{
				isUrgent: true,
				text: expect.stringMatching(
					/^The certificate of ending.example.test ends .*no more/,
				),
			},
		]);
		world.clock.forward(2 * 24 * HOUR);
		await keeper.check();
		expect(chainOf(keeper)).toBe(chain);
		expect(keeper.status()[0]?.failure?.type).toBe("rejectedIdentifier");
	});

	test("a directory that is not there is a failure like any other", async () => {
		const nowhere = "https://localhost:1/dir";
		const world = createWorld(authority(nowhere));
		const { keeper } = await open(world, nowhere, [["a.example.test"]]);
		expect(await keeper.check()).toBe(world.clock.now() + 60);
		expect(keeper.status()[0]?.failure?.type).toBe("unreachable");
	});

	test("stopping ends a running order without counting it as a failure", async () => {
		const proxy = startFaultProxy(pebble);
		closers.push(proxy.stop);
		const world = createWorld(authority(proxy.directory));
		const { keeper } = await open(world, proxy.directory, [
			["stop.example.test"],
		]);
		const reached = new Promise<void>((resolve) =>
			proxy.setFault((path) => {
				if (path !== "/order-plz") return null;
				resolve();
				return new Promise<Response>(() => {});
			}),
		);
		keeper.start();
		await reached;
		await keeper.stop();
		expect(keeper.status()[0]).toMatchObject({ failure: null, trusted: false });
	});
});

function chainOf(keeper: Keeper): string {
	return keeper.materials()[0]!.chain;
}

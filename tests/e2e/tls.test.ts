/**
 * The executable with certificates: of a real CA, which first cannot reach it, and of files that somebody else renews.
 * Clients know the name by a DNS of their own and judge the certificate by it.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import {
	type KeyPair,
	readCertificate,
	spellFingerprint,
} from "../../src/tls/certificate.ts";
import { parseIdentifiers } from "../../src/tls/identifiers.ts";
import { createSelfSigned } from "../../src/tls/self-signed.ts";
import { createBrowser } from "../support/browser.ts";
import { createSdk2Client } from "../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { type Pebble, pebbleTools, startPebble } from "../support/pebble.ts";
import {
	fixtureCommand,
	freePort,
	runToEnd,
	stdioFlags,
} from "../support/processes.ts";
import { reachHere } from "../support/reach.ts";
import { describeWith, executable } from "../support/tools.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const NAME = "gate.example.test";
const folder = mkdtempSync(join(tmpdir(), "sallyport-tls-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
	const path = join(folder, name);
	writeFileSync(path, text);
	return path;
}

/** The fingerprint a client is shown at a gateway. */
function shown(gateway: Gateway): Promise<string> {
	const port = Number(new URL(gateway.url).port);
	return new Promise((resolve, reject) => {
		const socket = connect({
			host: "127.0.0.1",
			port,
			servername: NAME,
			rejectUnauthorized: false,
		});
		socket.once("error", reject);
		socket.once("secureConnect", () => {
			resolve(socket.getPeerCertificate().fingerprint256);
			socket.destroy();
		});
	});
}

async function certificate(
	gateway: Gateway,
): Promise<Record<string, unknown> & { failure: Record<string, unknown> }> {
	const reply = JSON.parse(
		await gateway.cli(["certificate", "show", "--json"]),
	);
	return reply.certificates[0];
}

async function addModernServer(gateway: Gateway): Promise<void> {
	await gateway.cli([
		...["servers", "add", "modern"],
		...stdioFlags(fixtureCommand("modern", "stdio")),
	]);
}

describeWith([executable(), ...pebbleTools()], "with a CA", () => {
	let pebble: Pebble;
	let gateway: Gateway;
	let httpPort: number;

	beforeAll(async () => {
		httpPort = await freePort();
		pebble = await startPebble({ httpPort });
		// Nobody is there, so the first order fails.
		await pebble.setAddress(NAME, ["127.0.0.9"]);
		gateway = await startGateway({
			compiled: true,
			publicUrl: (port) => `https://${NAME}:${port}`,
			flags: [
				...["--tls", "acme", "--acme-directory", pebble.directory],
				...["--acme-ca", write("acme-ca.pem", pebble.endpoint.chain)],
				...["--acme-email", "ada@example.org"],
				...["--http-listen", `127.0.0.1:${httpPort}`],
			],
		});
		await addModernServer(gateway);
	});
	afterAll(async () => {
		await gateway?.stop();
		await pebble?.stop();
	});

	test("before there is a certificate a person can compare the fingerprint, and reads what the CA said and what to do", async () => {
		await until(
			"the first order has failed",
			async () => (await certificate(gateway)).failure !== null,
			30_000,
		);
		const { trusted, fingerprint, failure } = await certificate(gateway);
		expect(trusted).toBe(false);
		expect(fingerprint).toBe(await shown(gateway));
		expect(failure["directory"]).toBe(pebble.directory);
		expect(failure["detail"]).toContain("127.0.0.9");
		const text = await gateway.cli(["certificate", "show"]);
		expect(text).toContain(`SHA-256     ${fingerprint}`);
		expect(text).toContain(`last error  ${failure["detail"]}`);
		expect(text).toContain("what to do  the CA could not connect to");
		expect(gateway.logs()).toContain(`SHA-256 ${fingerprint}`);
	});

	test("a renewal that fails says so in the same words, and exits as an upstream's failure", async () => {
		const { code, stderr } = await gateway.tryCli(["certificate", "renew"]);
		expect(code).toBe(7);
		expect(stderr).toContain(`the CA issued nothing for ${NAME}: `);
		expect(stderr).toContain("hint: the CA could not connect to");
	});

	test("plain http leads to https under our own name, whatever name was asked for", async () => {
		const response = await fetch(`http://127.0.0.1:${httpPort}/a?b=c`, {
			headers: { host: "evil.example" },
			redirect: "manual",
		});
		expect(response.status).toBe(308);
		expect(response.headers.get("location")).toBe(`${gateway.url}/a?b=c`);
	});

	test("once the name leads here a certificate is issued, and a client that trusts that CA alone signs in and calls a tool", async () => {
		await pebble.setAddress(NAME, ["127.0.0.1"]);
		expect(await gateway.cli(["certificate", "renew"])).toContain("Pebble");
		const { trusted, names, renewAt, notAfter, failure } =
			await certificate(gateway);
		expect({ trusted, names, failure }).toEqual({
			trusted: true,
			names: [NAME],
			failure: null as never,
		});
		expect(renewAt).toBeLessThan(notAfter as number);

		const reach = reachHere(await pebble.root());
		const client = createSdk2Client(gateway.endpoint(), {
			mode: { pin: "2026-07-28" },
			reach,
		});
		await client.signIn(createBrowser(gateway.owner, reach));
		const answer = await client.callTool("modern_echo", { text: "over tls" });
		expect(answer).toContain("over tls");
		await client.close();
	});

	test("after a restart the same certificate is shown, and nothing is ordered again", async () => {
		const before = await shown(gateway);
		await gateway.restart();
		expect(await shown(gateway)).toBe(before);
		expect((await certificate(gateway))["fingerprint"]).toBe(before);
		expect(gateway.logs().match(/"certificate issued"/g)).toHaveLength(1);
	});

	test("a client that trusts another CA, or asks for another name, does not go on", async () => {
		const ready = `${gateway.url}/readyz`;
		const root = await pebble.root();
		expect((await reachHere(root)(ready)).status).toBe(200);
		await expect(reachHere(pebble.endpoint.chain)(ready)).rejects.toThrow();
		await expect(
			reachHere(root)(ready.replace(NAME, "other.example.test")),
		).rejects.toThrow();
	});

	test("a request for a host that is not ours is 421, whatever name the certificate was asked by (RFC 9110 15.5.20)", async () => {
		const { port } = new URL(gateway.url);
		const response = await fetch(`https://127.0.0.1:${port}/readyz`, {
			headers: { host: `other.example.test:${port}` },
			tls: { ca: await pebble.root(), serverName: NAME },
		});
		expect(response.status).toBe(421);
	});
});

describeWith([executable()], "with files that somebody else renews", () => {
	let gateway: Gateway;
	let pair: KeyPair;

	const createPair = (name = NAME): Promise<KeyPair> =>
		createSelfSigned(parseIdentifiers([name]), Math.floor(Date.now() / 1000));
	const put = ({ chain, key }: KeyPair): readonly string[] => [
		...["--tls", "files", "--tls-cert", write("cert.pem", chain)],
		...["--tls-key", write("key.pem", key)],
	];
	const fingerprintOf = ({ chain }: KeyPair): string =>
		spellFingerprint(readCertificate(chain).fingerprint);

	beforeAll(async () => {
		pair = await createPair();
		gateway = await startGateway({
			compiled: true,
			publicUrl: (port) => `https://${NAME}:${port}`,
			flags: put(pair),
		});
	});
	afterAll(async () => gateway?.stop());

	test("a pair that is replaced is shown without a restart, by itself", async () => {
		expect(await shown(gateway)).toBe(fingerprintOf(pair));
		pair = await createPair();
		put(pair);
		await until(
			"the new one is shown",
			async () => (await shown(gateway)) === fingerprintOf(pair),
			30_000,
		);
		const response = await reachHere(pair.chain)(`${gateway.url}/readyz`);
		expect(response.status).toBe(200);
	});

	test("and at once when told to", async () => {
		pair = await createPair();
		put(pair);
		const text = await gateway.cli(["certificate", "renew"]);
		expect(text).toContain(fingerprintOf(pair));
		expect(await shown(gateway)).toBe(fingerprintOf(pair));
	});

	test("a pair that does not fit is refused with what to do, and the old one stays", async () => {
		put(await createPair("other.example.test"));
		const { code, stderr } = await gateway.tryCli(["certificate", "renew"]);
		expect(code).toBe(2);
		expect(stderr).toContain(
			`the certificate is for other.example.test, not for ${NAME}`,
		);
		expect(await shown(gateway)).toBe(fingerprintOf(pair));
		expect(await gateway.cli(["certificate", "show"])).toContain("what to do");
	});

	test.each([
		["another name", "other.example.test", 2, "not for gate.example.test"],
		["a port in use", NAME, 5, "cannot listen on localhost:"],
	])(
		"it does not start with %s, and says why",
		async (_what, name, exit, words) => {
			const port = new URL(gateway.url).port;
			const { code, stderr } = await runToEnd([
				executable().path ?? "",
				"serve",
				...["--data-dir", join(folder, "second")],
				...["--listen", `localhost:${port}`],
				...["--public-url", gateway.url],
				...put(await createPair(name)),
			]);
			expect(code).toBe(exit);
			expect(stderr).toContain(words);
			expect(stderr).toContain("sallyport: hint: ");
		},
	);
});

describeWith(
	[executable(), ...pebbleTools()],
	"with a second CA, where the first is not there",
	() => {
		let pebble: Pebble;
		let gateway: Gateway;

		beforeAll(async () => {
			const httpPort = await freePort();
			pebble = await startPebble({ httpPort });
			await pebble.setAddress(NAME, ["127.0.0.1"]);
			gateway = await startGateway({
				compiled: true,
				publicUrl: (port) => `https://${NAME}:${port}`,
				flags: [
					...["--tls", "acme", "--acme-directory", "https://127.0.0.1:1/dir"],
					...["--acme-fallback-directory", pebble.directory],
					...["--acme-fallback-ca", write("second.pem", pebble.endpoint.chain)],
					...["--http-listen", `127.0.0.1:${httpPort}`],
				],
			});
		});
		afterAll(async () => {
			await gateway?.stop();
			await pebble?.stop();
		});

		test("the third failure in a row is followed by its certificate", async () => {
			await until(
				"the first order has failed",
				async () => (await certificate(gateway)).failure !== null,
				30_000,
			);
			expect((await gateway.tryCli(["certificate", "renew"])).code).toBe(7);
			expect(await gateway.cli(["certificate", "renew"])).toContain("Pebble");
			const { trusted, failure } = await certificate(gateway);
			expect(trusted).toBe(true);
			expect(failure).toBeNull();
			const { status } = await reachHere(await pebble.root())(
				`${gateway.url}/readyz`,
			);
			expect(status).toBe(200);
		});
	},
);

describeWith([executable()], "with a certificate in its last tenth", () => {
	test("a webhook hears of it as soon as the gateway serves", async () => {
		const { promise: heard, resolve } =
			Promise.withResolvers<Record<string, unknown>>();
		const webhook = Bun.serve({
			hostname: "127.0.0.1",
			port: 0,
			fetch: async (request) => {
				resolve((await request.json()) as Record<string, unknown>);
				return new Response("thanks");
			},
		});
		const NINE_YEARS = 9.5 * 365 * 86_400;
		const { chain, key } = await createSelfSigned(
			parseIdentifiers([NAME]),
			Math.floor(Date.now() / 1000 - NINE_YEARS),
		);
		const gateway = await startGateway({
			compiled: true,
			publicUrl: (port) => `https://${NAME}:${port}`,
			flags: [
				...["--tls", "files", "--tls-cert", write("old.pem", chain)],
				...["--tls-key", write("old.key", key)],
			],
			env: { SALLYPORT_ALERT_WEBHOOK: `${webhook.url}T0K3N` },
		});
		expect(await heard).toMatchObject({
			event: "certificate.ends",
			gateway: gateway.url,
			urgent: true,
			names: [NAME],
			text: expect.stringContaining(`The certificate of ${NAME} ends in`),
		});
		expect(gateway.logs()).toContain('"certificate ends soon"');
		expect(gateway.logs()).not.toContain("T0K3N");
		await gateway.stop();
		await webhook.stop(true);
	});
});

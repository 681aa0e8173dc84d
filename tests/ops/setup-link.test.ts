/** The way in while there is no owner; with a CA that issues it is in `tests/e2e/setup-link.test.ts`. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, startApp } from "../../src/app.ts";
import { systemClock } from "../../src/clock.ts";
import { parseConfig } from "../../src/config.ts";
import type { SetupLink } from "../../src/ops/setup-link.ts";
import { parseIdentifiers } from "../../src/tls/identifiers.ts";
import { createSelfSigned } from "../../src/tls/self-signed.ts";
import { claimAt } from "../support/claim.ts";
import { problem } from "../support/pebble.ts";
import { freePort } from "../support/processes.ts";

/** A CA that wants nobody as its customer. */
const endpoint = await createSelfSigned(
	parseIdentifiers(["localhost"]),
	systemClock.now(),
);
const refusing = Bun.serve({
	hostname: "127.0.0.1",
	port: 0,
	tls: { cert: endpoint.chain, key: endpoint.key },
	fetch: () => problem(403, "unauthorized", "no new customers today"),
});
const caFolder = mkdtempSync(join(tmpdir(), "sallyport-setup-ca-"));
writeFileSync(join(caFolder, "ca.pem"), endpoint.chain);
afterAll(async () => {
	rmSync(caFolder, { recursive: true });
	await refusing.stop(true);
});

const OWNER = { email: "ada@example.org", password: "a password of ada" };
let folder = "";
let app: App | null = null;
afterEach(async () => {
	await app?.stop();
	app = null;
	rmSync(folder, { recursive: true, force: true });
});

/** @returns the port */
async function start(
	addresses: readonly string[],
	...flags: readonly string[]
): Promise<number> {
	folder = mkdtempSync(join(tmpdir(), "sallyport-setup-"));
	const port = await freePort();
	const common = ["--data-dir", folder, "--log-level", "error"];
	app = await startApp(
		parseConfig([...common, "--listen", `127.0.0.1:${port}`, ...flags]),
		{ addresses: () => addresses },
	);
	return port;
}

const ACME = [
	...["--tls", "acme", "--http-listen", "127.0.0.1:0"],
	...["--acme-directory", `https://localhost:${refusing.port}/dir`],
	...["--acme-ca", join(caFolder, "ca.pem")],
];

async function ask(): Promise<SetupLink & { readonly status: number }> {
	const answer = await fetch("http://sallyport/api/setup-link", {
		unix: app?.adminSocket ?? "",
		method: "POST",
		headers: { "content-type": "application/json" },
		body: "{}",
	});
	return { status: answer.status, ...((await answer.json()) as SetupLink) };
}

test("on localhost in clear the link is there, and nothing needs a way around", async () => {
	const port = await start([]);
	const link = await ask();
	expect(link.setupUrl).toStartWith(`http://127.0.0.1:${port}/setup#sp_su_`);
	expect(link).toMatchObject({
		status: 201,
		trusted: true,
		tunnelUrl: null,
		fingerprint: null,
		failure: null,
	});
});

test("a name that is not in the DNS is told, the link is at the address, and a tunnel and a fingerprint help", async () => {
	const name = "nowhere.example.invalid";
	const port = await start(
		["127.0.0.1", "9.9.9.9"],
		...ACME,
		...["--public-url", `https://${name}`],
	);
	const link = await ask();
	expect(link.setupUrl).toStartWith(`https://9.9.9.9:${port}/setup#sp_su_`);
	expect(link.failure).toEqual({
		detail: `${name} has no address yet`,
		remedy: expect.stringContaining(`${name}. A 9.9.9.9`),
	});
	expect(link.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
	expect(new URL(link.tunnelUrl ?? "").hash).toBe(new URL(link.setupUrl).hash);
});

test("through the tunnel the gateway is claimed, and the link works once", async () => {
	await start([], ...ACME, "--public-url", "https://nowhere.example.invalid");
	const { tunnelUrl } = await ask();
	expect(tunnelUrl).toStartWith("http://localhost:");
	const claimed = await claimAt(tunnelUrl ?? "", OWNER);
	expect(claimed.status).toBe(303);
	expect(claimed.headers.get("set-cookie")).not.toContain("Secure");
	expect((await claimAt(tunnelUrl ?? "", OWNER)).status).toBe(404);
	expect((await ask()).status).toBe(409);
});

test("at the address the gateway speaks as that address, and at a strange name not at all", async () => {
	const port = await start(
		["9.9.9.9"],
		...ACME,
		...["--public-url", "https://nowhere.example.invalid"],
	);
	const issuerAt = async (host: string): Promise<unknown> => {
		const answer = await fetch(
			`https://127.0.0.1:${port}/.well-known/oauth-authorization-server`,
			{ headers: { host }, tls: { rejectUnauthorized: false } },
		);
		return answer.ok
			? ((await answer.json()) as { issuer: string }).issuer
			: answer.status;
	};
	expect(await issuerAt(`9.9.9.9:${port}`)).toBe(`https://9.9.9.9:${port}`);
	expect(await issuerAt("nowhere.example.invalid")).toBe(
		"https://nowhere.example.invalid",
	);
	expect(await issuerAt("evil.example")).toBe(421);
});

test("what the CA refuses is told in its words", async () => {
	await start(["127.0.0.1"], ...ACME, "--public-url", "https://localhost");
	expect((await ask()).failure).toMatchObject({
		detail: "no new customers today",
	});
});

test("a machine that has no address of its own says so, and leaves the tunnel", async () => {
	await start(["127.0.0.1", "10.0.0.4"], ...ACME);
	const { failure, setupUrl, tunnelUrl } = await ask();
	expect(failure?.detail).toContain("no public address of its own");
	expect(setupUrl).toBe(tunnelUrl ?? "");
});

test("with an owner there is neither a tunnel nor an address beside the name", async () => {
	const port = await start(["9.9.9.9"], ...ACME);
	await claimAt((await ask()).tunnelUrl ?? "", OWNER);
	await app?.stop();
	app = await startApp(
		parseConfig([
			...["--data-dir", folder, "--log-level", "error", ...ACME],
			...["--listen", `127.0.0.1:${port}`],
			...["--public-url", "https://nowhere.example.invalid"],
		]),
		{ addresses: () => ["9.9.9.9"] },
	);
	const answer = await fetch(`https://127.0.0.1:${port}/healthz`, {
		headers: { host: `9.9.9.9:${port}` },
		tls: { rejectUnauthorized: false },
	});
	expect(answer.status).toBe(421);
});

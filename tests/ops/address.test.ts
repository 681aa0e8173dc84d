/** The public URL: chosen while the gateway runs, kept over a restart, refused where the machine says otherwise. */
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, startApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { freePort } from "../support/processes.ts";

let folder = "";
let app: App | null = null;
afterEach(async () => {
	await app?.stop();
	app = null;
	rmSync(folder, { recursive: true, force: true });
});

/** With certificates of its own, on a port of its own; nothing is ordered as long as it has no name. */
async function start(...flags: readonly string[]): Promise<number> {
	if (!app) folder = mkdtempSync(join(tmpdir(), "sallyport-address-"));
	const port = await freePort();
	app = await startApp(
		parseConfig([
			...["--data-dir", folder, "--log-level", "error"],
			...["--listen", `127.0.0.1:${port}`, "--tls", "acme"],
			...["--acme-directory", "https://127.0.0.1:9/dir"],
			...["--http-listen", "127.0.0.1:0"],
			...flags,
		]),
	);
	return port;
}

async function restart(): Promise<number> {
	await app?.stop();
	return start();
}

function ask(port: number, host: string, path: string): Promise<Response> {
	return fetch(`https://127.0.0.1:${port}${path}`, {
		headers: { host },
		tls: { rejectUnauthorized: false },
	});
}

async function issuerAt(port: number, host: string): Promise<unknown> {
	const answer = await ask(
		port,
		host,
		"/.well-known/oauth-authorization-server",
	);
	return answer.ok
		? ((await answer.json()) as { issuer: string }).issuer
		: answer.status;
}

function settings(body?: object): Promise<Response> {
	return fetch("http://sallyport/api/settings", {
		unix: app?.adminSocket ?? "",
		method: body ? "PUT" : "GET",
		...(body && {
			headers: { "Content-Type": "application/json" },
			body: JSON.stringify(body),
		}),
	});
}

test("before it has a name the gateway answers at any address that reaches it, and at no name", async () => {
	const port = await start();
	for (const host of ["203.0.113.9", "localhost:8443", "[2001:db8::1]"])
		expect((await ask(port, host, "/readyz")).status, host).toBe(200);
	for (const host of ["gate.example.org", "1.2.3.4.evil.example"])
		expect((await ask(port, host, "/readyz")).status, host).toBe(421);
	expect((await ask(port, "", "/readyz")).status).toBe(400);
});

test("a public URL is served from the moment it is chosen, and after a restart", async () => {
	const port = await start();
	expect(await issuerAt(port, "gate.example.org")).toBe(421);
	const moved = await settings({ publicUrl: "https://gate.example.org/" });
	expect(await moved.json()).toMatchObject({
		publicUrl: { value: "https://gate.example.org", fixedBy: null },
	});
	expect(await issuerAt(port, "gate.example.org")).toBe(
		"https://gate.example.org",
	);
	expect(await issuerAt(port, "evil.example.org")).toBe(421);
	// Whoever set it up came by an address, and has its page open.
	expect(await issuerAt(port, "203.0.113.9")).toBe("https://gate.example.org");
	// Whoever has the former one open is led on.
	await settings({ publicUrl: "https://other.example.org" });
	expect(await issuerAt(port, "gate.example.org")).toBe(
		"https://other.example.org",
	);
	const again = await restart();
	expect(await issuerAt(again, "other.example.org")).toBe(
		"https://other.example.org",
	);
	for (const host of ["gate.example.org", "203.0.113.9"])
		expect(await issuerAt(again, host), host).toBe(421);
});

test("a public URL that a flag sets is not changed here, and what is none is refused", async () => {
	await start();
	for (const publicUrl of ["http://gate.example.org", "gate", "https://a/b"])
		expect((await settings({ publicUrl })).status, publicUrl).toBe(400);
	await app?.stop();
	await start("--public-url", "https://127.0.0.1:9");
	const refused = await settings({ publicUrl: "https://gate.example.org" });
	expect(refused.status).toBe(409);
	expect(await refused.json()).toMatchObject({
		error: "the public URL is set by the flag --public-url",
	});
});

test("behind a proxy of one's own the name is only kept, and clear text goes on to the proxy alone", async () => {
	folder = mkdtempSync(join(tmpdir(), "sallyport-address-"));
	const port = await freePort();
	const open = async (): Promise<void> => {
		app = await startApp(
			parseConfig([
				...["--data-dir", folder, "--log-level", "error"],
				...["--listen", `127.0.0.1:${port}`, "--trusted-proxy", "127.0.0.1"],
			]),
		);
	};
	const issuer = async (host: string): Promise<unknown> => {
		const answer = await fetch(
			`http://127.0.0.1:${port}/.well-known/oauth-authorization-server`,
			{ headers: { host } },
		);
		return answer.ok
			? ((await answer.json()) as { issuer: string }).issuer
			: answer.status;
	};
	await open();
	expect(
		(await settings({ publicUrl: "http://gate.example.org" })).status,
	).toBe(400);
	expect(
		(await settings({ publicUrl: "https://gate.example.org" })).status,
	).toBe(200);
	expect(await issuer("gate.example.org")).toBe("https://gate.example.org");
	await app?.stop();
	await open();
	expect(await issuer("gate.example.org")).toBe("https://gate.example.org");
	expect(await issuer("evil.example")).toBe(421);
});

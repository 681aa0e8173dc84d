/** H. The HTTP layer (research/oauth.md 5, 98–106). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	allow,
	authorizeQuery,
	type Client,
	register,
	signInClient,
} from "../oauth/authority.ts";
import { openTarget, statusOf, type Target } from "./target.ts";

setDefaultTimeout(60_000);

let target: Target;
let client: Client;
let host: string;

beforeAll(async () => {
	target = await openTarget();
	client = await register(target);
	host = new URL(target.issuer).host;
});
afterAll(() => target?.stop());

function get(path: string, ...headers: readonly string[]): Promise<string> {
	return target.raw(
		[`GET ${path} HTTP/1.1`, ...headers, "Connection: close", "", ""].join(
			"\r\n",
		),
	);
}

const METADATA = "/.well-known/oauth-authorization-server";

test("98: another host, two hosts, a forwarded host, an absolute target", async () => {
	expect(statusOf(await get(METADATA, `Host: ${host}`))).toBe(200);
	for (const headers of [
		["Host: evil.example"],
		["Host: evil.example", `Host: ${host}`],
		[`Host: ${host}`, "Host: evil.example"],
		[`Host: ${host}, evil.example`],
		[`Host: ${host}@evil.example`],
		[`Host: ${host}.`],
		["Host: "],
		[],
	]) {
		const answer = await get(METADATA, ...headers);
		expect([400, 421], headers.join()).toContain(statusOf(answer));
		expect(answer, headers.join()).not.toContain("issuer");
	}
	for (const [path, ...headers] of [
		[METADATA, `Host: ${host}`, "X-Forwarded-Host: evil.example"],
		[METADATA, `Host: ${host}`, "Forwarded: host=evil.example;proto=https"],
		[METADATA, `Host: ${host}`, "X-Forwarded-Proto: gopher"],
		[`http://evil.example${METADATA}`, `Host: ${host}`],
	] as const) {
		const answer = await get(path, ...headers);
		expect(answer, path).not.toContain("evil");
		expect(answer, path).not.toContain("gopher");
		if (statusOf(answer) === 200)
			expect(answer).toContain(`"issuer":"${target.issuer}"`);
	}
});

test("99: another site's page at an MCP endpoint", async () => {
	const { tokens } = await signInClient(target);
	for (const origin of [
		"https://evil.example",
		"null",
		"http://localhost",
		"http://localhost.evil.example",
		target.issuer.replace("http:", "https:"),
	])
		for (const headers of [
			{},
			{ Authorization: `Bearer ${tokens.access_token}` },
		]) {
			const answer = await target.send("/mcp", {
				method: "POST",
				headers: { Origin: origin, ...headers },
				body: "{}",
			});
			expect(answer.status, origin).toBe(403);
		}
	const own = await target.send("/mcp", {
		method: "POST",
		headers: { Origin: target.issuer },
		body: "{}",
	});
	expect(own.status).toBe(401);
});

test("100: a message whose end two readers would see in different places", async () => {
	const hostLine = `Host: ${host}`;
	const evil = `GET /healthz HTTP/1.1\r\n${hostLine}\r\n\r\n`;
	for (const [what, bytes] of Object.entries({
		"length and chunks": `POST /token HTTP/1.1\r\n${hostLine}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${evil}`,
		"an obscured coding": `POST /token HTTP/1.1\r\n${hostLine}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${evil}`,
		"two codings": `POST /token HTTP/1.1\r\n${hostLine}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n${evil}`,
		"an unknown coding": `POST /token HTTP/1.1\r\n${hostLine}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${evil}`,
		"two lengths": `POST /token HTTP/1.1\r\n${hostLine}\r\nContent-Length: 0\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`,
		"a negative length": `POST /token HTTP/1.1\r\n${hostLine}\r\nContent-Length: -1\r\n\r\n${evil}`,
		"bare line feeds": `GET /healthz HTTP/1.1\n${hostLine}\n\n`,
		"a NUL in a header": `GET /healthz HTTP/1.1\r\n${hostLine}\r\nX: a\0b\r\n\r\n`,
		"a folded header": `GET /healthz HTTP/1.1\r\n${hostLine}\r\nX: a\r\n b\r\n\r\n`,
		"a header of 64 kB": `GET /healthz HTTP/1.1\r\n${hostLine}\r\nX: ${"a".repeat(65_536)}\r\n\r\n`,
		"a thousand headers": `GET /healthz HTTP/1.1\r\n${hostLine}\r\n${Array.from({ length: 1000 }, (_, at) => `X${at}: ${"a".repeat(40)}\r\n`).join("")}\r\n`,
	})) {
		const answer = await target.raw(bytes).catch(() => "");
		// One refusal, or a closed connection; never an answer to the request inside.
		expect([0, 400, 413, 431, 501, 505], what).toContain(statusOf(answer));
		expect(answer, what).not.toContain("200 OK");
	}
});

test("101: without a trusted proxy, the forwarded address is not believed", async () => {
	const alone = await openTarget({ trustProxy: false });
	try {
		const statuses: number[] = [];
		for (let at = 0; at < 22; at++) {
			const answer = await alone.send("/register", {
				method: "POST",
				headers: {
					"Content-Type": "application/json",
					"X-Forwarded-For": `192.0.2.${at}`,
				},
				body: JSON.stringify({ redirect_uris: ["http://localhost/cb"] }),
			});
			statuses.push(answer.status);
		}
		expect(statuses.at(-1)).toBe(429);
	} finally {
		await alone.stop();
	}
});

test("102: no answer lets another site's page use a person's login", async () => {
	for (const path of [
		"/token",
		"/register",
		"/revoke",
		METADATA,
		"/mcp",
		"/authorize",
		"/login",
		"/clients",
		"/api/keys",
	])
		for (const method of ["OPTIONS", "GET"])
			for (const origin of ["https://evil.example", "null"]) {
				const { headers } = await target.send(path, {
					method,
					headers: {
						Origin: origin,
						"Access-Control-Request-Method": "POST",
						"Access-Control-Request-Headers": "authorization",
					},
				});
				const allowed = headers.get("Access-Control-Allow-Origin");
				expect(headers.has("Access-Control-Allow-Credentials"), path).toBe(
					false,
				);
				expect([null, "*"], path).toContain(allowed);
			}
	for (const path of ["/authorize", "/login", "/clients", "/api/keys"])
		expect(
			(await target.send(path)).headers.has("Access-Control-Allow-Origin"),
		).toBe(false);
});

test("103: methods that a route does not have", async () => {
	for (const [path, method, expected] of [
		["/mcp", "HEAD", [401]],
		["/mcp", "GET", [401]],
		["/mcp", "DELETE", [401]],
		["/mcp", "PUT", [401, 405]],
		["/token", "GET", [405]],
		["/token", "PUT", [405]],
		["/token", "HEAD", [405]],
		["/token", "OPTIONS", [204]],
		["/register", "GET", [405]],
		["/revoke", "DELETE", [405]],
		[METADATA, "HEAD", [200]],
		[METADATA, "POST", [405]],
		["/authorize", "PUT", [404, 405]],
		["/login", "DELETE", [404, 405]],
	] as const) {
		const answer = await target.send(path, { method });
		expect(expected as readonly number[], `${method} ${path}`).toContain(
			answer.status,
		);
		if (path === "/mcp" && answer.status === 401)
			expect(answer.headers.get("WWW-Authenticate")).toStartWith(
				"Bearer resource_metadata=",
			);
	}
	for (const path of ["/mcp", "/token", "/healthz"]) {
		const answer = await target.raw(
			`TRACE ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Canary: canary\r\nConnection: close\r\n\r\n`,
		);
		expect(statusOf(answer)).not.toBe(200);
		expect(answer).not.toContain("canary");
	}
});

test("104: line breaks in what is sent back", async () => {
	const state = "x\r\nSet-Cookie: evil=1\r\n\r\n<script>";
	const sent = await allow(target, authorizeQuery(client, { state }));
	expect(sent.searchParams.get("state")).toBe(state);
	const refused = await target.send(
		`/authorize${authorizeQuery(client, { state, code_challenge: null })}`,
	);
	expect(refused.headers.getSetCookie()).toEqual([]);
	expect(refused.headers.get("Location")).toContain("%0D%0ASet-Cookie");
	const page = await target.send(
		`/authorize?client_id=${encodeURIComponent(state)}`,
	);
	expect(page.headers.getSetCookie()).toEqual([]);
	expect(await page.text()).not.toContain("<script>");
});

test("106: another spelling of a path is another path", async () => {
	for (const path of [
		"//api/keys",
		"/api;x/keys",
		"/API/keys",
		"/.WELL-KNOWN/oauth-authorization-server",
		"/.well-known/oauth-protected-resource//mcp",
		"//authorize",
		"/Token",
		"/clients%2f",
	]) {
		const answer = await get(path, `Host: ${host}`);
		expect([400, 404], path).toContain(statusOf(answer));
	}
});

test("106: dot segments are gone before anyone judges, so they open nothing that the plain path does not", async () => {
	for (const [odd, plain] of [
		["/x/../api/keys", "/api/keys"],
		["/.well-known/%2e%2e/api/keys", "/api/keys"],
		["/healthz/../mcp", "/mcp"],
		["/.well-known/oauth-protected-resource/../../clients", "/clients"],
	] as const) {
		const answers = await Promise.all(
			[odd, plain].map((path) => get(path, `Host: ${host}`)),
		);
		expect(statusOf(answers[0] ?? ""), odd).toBe(statusOf(answers[1] ?? ""));
		expect([303, 401], odd).toContain(statusOf(answers[0] ?? ""));
	}
	const outside = await get("/assets/../../../../etc/passwd", `Host: ${host}`);
	expect(statusOf(outside)).toBe(404);
});

/** H. Connections that are held: slow, idle, or open with a credential that has ended (research/oauth.md 5, 105). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { signInClient } from "../oauth/authority.ts";
import { openLegacySession } from "../support/wire.ts";
import { openTarget, type Target } from "./target.ts";

setDefaultTimeout(120_000);

const IDLE_SOCKETS = 8000;
const BATCH = 500;
/** What research allows; the gateway's own bound is shorter. */
const CLOSED_WITHIN_MS = 20_000;
const CUT_WITHIN_MS = 30_000;

let target: Target;
let host: string;
let port: number;

beforeAll(async () => {
	target = await openTarget();
	const url = new URL(target.issuer);
	host = url.host;
	port = Number(url.port);
});
afterAll(() => target?.stop());

function open(): Promise<Socket> {
	return new Promise((resolve, reject) => {
		const socket = connect(port, "localhost", () => resolve(socket));
		socket.on("error", reject);
	});
}

/** How long a connection lives on which this is said, and then a byte a second. */
async function lifeMs(said: string): Promise<number> {
	const socket = await open();
	const started = performance.now();
	socket.on("error", () => {});
	socket.resume();
	socket.write(said);
	const drip = setInterval(() => socket.write("a"), 1000);
	await new Promise((resolve) => socket.on("close", resolve));
	clearInterval(drip);
	return performance.now() - started;
}

test("105: headers or a body that come a byte a second are not waited for", async () => {
	const line = `Host: ${host}\r\n`;
	const post = `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000\r\n\r\n`;
	const lives = await Promise.all(
		[
			"G",
			`GET /healthz HTTP/1.1\r\n${line}X: `,
			`POST /token HTTP/1.1\r\n${line}${post}`,
			`POST /register HTTP/1.1\r\n${line}${post}`,
			`POST /login HTTP/1.1\r\n${line}${post}`,
			`POST /mcp HTTP/1.1\r\n${line}${post}`,
		].map(lifeMs),
	);
	expect(Math.max(...lives)).toBeLessThan(CLOSED_WITHIN_MS);
});

test("105: a body that drips is not waited for from a client with a token either", async () => {
	const { tokens } = await signInClient(target);
	const life = await lifeMs(
		`POST /mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${tokens.access_token}\r\n` +
			"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: 100000\r\n\r\n{",
	);
	expect(life).toBeLessThan(CLOSED_WITHIN_MS);
});

test(`105: ${IDLE_SOCKETS} idle connections keep nobody from being served, and are closed`, async () => {
	const sockets: Socket[] = [];
	let closed = 0;
	const done = Promise.withResolvers<void>();
	while (sockets.length < IDLE_SOCKETS)
		for (const socket of await Promise.all(
			Array.from({ length: BATCH }, open),
		)) {
			socket.on("error", () => {});
			socket.resume();
			socket.on("close", () => {
				closed++;
				if (closed === IDLE_SOCKETS) done.resolve();
			});
			sockets.push(socket);
		}
	const { client, tokens } = await signInClient(target);
	expect(client.client_id).toStartWith("cli_");
	expect(await target.use(tokens.access_token)).toBe(200);
	await done.promise;
});

test("105: a stream that is open with a token ends within 30 s of its revocation", async () => {
	const { client, tokens } = await signInClient(target);
	const endpoint = `${target.issuer}/mcp`;
	const session = await openLegacySession(endpoint, tokens.access_token);
	const stream = await fetch(endpoint, {
		headers: {
			Accept: "text/event-stream",
			Authorization: `Bearer ${tokens.access_token}`,
			"Mcp-Session-Id": session.id,
			"MCP-Protocol-Version": "2025-11-25",
		},
	});
	expect(stream.status).toBe(200);
	const ended = stream.text();
	await target.send("/revoke", {
		method: "POST",
		body: new URLSearchParams({
			client_id: client.client_id,
			token: tokens.access_token,
		}),
	});
	expect(await target.use(tokens.access_token)).toBe(401);
	const started = performance.now();
	await ended;
	expect(performance.now() - started).toBeLessThan(CUT_WITHIN_MS);
});

/**
 * Legacy sessions from a client's side: whose they are, what is lost when a connection, a server or the gateway goes,
 * and how a client that comes back gets what it missed. How long they live, and how many: `mcp/session.test.ts`.
 *
 * @see specification 2025-11-25, basic/transports ("Session Management", "Resumability and Redelivery")
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { HEADER } from "../../src/protocol.ts";
import { createBrowser } from "../support/browser.ts";
import { revokeAccessToken } from "../support/clients/client.ts";
import { createSdk1Client } from "../support/clients/sdk1.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type FixtureServer,
	fixtureCommand,
	startFixture,
	stdioFlags,
} from "../support/processes.ts";
import {
	type LegacySession,
	type OpenStream,
	openLegacySession,
	openStream,
	send,
} from "../support/wire.ts";

setDefaultTimeout(30_000);

let gateway: Gateway;
let legacyHttp: FixtureServer;
let key: string;
let otherKey: string;

beforeAll(async () => {
	[legacyHttp, gateway] = await Promise.all([
		startFixture("legacy"),
		startGateway(),
	]);
	await gateway.addServers({
		stdio: stdioFlags(fixtureCommand("legacy", "stdio")),
		http: ["--url", `${legacyHttp.url}/mcp`],
	});
	key = await gateway.apiKey("one");
	otherKey = await gateway.apiKey("two");
});

afterAll(async () => {
	await gateway?.stop();
	await legacyHttp?.stop();
});

function openSession(): Promise<LegacySession> {
	return openLegacySession(gateway.endpoint(), key);
}

/** Starts a call of half a second that says four times how far it is. */
function startSlow(session: LegacySession, ms = 500): Promise<OpenStream> {
	return session.open("tools/call", {
		name: "stdio_slow",
		arguments: { ms },
		_meta: { progressToken: 1 },
	});
}

/** Comes back to a stream as a client does. */
function comeBack(session: LegacySession, lastId: string): Promise<OpenStream> {
	return openStream(gateway.endpoint(), key, null, {
		...session.headers,
		[HEADER.lastEventId]: lastId,
		Accept: "text/event-stream",
		"Content-Type": null,
	});
}

async function rest(stream: OpenStream): Promise<readonly unknown[]> {
	const heard: unknown[] = [];
	for (;;) {
		const message = await stream.next();
		if (!message) return heard;
		heard.push(message.params?.["progress"] ?? message.error ?? message.result);
	}
}

test("a session goes on under a new token of the same user and client", async () => {
	const client = createSdk1Client(gateway.endpoint());
	await client.signIn(createBrowser(gateway.owner));
	const before = { id: client.sessionId(), ...client.credentials() };
	await revokeAccessToken(gateway.url, before);
	expect(await client.callTool("stdio_echo", { text: "on" })).toBe("on");
	expect(client.credentials().accessToken).not.toBe(before.accessToken);
	expect(client.sessionId()).toBe(before.id);
	await client.close();
});

test("another client of the same user has no such session, and none is 400, an unknown one 404, by every method", async () => {
	const session = await openSession();
	const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
	const status = async (
		method: string,
		token: string,
		id: string | null,
	): Promise<number> =>
		(
			await send(gateway.endpoint(), token, method === "POST" ? ping : null, {
				method,
				headers: { ...session.headers, [HEADER.sessionId]: id },
			})
		).status;
	for (const method of ["POST", "GET", "DELETE"]) {
		expect(await status(method, otherKey, session.id)).toBe(404);
		expect(await status(method, key, "never-given-out")).toBe(404);
		expect(await status(method, key, null)).toBe(400);
	}
	expect(await status("DELETE", key, session.id)).toBe(204);
	expect(await status("POST", key, session.id)).toBe(404);
});

test("a call whose connection is lost goes on, and its client comes back for the rest", async () => {
	const session = await openSession();
	const call = await startSlow(session);
	expect((await call.next())?.params?.["progress"]).toBe(1);
	const lastId = call.lastEventId();
	call.close();
	const heard = await rest(await comeBack(session, lastId));
	expect(heard.slice(0, -1)).toEqual([2, 3, 4]);
	expect(heard.at(-1)).toMatchObject({ content: [{ type: "text" }] });
});

test("an answer that was missed can be had again, but by nobody else", async () => {
	const session = await openSession();
	const call = await startSlow(session, 40);
	await call.next();
	const lastId = call.lastEventId();
	await rest(call);
	expect(await rest(await comeBack(session, lastId))).toHaveLength(4);
	const other = await openSession();
	const theirs = await rest(await comeBack(other, lastId));
	expect(theirs).toMatchObject([{ code: -32603 }]);
});

test("a list that changes while nobody is connected is told of to who comes back", async () => {
	const session = await openSession();
	const listening = await comeBack(session, "");
	await session.request("tools/call", { name: "stdio_change", arguments: {} });
	expect((await listening.next())?.method).toContain("list_changed");
	const lastId = listening.lastEventId();
	listening.close();
	await session.request("tools/call", { name: "http_change", arguments: {} });
	const again = await comeBack(session, lastId);
	expect((await again.next())?.method).toContain("list_changed");
	again.close();
});

test("after a restart the session is the same, the servers are begun anew, and a call that was lost says so", async () => {
	const session = await openSession();
	const call = await startSlow(session, 60_000);
	await call.next();
	const lastId = call.lastEventId();
	call.close();
	await gateway.restart();
	expect(await rest(await comeBack(session, lastId))).toMatchObject([
		{ code: -32603, message: expect.stringContaining("is lost") },
	]);
	for (const slug of ["stdio", "http"]) {
		const answer = await session.request("tools/call", {
			name: `${slug}_echo`,
			arguments: { text: "again" },
		});
		expect(answer.text).toContain("again");
	}
});

test("a server that forgets our session is begun anew once, unnoticed", async () => {
	const session = await openSession();
	const echo = { name: "http_echo", arguments: { text: "on" } };
	expect((await session.request("tools/call", echo)).text).toContain("on");
	const { port } = new URL(legacyHttp.url);
	await legacyHttp.stop();
	legacyHttp = await startFixture("legacy", Number(port));
	expect((await session.request("tools/call", echo)).text).toContain("on");
});

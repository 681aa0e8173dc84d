/**
 * `kill -9` of the executable in the middle of a call, and a start on the same data. What a client holds still works:
 * its access token, its refresh token, its legacy session. What the dead gateway had started is gone.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { revokeAccessToken } from "../support/clients/client.ts";
import { type Sdk2Client, signedIn } from "../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	descendantsOf,
	fixtureCommand,
	isAlive,
	stdioFlags,
} from "../support/processes.ts";
import { describeWith, executable } from "../support/tools.ts";
import { until } from "../support/until.ts";
import {
	type LegacySession,
	openLegacySession,
	openModern,
	sendModern,
} from "../support/wire.ts";

setDefaultTimeout(60_000);

/** A call that would last a minute, and says soon that it has begun. */
function slowCall(slug: string): Record<string, unknown> {
	return {
		name: `${slug}_slow`,
		arguments: { ms: 60_000 },
		_meta: { progressToken: slug },
	};
}

describeWith([executable()], "after kill -9 during a call", () => {
	let gateway: Gateway;
	let client: Sdk2Client;
	let session: LegacySession;
	let token: string;
	let children: readonly number[];

	beforeAll(async () => {
		gateway = await startGateway({ compiled: true });
		await gateway.addServers({
			modern: stdioFlags(fixtureCommand("modern", "stdio")),
			legacy: stdioFlags(fixtureCommand("legacy", "stdio")),
			stubborn: stdioFlags(fixtureCommand("hostile", "stdio", "stubborn")),
		});
		client = await signedIn(gateway.endpoint(), gateway.owner);
		token = client.credentials().accessToken;
		session = await openLegacySession(gateway.endpoint(), token);
		expect((await session.request("tools/list")).status).toBe(200);

		const underWay = await Promise.all([
			openModern(gateway.endpoint(), token, "tools/call", slowCall("modern")),
			session.open("tools/call", slowCall("legacy")),
		]);
		for (const call of underWay)
			expect((await call.next())?.method).toBe("notifications/progress");
		children = descendantsOf(gateway.pid() ?? 0);
		await gateway.kill();
		for (const call of underWay) expect(await call.next()).toBeNull();
		await gateway.restart();
	}, 120_000);

	afterAll(async () => {
		await client?.close();
		await gateway?.stop();
	});

	test("there were children to lose, one of them stubborn", () => {
		expect(children.length).toBeGreaterThanOrEqual(3);
	});

	test("the same access token works", async () => {
		const answer = await sendModern(gateway.endpoint(), token, "tools/call", {
			name: "modern_echo",
			arguments: { text: "back" },
		});
		expect(answer.status).toBe(200);
		expect(answer.text).toContain("back");
	});

	test("the same legacy session id works", async () => {
		const again = await openLegacySession(
			gateway.endpoint(),
			token,
			session.id,
		);
		const answer = await again.request("tools/call", {
			name: "legacy_echo",
			arguments: { text: "same session" },
		});
		expect(answer.status).toBe(200);
		expect(answer.text).toContain("same session");
	});

	test("a session id that was never given out is 404 (2025-11-25, Session Management)", async () => {
		const unknown = await openLegacySession(
			gateway.endpoint(),
			token,
			"never-given-out",
		);
		expect((await unknown.request("tools/list")).status).toBe(404);
	});

	test("no child of the dead gateway survives", async () => {
		await until("the old children are gone", () =>
			children.every((pid) => !isAlive(pid)),
		);
	});

	test("the client refreshes and goes on", async () => {
		const before = client.credentials();
		await revokeAccessToken(gateway.url, before);
		expect(await client.callTool("modern_echo", { text: "on" })).toBe("on");
		expect(client.credentials().refreshToken).not.toBe(before.refreshToken);
	});

	test("a gateway that is stopped leaves no child either", async () => {
		await client.callTool("legacy_echo", { text: "awake" });
		await client.listTools();
		const mine = descendantsOf(gateway.pid() ?? 0);
		expect(mine.length).toBeGreaterThan(0);
		await gateway.restart();
		expect(mine.filter(isAlive)).toEqual([]);
	});
});

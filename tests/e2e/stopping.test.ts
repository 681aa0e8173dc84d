/**
 * TERM, as systemd sends it: what was begun is finished, what would never end by itself is ended, nothing new is taken,
 * and then the executable is gone with all its children.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
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
import { openModern } from "../support/wire.ts";

setDefaultTimeout(60_000);

describeWith([executable()], "told to stop in the middle of a call", () => {
	const CALL_MS = 3000;
	let gateway: Gateway;
	let client: Sdk2Client;

	beforeAll(async () => {
		gateway = await startGateway({ compiled: true });
		await gateway.cli([
			...["servers", "add", "modern"],
			...stdioFlags(fixtureCommand("modern", "stdio")),
		]);
		client = await signedIn(gateway.endpoint(), gateway.owner);
	}, 120_000);
	afterAll(async () => {
		await client?.close();
		await gateway?.stop();
	});

	test("it answers the call, takes no other, ends its streams, and leaves no child", async () => {
		const token = client.credentials().accessToken;
		const listening = await openModern(
			gateway.endpoint(),
			token,
			"subscriptions/listen",
			{ notifications: { toolsListChanged: true } },
		);
		expect((await listening.next())?.method).toContain("acknowledged");
		const call = await openModern(gateway.endpoint(), token, "tools/call", {
			name: "modern_slow",
			arguments: { ms: CALL_MS },
			_meta: { progressToken: 1 },
		});
		expect((await call.next())?.method).toBe("notifications/progress");

		const pid = gateway.pid() ?? 0;
		const children = descendantsOf(pid);
		expect(children.length).toBeGreaterThan(0);
		process.kill(pid, "SIGTERM");
		await until("it takes no new request", async () => {
			const answer = await fetch(`${gateway.url}/readyz`, {
				headers: { connection: "close" },
			}).catch(() => null);
			return answer === null || answer.status === 503;
		});
		expect(isAlive(pid)).toBe(true);

		let last = await call.next();
		while (last?.method !== undefined) last = await call.next();
		expect(JSON.stringify(last?.result)).toContain("done");
		// The graceful close of a subscription is a response, or simply the end of its stream.
		let end = await listening.next();
		while (end !== null) end = await listening.next();
		await until("it is gone", () => !isAlive(pid));
		expect(children.filter(isAlive)).toEqual([]);
		expect(gateway.logs()).toContain('"event":"stopping","reason":"SIGTERM"');
	});
});

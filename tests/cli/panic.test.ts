/** The red button and its release, of a gateway that runs, with clients that are signed in. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { signedIn } from "../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	descendantsOf,
	fixtureCommand,
	stdioFlags,
} from "../support/processes.ts";
import { sendModern } from "../support/wire.ts";

setDefaultTimeout(60_000);

let gateway: Gateway;
beforeAll(async () => {
	gateway = await startGateway();
	await gateway.addServers({
		env: stdioFlags(fixtureCommand("env")),
	});
});
afterAll(() => gateway?.stop());

function status(path: string, init?: RequestInit): Promise<number> {
	return fetch(gateway.url + path, { redirect: "manual", ...init }).then(
		(response) => response.status,
	);
}

test("after panic nothing that a client holds is worth anything, nothing runs, and a restart changes nothing; resume ends it", async () => {
	const client = await signedIn(gateway.endpoint(), gateway.owner);
	const { accessToken } = client.credentials();
	const key = await gateway.apiKey("script");
	const tools = (token: string) =>
		sendModern(gateway.endpoint(), token, "tools/list").then(
			(answer) => answer.status,
		);
	const servers = (token: string) =>
		status("/api/mcp/servers", {
			headers: { Authorization: `Bearer ${token}` },
		});
	expect([await tools(accessToken), await tools(key)]).toEqual([200, 200]);
	await gateway.cli(["tools", "call", "env_environment"]);
	const children = descendantsOf(process.pid).length;
	expect(children).toBeGreaterThan(0);

	const unasked = await gateway.tryCli(["panic"]);
	expect([unasked.code, await tools(key)]).toEqual([2, 200]);
	const said = await gateway.cli(["panic", "--yes"]);
	expect(said).toBe(
		"stopped: 1 grant ended, 1 server stopped, every client and API key refused\n",
	);
	const refused = async () => [
		await tools(accessToken),
		await tools(key),
		await servers(key),
		await status("/authorize?client_id=x"),
		await status("/token", { method: "POST" }),
		await status("/register", { method: "POST" }),
	];
	expect(await refused()).toEqual([503, 503, 503, 503, 503, 503]);
	expect(await status("/login")).toBe(200);
	expect(descendantsOf(process.pid)).toEqual([]);
	// Not even from the gateway's own machine does anything run.
	const call = await gateway.tryCli(["tools", "call", "env_environment"]);
	expect(call.code).toBe(6);
	expect(call.stderr).toContain("sallyport resume");
	const doctor = await gateway.tryCli(["doctor"]);
	expect(doctor.code).toBe(8);
	expect(doctor.stdout).toContain("every client is refused");

	await gateway.pause();
	await gateway.restart();
	expect(await refused()).toEqual([503, 503, 503, 503, 503, 503]);

	await gateway.cli(["resume"]);
	expect([await tools(accessToken), await tools(key)]).toEqual([401, 200]);
	expect(await servers(key)).toBe(200);
	await gateway.cli(["tools", "call", "env_environment"]);
	await client.close();
	const again = await signedIn(gateway.endpoint(), gateway.owner);
	expect(await tools(again.credentials().accessToken)).toBe(200);
	await again.close();
	expect(await gateway.cli(["audit", "list"])).toMatch(
		/gateway\.panic.*grant\.revoke.*gateway\.resume/s,
	);
});

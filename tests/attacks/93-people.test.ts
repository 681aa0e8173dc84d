/** G. One person with what belongs to another (research/oauth.md 5, 93, 95). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { sha256 } from "../fixtures/repertoire.ts";
import type { Person } from "../support/browser.ts";
import { createCanaries } from "../support/canaries.ts";
import { fixtureCommand } from "../support/processes.ts";
import { openLegacySession, sendModern } from "../support/wire.ts";
import { openTarget, type Target } from "./target.ts";

setDefaultTimeout(60_000);

const canaries = createCanaries();
const secrets = { one: canaries.make("one"), other: canaries.make("other") };
let target: Target;
let one: Person;
let other: Person;
const keys = { one: "", other: "" };

beforeAll(async () => {
	target = await openTarget();
	one = await target.gateway.addUser("one@example.org");
	other = await target.gateway.addUser("other@example.org");
	const [command, ...args] = fixtureCommand("env");
	await target.gateway.cli([
		...["servers", "add", "env", "--command", command],
		...["--slot", "service=env:SERVICE_TOKEN,personal", "--", ...args],
	]);
	for (const [name, person] of [
		["one", one],
		["other", other],
	] as const) {
		await target.gateway.cli(
			["secrets", "set", "env", "service", "--user", person.email],
			secrets[name],
		);
		keys[name] = /sp_ak_\S+/.exec(
			await target.gateway.cli([
				"keys",
				"create",
				name,
				"--user",
				person.email,
			]),
		)?.[0] as string;
	}
});
afterAll(() => target?.stop());

function environment(name: "one" | "other"): Promise<string> {
	return sendModern(`${target.issuer}/mcp`, keys[name], "tools/call", {
		name: "env_environment",
		arguments: {},
	}).then(({ text }) => text);
}

test("93: a session of another person is no session", async () => {
	const endpoint = `${target.issuer}/mcp`;
	const mine = await openLegacySession(endpoint, keys.one);
	expect((await mine.request("ping")).status).toBe(200);
	const stolen = await openLegacySession(endpoint, keys.other, mine.id);
	for (const method of ["ping", "tools/list", "tools/call"])
		expect((await stolen.request(method)).status, method).toBe(404);
	for (const method of ["GET", "DELETE"]) {
		const answer = await target.send("/mcp", {
			method,
			headers: {
				...mine.headers,
				Accept: "text/event-stream",
				Authorization: `Bearer ${keys.other}`,
			},
		});
		await answer.body?.cancel();
		expect(answer.status, method).toBe(404);
	}
	expect((await mine.request("ping")).status).toBe(200);
});

test("93: an API key acts for its own person, whoever the request names", async () => {
	for (const [path, init] of [
		["/api/secrets?username=one@example.org", {}],
		[
			"/api/mcp/tool/call",
			{
				method: "POST",
				body: JSON.stringify({
					serverName: "env",
					toolName: "environment",
					username: one.email,
					arguments: {},
				}),
			},
		],
	] as const) {
		const answer = await target.send(path, {
			...init,
			headers: {
				Authorization: `Bearer ${keys.other}`,
				"Content-Type": "application/json",
			},
		});
		const text = await answer.text();
		expect(text, path).not.toContain(sha256(secrets.one));
		expect(text, path).not.toContain(secrets.one);
	}
});

test("95: a server's process has its caller's secret and nobody else's, in environment and arguments", async () => {
	const [mine, theirs] = await Promise.all([
		environment("one"),
		environment("other"),
	]);
	expect(mine).toContain(sha256(secrets.one));
	expect(mine).not.toContain(sha256(secrets.other));
	expect(theirs).toContain(sha256(secrets.other));
	expect(theirs).not.toContain(sha256(secrets.one));

	const holders = (file: "environ" | "cmdline", secret: string): number =>
		readdirSync("/proc")
			.filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
			.filter((pid) => readProcess(pid, file).includes(secret)).length;
	for (const secret of Object.values(secrets)) {
		expect(holders("environ", secret)).toBe(1);
		expect(holders("cmdline", secret)).toBe(0);
	}
});

/** What the kernel tells of a process; nothing of one that has just ended. */
function readProcess(pid: string, file: string): string {
	try {
		return readFileSync(`/proc/${pid}/${file}`, "latin1");
	} catch {
		return "";
	}
}

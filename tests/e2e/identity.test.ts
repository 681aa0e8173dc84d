/**
 * Whose secret reaches whose call. Two people use one stdio server and one HTTP server with personal slots; the
 * fixtures tell the names of what reached them and a hash of each value, so that no secret has to travel back.
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { sha256 } from "../fixtures/repertoire.ts";
import type { Person } from "../support/browser.ts";
import { createCanaries } from "../support/canaries.ts";
import { type Sdk2Client, signedIn } from "../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type FixtureServer,
	fixtureCommand,
	startFixture,
} from "../support/processes.ts";
import { openLegacySession, sendModern } from "../support/wire.ts";

setDefaultTimeout(60_000);

type Surroundings = {
	readonly pid: number;
	readonly variables: Readonly<Record<string, string>>;
	readonly argv: readonly string[];
};

const canaries = createCanaries();
const shared = canaries.make("shared");
const parentSecret = canaries.make("parent");
const secrets = {
	owner: canaries.make("owner"),
	member: canaries.make("member"),
};

let gateway: Gateway;
let http: FixtureServer;
let member: Person;
let stranger: Person;
const clients: Record<string, Sdk2Client> = {};

beforeAll(async () => {
	// A variable of the gateway's own process: no child may have it.
	process.env["SALLYPORT_TEST_PARENT"] = parentSecret;
	[http, gateway] = await Promise.all([startFixture("legacy"), startGateway()]);
	member = await gateway.addUser("member@example.org");
	stranger = await gateway.addUser("stranger@example.org");
	const [command, ...args] = fixtureCommand("env");
	await gateway.cli([
		...["servers", "add", "env", "--command", command],
		...["--env", "PLAIN_SETTING=visible"],
		...[
			"--slot",
			"service=env:SERVICE_TOKEN,personal",
			"--slot",
			"region=env:REGION_TOKEN,shared",
		],
		...["--", ...args],
	]);
	await gateway.cli([
		...["servers", "add", "http", "--url", `${http.url}/mcp`],
		...[
			"--slot",
			"service=header:X-Service-Key,personal",
			"--slot",
			"org=header:X-Org-Key,shared,optional",
		],
	]);
	await gateway.cli(["secrets", "set", "env", "region"], shared);
	for (const slug of ["env", "http"])
		for (const [person, secret] of [
			[gateway.owner, secrets.owner],
			[member, secrets.member],
		] as const)
			await gateway.cli(
				["secrets", "set", slug, "service", "--user", person.email],
				secret,
			);
	for (const [name, person] of Object.entries({
		owner: gateway.owner,
		member,
		stranger,
	}))
		clients[name] = await signedIn(gateway.endpoint(), person);
}, 120_000);

afterAll(async () => {
	for (const client of Object.values(clients)) await client.close();
	await gateway?.stop();
	await http?.stop();
	delete process.env["SALLYPORT_TEST_PARENT"];
});

async function surroundings(name: string): Promise<Surroundings> {
	return JSON.parse(
		(await clients[name]?.callTool("env_environment")) ?? "",
	) as Surroundings;
}

async function headers(
	name: string,
): Promise<Readonly<Record<string, string>>> {
	return JSON.parse(
		(await clients[name]?.callTool("http_headers")) ?? "",
	) as Record<string, string>;
}

describe("a stdio server", () => {
	test("gives each person's call that person's secret only, in a process of its own", async () => {
		const [owner, other] = await Promise.all([
			surroundings("owner"),
			surroundings("member"),
		]);
		expect(owner.variables["SERVICE_TOKEN"]).toBe(sha256(secrets.owner));
		expect(other.variables["SERVICE_TOKEN"]).toBe(sha256(secrets.member));
		expect(owner.pid).not.toBe(other.pid);
	});

	test("keeps the process of a person for that person's next call", async () => {
		expect((await surroundings("owner")).pid).toBe(
			(await surroundings("owner")).pid,
		);
	});

	test("is started anew by a restart, for everyone, and says how much was ended", async () => {
		const before = [await surroundings("owner"), await surroundings("member")];
		const said = JSON.parse(
			await gateway.cli(["servers", "restart", "env", "--json"]),
		) as { readonly stopped: number };
		expect(said.stopped).toBeGreaterThanOrEqual(2);
		for (const { pid } of before)
			expect(() => process.kill(pid, 0)).toThrow("ESRCH");
		const after = [await surroundings("owner"), await surroundings("member")];
		for (const [index, { pid, variables }] of after.entries()) {
			expect(pid).not.toBe(before[index]?.pid as number);
			expect(variables).toEqual(before[index]?.variables ?? {});
		}
		expect(await gateway.cli(["servers", "restart", "env"])).toBe(
			"env ended: its next call starts it anew\n",
		);
	});

	test("gives everyone the shared secret and the plain settings", async () => {
		for (const name of ["owner", "member"]) {
			const { variables } = await surroundings(name);
			expect(variables["REGION_TOKEN"]).toBe(sha256(shared));
			expect(variables["PLAIN_SETTING"]).toBe(sha256("visible"));
		}
	});

	test("has an environment without anything of the gateway's", async () => {
		const { variables, argv } = await surroundings("owner");
		expect(Object.keys(variables)).not.toContain("SALLYPORT_TEST_PARENT");
		expect(Object.values(variables)).not.toContain(sha256(parentSecret));
		expect(
			Object.keys(variables).filter((name) => name.startsWith("SALLYPORT")),
		).toEqual([]);
		expect(argv.join(" ")).not.toContain(secrets.owner);
	});

	test("answers a person without a secret with what to do, and never with another's", async () => {
		const result = await clients["stranger"]?.sdk().callTool({
			name: "env_environment",
			arguments: {},
		});
		expect(result).toMatchObject({ isError: true });
		expect(JSON.stringify(result)).toContain("service");
		for (const secret of Object.values(secrets))
			expect(JSON.stringify(result)).not.toContain(sha256(secret));
	});

	test("uses a changed secret at the next call", async () => {
		const changed = canaries.make("changed");
		await gateway.cli(
			["secrets", "set", "env", "service", "--user", member.email],
			changed,
		);
		expect((await surroundings("member")).variables["SERVICE_TOKEN"]).toBe(
			sha256(changed),
		);
		expect((await surroundings("owner")).variables["SERVICE_TOKEN"]).toBe(
			sha256(secrets.owner),
		);
	});

	test("forgets a cleared secret at the next call", async () => {
		await gateway.cli([
			"secrets",
			"clear",
			"env",
			"service",
			"--user",
			member.email,
			"--yes",
		]);
		const result = await clients["member"]?.sdk().callTool({
			name: "env_environment",
			arguments: {},
		});
		expect(result).toMatchObject({ isError: true });
	});
});

describe("an HTTP server", () => {
	test("gets each person's own secret in the header, and never the person's token for us", async () => {
		const [owner, other] = await Promise.all([
			headers("owner"),
			headers("member"),
		]);
		expect(owner["x-service-key"]).toBe(sha256(secrets.owner));
		expect(other["x-service-key"]).toBe(sha256(secrets.member));
		for (const sent of [owner, other]) {
			// 2026-07-28, basic/authorization: a client's token must not be passed through.
			expect(Object.keys(sent)).not.toContain("authorization");
			expect(Object.keys(sent)).not.toContain("cookie");
		}
	});

	test("gets an optional secret only once there is one", async () => {
		expect(Object.keys(await headers("owner"))).not.toContain("x-org-key");
		await gateway.cli(["secrets", "set", "http", "org"], shared);
		expect((await headers("owner"))["x-org-key"]).toBe(sha256(shared));
	});
});

describe("who somebody is comes from the credential alone", () => {
	test("an API key serves a program without a browser, as the user it belongs to", async () => {
		const printed = await gateway.cli([
			"keys",
			"create",
			"ci",
			"--user",
			gateway.owner.email,
		]);
		const key = /sp_ak_\S+/.exec(printed)?.[0] ?? "";
		const answer = await sendModern(gateway.endpoint(), key, "tools/call", {
			name: "env_environment",
			arguments: {},
		});
		expect(answer.text).toContain(sha256(secrets.owner));
	});

	test("a session id of somebody else's is no session (2025-11-25, Session Management)", async () => {
		const token = (name: string): string =>
			clients[name]?.credentials().accessToken ?? "";
		const session = await openLegacySession(gateway.endpoint(), token("owner"));
		expect((await session.request("ping")).status).toBe(200);
		const stolen = await openLegacySession(
			gateway.endpoint(),
			token("member"),
			session.id,
		);
		expect((await stolen.request("ping")).status).toBe(404);
	});

	test("a server that is not for everyone is unknown to the others", async () => {
		const [command, ...args] = fixtureCommand("env");
		await gateway.cli([
			...["servers", "add", "private", "--command", command],
			...["--access", member.email, "--", ...args],
		]);
		expect(await clients["member"]?.listTools()).toContain(
			"private_environment",
		);
		expect(await clients["stranger"]?.listTools()).not.toContain(
			"private_environment",
		);
		const call = clients["stranger"]
			?.sdk()
			.callTool({ name: "private_environment", arguments: {} });
		await expect(call).rejects.toMatchObject({ code: -32602 });
	});
});

/** F and G. What a server behind the gateway, or its address, can make the gateway do (research/oauth.md 5, 83, 85, 87, 94). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mintCredential } from "../../src/mint.ts";
import { createCanaries } from "../support/canaries.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { sendModern } from "../support/wire.ts";
import { IS_EXECUTABLE, openTarget, type Target } from "./target.ts";

setDefaultTimeout(60_000);

type Caught = { readonly path: string; readonly authorization: string | null };

let target: Target;
let strict: Gateway;
let key: string;
let caught: Caught[] = [];
let answer: (request: Request) => Response = () => new Response("caught");
let trap: ReturnType<typeof Bun.serve>;
let elsewhere: ReturnType<typeof Bun.serve>;
let strayed: string[] = [];

beforeAll(async () => {
	target = await openTarget();
	// Loopback is allowed above, because that is where the fixtures are; here nothing is.
	strict = await startGateway({ compiled: IS_EXECUTABLE, allowPrivate: [] });
	key = /sp_ak_\S+/.exec(
		await target.gateway.cli([
			...["keys", "create", "attack", "--user", target.gateway.owner.email],
		]),
	)?.[0] as string;
	trap = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		fetch: (request) => {
			caught.push({
				path: new URL(request.url).pathname,
				authorization: request.headers.get("authorization"),
			});
			return answer(request);
		},
	});
	elsewhere = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		fetch: (request) => {
			strayed.push(request.url);
			return new Response("strayed");
		},
	});
});
afterAll(async () => {
	await Promise.all([trap?.stop(true), elsewhere?.stop(true)]);
	await Promise.all([target?.stop(), strict?.stop()]);
});

let count = 0;

/** Adds a server by its URL and calls a tool of it. @returns all that anybody was told */
async function tryServer(
	gateway: Gateway,
	url: string,
	flags: readonly string[] = [],
): Promise<string> {
	const slug = `t${++count}`;
	const added = await gateway.tryCli([
		"servers",
		"add",
		slug,
		"--url",
		url,
		...flags,
	]);
	return added.stdout + added.stderr;
}

test("83: an address of a private network, of this machine or of no network at all", async () => {
	caught = [];
	const { port } = trap;
	for (const url of [
		`http://127.0.0.1:${port}/mcp`,
		`http://localhost:${port}/mcp`,
		`http://[::1]:${port}/mcp`,
		`http://[::ffff:127.0.0.1]:${port}/mcp`,
		`http://2130706433:${port}/mcp`,
		`http://0x7f.1:${port}/mcp`,
		`http://0.0.0.0:${port}/mcp`,
		"http://169.254.169.254/latest/meta-data",
		"http://10.0.0.1/mcp",
		"http://192.168.1.1/mcp",
		"http://100.100.100.200/mcp",
		"http://[fd00:ec2::254]/mcp",
		"http://127.0.0.1:22/mcp",
		"http://127.0.0.1:25/mcp",
		"http://127.0.0.1:6379/mcp",
	])
		expect(await tryServer(strict, url), url).toMatch(
			/private network|may not be called/,
		);
	for (const url of [
		"file:///etc/passwd",
		"data:text/plain,x",
		"s3://bucket/key",
		"unix:/run/sallyport/admin.sock",
		"gopher://127.0.0.1:6379/_x",
		"ftp://example.com/",
		`http://user:password@127.0.0.1:${port}/mcp`,
		"//127.0.0.1/mcp",
		"",
	])
		expect(await tryServer(strict, url), url).toContain("sallyport: error:");
	expect(caught).toEqual([]);
});

test("83: link-local and metadata addresses stay closed when everything private is allowed", async () => {
	const open = await startGateway({
		compiled: IS_EXECUTABLE,
		allowPrivate: ["0.0.0.0/0", "::/0"],
	});
	try {
		for (const url of [
			"http://169.254.169.254/latest/meta-data",
			"http://100.100.100.200/mcp",
			"http://[fe80::1]/mcp",
		])
			expect(await tryServer(open, url), url).toMatch(/may not be called/);
	} finally {
		await open.stop();
	}
});

test("85: a redirect is not followed, and no secret goes where it points", async () => {
	const secret = createCanaries().make("server");
	answer = () =>
		new Response(null, {
			status: 307,
			headers: { Location: `http://127.0.0.1:${elsewhere.port}/mcp` },
		});
	caught = [];
	strayed = [];
	await target.gateway.cli([
		...["servers", "add", "away", "--url", `http://127.0.0.1:${trap.port}/mcp`],
		...["--slot", "token=header:Authorization,shared"],
	]);
	await target.gateway.cli(
		["secrets", "set", "away", "token"],
		`Bearer ${secret}`,
	);
	const called = await sendModern(`${target.issuer}/mcp`, key, "tools/call", {
		name: "away_anything",
		arguments: {},
	});
	expect(called.last?.result).toMatchObject({ isError: true });
	expect(called.text).not.toContain(secret);
	expect(caught.map(({ authorization }) => authorization)).toContain(
		`Bearer ${secret}`,
	);
	expect(strayed).toEqual([]);
	await target.gateway.cli(["servers", "remove", "away", "--yes"]);
});

test("87: the gateway is not a server of its own", async () => {
	for (const url of [
		`${target.issuer}/mcp`,
		`${target.issuer}/mcp/a`,
		`${target.issuer.toUpperCase().replace("HTTP", "http")}/mcp`,
	])
		expect(await tryServer(target.gateway, url), url).toContain("call itself");
});

test("94: a token of somebody else's is none here", async () => {
	for (const token of [
		"gho_16C7e42F292c6912E7710c838347Ae178B4a",
		"eyJhbGciOiJub25lIn0.eyJzdWIiOiJvd25lciJ9.",
		"xoxb-1-1-abc",
	])
		expect(await target.use(token), token).toBe(401);
});

test("94: a credential of ours leaves for no server, whatever it is given as", async () => {
	answer = () => new Response("caught", { status: 404 });
	caught = [];
	for (const credential of [
		key,
		mintCredential("access"),
		mintCredential("refresh"),
	]) {
		const slug = `leak${++count}`;
		await target.gateway.cli([
			...[
				"servers",
				"add",
				slug,
				"--url",
				`http://127.0.0.1:${trap.port}/${slug}`,
			],
			...["--slot", "token=header:Authorization,shared"],
		]);
		await target.gateway.tryCli(
			["secrets", "set", slug, "token"],
			`Bearer ${credential}`,
		);
		const called = await sendModern(`${target.issuer}/mcp`, key, "tools/call", {
			name: `${slug}_anything`,
			arguments: {},
		});
		expect(called.last?.result).toMatchObject({ isError: true });
		expect(called.text).not.toContain(credential);
		await target.gateway.cli(["servers", "remove", slug, "--yes"]);
	}
	expect(
		caught.filter(({ authorization }) => authorization?.includes("sp_")),
	).toEqual([]);
});

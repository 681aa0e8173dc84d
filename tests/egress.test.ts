import { afterAll, beforeAll, expect, test } from "bun:test";
import { createEgress } from "../src/egress.ts";
import type { SallyportError } from "../src/errors.ts";
import { mintCredential } from "../src/mint.ts";

const ports = new Set<number>();
let origin = "";
let stop = (): void => {};

beforeAll(() => {
	const server = Bun.serve({
		hostname: "127.0.0.1",
		port: 0,
		idleTimeout: 0,
		fetch: async (request, listener) => {
			ports.add(listener.requestIP(request)?.port ?? 0);
			const { pathname } = new URL(request.url);
			if (pathname === "/hang") await new Promise(() => {});
			if (pathname === "/away")
				return new Response(null, {
					status: 302,
					headers: { location: "http://127.0.0.1/private" },
				});
			return Response.json({
				host: request.headers.get("host"),
				body: await request.text(),
			});
		},
	});
	origin = `127.0.0.1:${server.port}`;
	stop = () => void server.stop(true);
});
afterAll(() => stop());

function port(): string {
	return origin.split(":")[1] as string;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
	try {
		await work;
	} catch (error) {
		return (error as SallyportError).code;
	}
	return "answered";
}

const local = createEgress({ allowPrivate: ["127.0.0.0/8", "::1/128"] });

for (const address of [
	"127.0.0.1",
	"10.1.2.3",
	"172.16.0.1",
	"192.168.1.1",
	"100.64.0.1",
	"169.254.169.254",
	"0.0.0.0",
	"192.0.2.1",
	"198.18.0.1",
	"224.0.0.1",
	"255.255.255.255",
	"::",
	"::1",
	"fe80::1",
	"fd12:3456::1",
	"fec0::1",
	"ff02::1",
	"::ffff:127.0.0.1",
	"::127.0.0.1",
	"64:ff9b::7f00:1",
	"64:ff9b:1::1",
	"2002:7f00:1::",
	"2001:0:4136:e378:8000:63bf:3fff:fdd2",
	"2001:db8::1",
	"not an address",
	"fe80::1%eth0",
])
	test(`RFC 6890: ${address} is not public and is not called`, async () => {
		const egress = createEgress({
			allowPrivate: [],
			lookup: async () => [address],
		});
		expect(
			await codeOf(egress.fetch("http://name.test/", { timeoutMs: 500 })),
		).toBe("forbidden");
	});

for (const [url, code] of [
	["http://0x7f000001/", "forbidden"],
	["http://2130706433/", "forbidden"],
	["http://127.1/", "forbidden"],
	["http://[::ffff:7f00:1]/", "forbidden"],
	["ftp://example.com/", "invalid"],
	["file:///etc/passwd", "invalid"],
	["http://user:pass@example.com/", "invalid"],
	["nonsense", "invalid"],
] as const)
	test(`${url} is refused as ${code}`, async () => {
		const egress = createEgress({ allowPrivate: [] });
		expect(await codeOf(egress.fetch(url, { timeoutMs: 500 }))).toBe(code);
	});

test("a private network that is allowed is called, and link-local and metadata still are not", async () => {
	const lookup = async (host: string): Promise<readonly string[]> => [
		host === "good.test" ? "127.0.0.1" : host.replace(".test", ""),
	];
	const egress = createEgress({
		allowPrivate: ["0.0.0.0/0", "::/0"],
		lookup,
	});
	const response = await egress.fetch(`http://good.test:${port()}/x`, {
		timeoutMs: 2000,
	});
	expect(await response.json()).toEqual({
		host: `good.test:${port()}`,
		body: "",
	});
	for (const never of [
		"169.254.169.254",
		"fe80::1",
		"fd00:ec2::254",
		"100.100.100.200",
		"64:ff9b::a9fe:a9fe",
	])
		expect(
			await codeOf(
				egress.fetch(`http://[${never}]/`.replace(/\[([\d.]+)\]/, "$1"), {
					timeoutMs: 500,
				}),
			),
		).toBe("forbidden");
});

// 77
test("a name with public and private addresses is called at none of them", async () => {
	for (const found of [
		["127.0.0.1", "44.0.0.1"],
		["44.0.0.1", "10.0.0.1"],
		["2600::1", "fd00::1"],
	]) {
		const egress = createEgress({
			allowPrivate: [],
			lookup: async () => found,
		});
		expect(
			await codeOf(egress.fetch("http://mixed.test/", { timeoutMs: 500 })),
		).toBe("forbidden");
	}
	// A network that was allowed is no secret: of `localhost` the allowed address is taken.
	const egress = createEgress({
		allowPrivate: ["127.0.0.0/8"],
		lookup: async () => ["::1", "127.0.0.1"],
	});
	const response = await egress.fetch(`http://here.test:${port()}/`, {
		timeoutMs: 2000,
	});
	expect(response.status).toBe(200);
});

test("a name is resolved once for many calls, and they share one connection", async () => {
	let lookups = 0;
	const egress = createEgress({
		allowPrivate: ["127.0.0.0/8"],
		lookup: async () => {
			lookups++;
			return ["127.0.0.1"];
		},
	});
	ports.clear();
	for (let call = 0; call < 5; call++)
		await (
			await egress.fetch(`http://often.test:${port()}/`, { timeoutMs: 2000 })
		).text();
	expect(lookups).toBe(1);
	expect(ports.size).toBe(1);
});

test("an address that refuses the connection gives way to another of the same name", async () => {
	const egress = createEgress({
		allowPrivate: ["127.0.0.0/8", "::1/128"],
		lookup: async () => ["127.0.0.9", "::1", "127.0.0.1"],
	});
	const response = await egress.fetch(`http://many.test:${port()}/`, {
		method: "POST",
		body: "once",
		timeoutMs: 2000,
	});
	expect(await response.json()).toMatchObject({ body: "once" });
});

test("a redirect is handed back, not followed", async () => {
	const response = await local.fetch(`http://${origin}/away`, {
		timeoutMs: 2000,
	});
	expect(response.status).toBe(302);
});

test("a credential of ours in a header or the URL stops the request", async () => {
	const token = mintCredential("access");
	const init = { timeoutMs: 2000 };
	expect(
		await codeOf(
			local.fetch(`http://${origin}/`, {
				...init,
				headers: { authorization: `Bearer ${token}` },
			}),
		),
	).toBe("forbidden");
	expect(
		await codeOf(local.fetch(`http://${origin}/?key=${token}`, init)),
	).toBe("forbidden");
});

test("our own origin is not called", async () => {
	const egress = createEgress({
		allowPrivate: ["127.0.0.0/8"],
		ownOrigins: [`http://${origin}`],
	});
	expect(
		await codeOf(egress.fetch(`http://${origin}/mcp`, { timeoutMs: 500 })),
	).toBe("forbidden");
});

test("no headers in time, nobody there, an unknown name and a cancelled call each say so", async () => {
	const message = async (work: Promise<unknown>): Promise<string> =>
		work.then(
			() => "answered",
			(error: Error) => error.message,
		);
	expect(
		await message(local.fetch(`http://${origin}/hang`, { timeoutMs: 50 })),
	).toBe("did not answer within 1 s");
	expect(
		await message(local.fetch("http://127.0.0.1:1/", { timeoutMs: 1000 })),
	).toBe("cannot be reached: the connection was refused");
	const nameless = createEgress({
		allowPrivate: [],
		lookup: async () => {
			throw new Error("getaddrinfo ENOTFOUND");
		},
	});
	expect(
		await message(nameless.fetch("http://gone.test/", { timeoutMs: 1000 })),
	).toBe("cannot be reached: its name cannot be resolved");
	const abort = new AbortController();
	const cancelled = message(
		local.fetch(`http://${origin}/hang`, {
			timeoutMs: 5000,
			signal: abort.signal,
		}),
	);
	abort.abort();
	expect(await cancelled).toBe("the request was cancelled");
});

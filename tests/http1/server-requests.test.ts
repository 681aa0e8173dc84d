/** Requests that are well-formed, in every form that HTTP/1.1 knows, and what a handler sees of them. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Handler } from "../../src/tls/listeners.ts";
import { until } from "../support/until.ts";
import {
	facing,
	get,
	leaveAll,
	pathOf,
	post,
	postChunks,
	told,
} from "./facing.ts";
import { readAnswers } from "./raw-answer.ts";

afterEach(leaveAll);
setDefaultTimeout(20_000);

describe("a request is understood:", () => {
	for (const [name, line, url] of [
		["a path", "GET /a/b", "/a/b"],
		["a path and a query", "GET /a?b=c&d=%20e", "/a?b=c&d=%20e"],
		["the root", "GET /", "/"],
		[
			"two slashes first, which name no host",
			"GET //evil.test/a",
			"//evil.test/a",
		],
		["an at sign, which names no user", "GET /@evil.test/a", "/@evil.test/a"],
		[
			"a query that holds an address",
			"GET /?http://evil.test/",
			"/?http://evil.test/",
		],
		["a proxy's form", "GET http://gate.test/a?b", "/a?b"],
		["a proxy's form in capitals", "GET HTTP://GATE.TEST/a", "/a"],
		["a proxy's form without a path", "GET http://gate.test", "/"],
		["a proxy's form with a query alone", "GET http://gate.test?a", "/?a"],
		["another method", "PATCH /a", "/a"],
	] as const)
		test(name, async () => {
			const server = facing(told);
			const client = await server.dial();
			client.send(`${line} HTTP/1.1\r\nHost: gate.test\r\n\r\n`);
			const [method] = line.split(" ");
			expect((await client.answer()).body).toBe(
				`${method} http://gate.test${url} `,
			);
		});

	for (const host of [
		"gate.test",
		"GATE.test",
		"gate.test:8080",
		"127.0.0.1:1",
		"[::1]",
		"[::1]:65535",
		"xn--gte-5qa.test",
		"a_b.test",
		"localhost",
		"gate.test.",
	])
		test(`host ${host}`, async () => {
			const server = facing(
				(request) =>
					new Response(`${request.headers.get("host")} ${request.url}`),
			);
			const client = await server.dial();
			client.send(`GET /a HTTP/1.1\r\nhOST:${host}\r\n\r\n`);
			const [named, url] = (await client.answer()).body.split(" ");
			expect(named).toBe(host);
			expect(new URL(url ?? "").host).toBe(new URL(`http://${host}`).host);
		});

	test("everything there is, which is asked of a server as a whole", async () => {
		const server = facing(told);
		const client = await server.dial();
		client.send("OPTIONS * HTTP/1.1\r\nHost: gate.test\r\n\r\n");
		client.send(get("/next", "Connection: close\r\n"));
		const [first] = readAnswers(await client.rest());
		expect([200, 204, 400, 404]).toContain(first?.status as number);
	});

	test("a target of 8000 bytes, as an authorization request may have", async () => {
		const server = facing(told);
		const client = await server.dial();
		const path = `/authorize?state=${"x".repeat(8000)}`;
		client.send(get(path));
		expect((await client.answer()).body).toBe(`GET http://gate.test${path} `);
	});

	test("a hundred headers, and one of 8000 bytes", async () => {
		const server = facing(
			(request) =>
				new Response(
					`${request.headers.get("x-99")} ${request.headers.get("authorization")?.length}`,
				),
		);
		const client = await server.dial();
		const lines = Array.from({ length: 100 }, (_, n) => `X-${n}: v${n}\r\n`);
		client.send(
			get("/", `${lines.join("")}Authorization: ${"t".repeat(8000)}\r\n`),
		);
		expect((await client.answer()).body).toBe("v99 8000");
	});
});

test("a path is the one that every reader of URLs sees, and never another host", async () => {
	const server = facing(told);
	const client = await server.dial();
	for (const path of [
		"/a/../b",
		"/a/./b/.",
		"/../../b",
		"/a/%2e%2E/b",
		"/a/.%2e/b",
		"/a\\..\\b",
		"/\\evil.test/b",
		"/.//evil.test/b",
		"/%2e//evil.test/b",
		"/a/..//evil.test/b",
		"//evil.test/../b",
		"/a?b=/../c",
		"/a%2f..%2fb",
		"/%00",
		'/"<>{}|^`',
		"/a;b=c/..;/d",
	]) {
		client.send(get(path));
		const [, url = ""] = (await client.answer()).body.split(" ");
		expect([path, new URL(url).host]).toEqual([path, "gate.test"]);
		const expected = new URL(`http://gate.test${path}`);
		expect([path, new URL(url).href]).toEqual([path, expected.href]);
		// Whoever cuts the path out of it by hand sees no other.
		expect([path, pathOf(url).split("?")[0]]).toEqual([
			path,
			new URL(url).pathname.includes("%22")
				? expect.any(String)
				: new URL(url).pathname,
		]);
	}
});

test("headers are found by their names in any letters, without the white space around them, all lines of one joined", async () => {
	const asked = [
		"x-plain",
		"X-PLAIN",
		"x-empty",
		"x-blank",
		"x-spaces",
		"x-inner",
		"x-many",
		"cookie",
		"x_under_score",
		"x!#$%&'*+-.^_`|~0",
		"x-latin",
		"x-colon",
		"x-absent",
		"x-plai",
		"plain",
	];
	const server = facing(
		({ headers }) =>
			new Response(
				JSON.stringify(
					asked.map((name) => {
						expect(headers.has(name)).toBe(headers.get(name) !== null);
						return headers.get(name);
					}),
				),
			),
	);
	const client = await server.dial();
	client.send(
		get(
			"/",
			[
				"x-Plain: plain",
				"X-Empty:",
				"X-Blank: \t ",
				"X-Spaces: \t a \t ",
				"X-Inner:a  b\tc",
				"X-Many: a",
				"Cookie: a=b",
				"x-many:b",
				"X_Under_Score: 1",
				"X!#$%&'*+-.^_`|~0: all",
				"X-Latin: caf\u00e9",
				"X-Colon:: a: b",
				"Cookie: c=d",
				"X-Many: c, d",
				"",
			].join("\r\n"),
		),
	);
	const { body } = await client.answer();
	expect(JSON.parse(Buffer.from(body, "latin1").toString())).toEqual([
		"plain",
		"plain",
		"",
		"",
		"a",
		"a  b\tc",
		"a, b, c, d",
		"a=b; c=d",
		"1",
		"all",
		"caf\u00e9",
		": a: b",
		null,
		null,
		null,
	]);
});

test("a head that comes byte by byte is the same head", async () => {
	const server = facing(told);
	const client = await server.dial();
	await client.drip(post("/first", "hello", "X-Any: x\r\n"));
	expect((await client.answer()).body).toBe(
		"POST http://gate.test/first hello",
	);
	await client.drip(get("/second"));
	expect((await client.answer()).body).toBe("GET http://gate.test/second ");
});

test("a head that is cut anywhere is the same head", async () => {
	const server = facing(told);
	const client = await server.dial();
	const request = post("/first", "hello") + get("/second");
	for (let at = 1; at < request.length; at++) {
		await client.drip([request.slice(0, at), request.slice(at)]);
		expect((await client.answer()).body).toBe(
			"POST http://gate.test/first hello",
		);
		expect((await client.answer()).body).toBe("GET http://gate.test/second ");
	}
});

test("requests with the same head have their own bodies, and none is taken for another", async () => {
	const server = facing(told);
	const client = await server.dial();
	for (const body of ["aaaaa", "bbbbb", "aaaaa", "GET /", "\r\n\r\n\r"]) {
		client.send(post("/same", body) + post("/same", body.toUpperCase()));
		const expected = "POST http://gate.test/same";
		expect((await client.answer()).body).toBe(`${expected} ${body}`);
		expect((await client.answer()).body).toBe(
			`${expected} ${body.toUpperCase()}`,
		);
	}
	client.send(post("/samE", "ccccc"));
	expect((await client.answer()).body).toEndWith("/samE ccccc");
});

test("whoever wishes to speak another protocol is answered in this one", async () => {
	const server = facing(told);
	const client = await server.dial();
	for (const wish of [
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
		"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
	]) {
		client.send(get("/", wish));
		expect((await client.answer()).body).toBe("GET http://gate.test/ ");
	}
});

describe("a request in the platform's own kind", () => {
	/** What the platform's request says, in one line. */
	const platform: Handler = async (given) => {
		const request = given.toRequest();
		const headers = [...request.headers].filter(([name]) => name !== "host");
		return new Response(
			JSON.stringify([
				request.method,
				request.url,
				headers,
				await request.text(),
				request.signal.aborted,
			]),
		);
	};

	test("says the same", async () => {
		const server = facing(platform);
		const client = await server.dial();
		client.send(
			get("/a?b=c", "X-Many: a\r\nCookie: d=e\r\nx-many: b\r\nX-Empty:\r\n"),
		);
		client.send(post("/a", "hello"));
		client.send(postChunks("/a", ["hel", "lo"]));
		client.send(post("/a", "hello").replace("POST", "PUT"));
		client.send(post("/a", "").replace("POST", "DELETE"));
		const said: unknown[] = [];
		for (let n = 0; n < 5; n++)
			said.push(JSON.parse((await client.answer()).body));
		const length = [["content-length", "5"]];
		expect(said).toEqual([
			[
				"GET",
				"http://gate.test/a?b=c",
				[
					["cookie", "d=e"],
					["x-empty", ""],
					["x-many", "a, b"],
				],
				"",
				false,
			],
			["POST", "http://gate.test/a", length, "hello", false],
			[
				"POST",
				"http://gate.test/a",
				[["transfer-encoding", "chunked"]],
				"hello",
				false,
			],
			["PUT", "http://gate.test/a", length, "hello", false],
			["DELETE", "http://gate.test/a", [["content-length", "0"]], "", false],
		]);
	});

	test("has the same method, or none: what the platform does not know it would take for GET", async () => {
		const asked: string[] = [];
		const server = facing((given) => {
			asked.push(`${given.method} ${given.toRequest().method}`);
			return new Response("handled");
		});
		for (const method of [
			"GET",
			"HEAD",
			"POST",
			"PUT",
			"PATCH",
			"DELETE",
			"OPTIONS",
			"FOO",
			"M-SEARCH",
			"TRACK",
			"get",
			"Get",
			"post",
			"GETS",
		]) {
			const client = await server.dial();
			client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
			const { status } = await client.answer(method);
			if (status !== 200) expect([400, 405, 500, 501]).toContain(status);
		}
		for (const said of asked) {
			const [given, made] = said.split(" ");
			expect([said, made]).toEqual([said, given]);
		}
		expect(asked.length).toBeGreaterThanOrEqual(7);
	});

	test("is told when the client goes, and its body does not end then", async () => {
		const aborted = Promise.withResolvers<void>();
		const read = Promise.withResolvers<string>();
		const server = facing((given) => {
			const request = given.toRequest();
			request.signal.addEventListener("abort", () => aborted.resolve());
			request.text().then(
				(text) => read.resolve(text),
				() => read.resolve("broken"),
			);
			return new Promise(() => {});
		});
		const client = await server.dial();
		client.send(post("/", "hello").slice(0, -1));
		await until("it is asked", () => server.asked.length === 1);
		client.reset();
		await aborted.promise;
		expect(await read.promise).toBe("broken");
	});
});

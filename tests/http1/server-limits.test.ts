/**
 * What a server waits for, and for how long: whoever is slow, silent, greedy or deaf is let go within a bound, and
 * whoever only listens patiently is not. The bounds here are seconds where they are minutes in earnest.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createSecureContext } from "node:tls";
import { LIMITS } from "../../src/http1/limits.ts";
import { type HttpServer, serve } from "../../src/http1/server.ts";
import { parseIdentifiers } from "../../src/tls/identifiers.ts";
import { createSelfSigned } from "../../src/tls/self-signed.ts";
import { until } from "../support/until.ts";
import { chunkedHead, echo, get, leaveAll, pathOf, post } from "./facing.ts";
import { readAnswers } from "./raw-answer.ts";
import { dial, type RawClient } from "./raw-client.ts";

setDefaultTimeout(20_000);

const servers: HttpServer[] = [];

// Not after each: these wait, and do so all at once.
afterAll(async () => {
	await leaveAll();
	await Promise.all(servers.splice(0).map((server) => server.close(0)));
});

type Limits = typeof LIMITS;
type Handler = Parameters<typeof serve>[2];

function serving(handler: Handler, limits: Partial<Limits>): HttpServer {
	const place = { hostname: "127.0.0.1", port: 0 };
	const server = serve(place, null, handler, limits);
	servers.push(server);
	return server;
}

const hello: Handler = () => new Response("hello");

/** One certificate for everybody. */
async function certificates(): Promise<
	NonNullable<Parameters<typeof serve>[1]>
> {
	const { chain, key } = await createSelfSigned(
		parseIdentifiers(["127.0.0.1"]),
		Math.floor(Date.now() / 1000),
	);
	const first = createSecureContext({ cert: chain, key });
	return () => ({ first, byName: new Map() });
}

/** How long somebody waits for the end of a connection, in seconds. */
async function secondsUntilEnd(client: RawClient): Promise<number> {
	const started = performance.now();
	await client.ended();
	return (performance.now() - started) / 1000;
}

/** Sends drops until the connection ends. @returns how long that took, in seconds */
async function dripUntilEnd(
	client: RawClient,
	drop: string,
	everyMs = 100,
): Promise<number> {
	const timer = setInterval(() => client.send(drop), everyMs);
	try {
		return await secondsUntilEnd(client);
	} finally {
		clearInterval(timer);
	}
}

/** Of a limit of two seconds: they are counted by a clock that ticks once a second, and the first one is not whole. */
function expectTwoSeconds(seconds: number): void {
	expect(seconds).toBeGreaterThan(0.9);
	expect(seconds).toBeLessThan(3.5);
}

test("every limit is one: positive, finite, and such as real clients need", () => {
	for (const [name, limit] of Object.entries(LIMITS)) {
		expect([name, Number.isSafeInteger(limit)]).toEqual([name, true]);
		expect([name, limit > 0]).toEqual([name, true]);
	}
	expect(LIMITS.headBytes).toBeGreaterThanOrEqual(16 * 1024);
	expect(LIMITS.headBytes).toBeLessThanOrEqual(128 * 1024);
	expect(LIMITS.headSeconds).toBeLessThanOrEqual(60);
	expect(LIMITS.bodySeconds).toBeLessThanOrEqual(120);
	expect(LIMITS.takeSeconds).toBeLessThanOrEqual(300);
	// A client that keeps a connection for a minute is usual.
	expect(LIMITS.idleSeconds).toBeGreaterThanOrEqual(60);
	expect(LIMITS.connections).toBeGreaterThanOrEqual(1000);
});

describe.concurrent("a client is let go that", () => {
	test("connects and says nothing", async () => {
		const server = serving(hello, { headSeconds: 2 });
		const client = await dial(server.port);
		expectTwoSeconds(await secondsUntilEnd(client));
		expect(client.received()).toBe(0);
	});

	test("begins a head and stops", async () => {
		const server = serving(hello, { headSeconds: 2 });
		const client = await dial(server.port);
		client.send("GET / HTTP/1.1\r\nHost: gate.test\r\n");
		expectTwoSeconds(await secondsUntilEnd(client));
		const answers = readAnswers(client.unread());
		expect(answers.map(({ status }) => status)).toEqual([408]);
		expect(answers[0]?.header("connection")).toBe("close");
	});

	test("connects to the secure port and shakes no hands, or stops in the middle", async () => {
		const server = serve(
			{ hostname: "127.0.0.1", port: 0 },
			await certificates(),
			hello,
			{ headSeconds: 2, idleSeconds: 2 },
		);
		servers.push(server);
		const [silent, half, dripping, done] = [
			await dial(server.port),
			await dial(server.port),
			await dial(server.port),
			await dial(server.port, { tls: {} }),
		];
		// The beginning of a hello that says it is 512 bytes long.
		half.send("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001");
		dripping.send("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001");
		const all = await Promise.all([
			secondsUntilEnd(silent),
			secondsUntilEnd(half),
			dripUntilEnd(dripping, "\u0003"),
			secondsUntilEnd(done),
		]);
		for (const seconds of all) expectTwoSeconds(seconds);
	});

	test("sends a head drop by drop, without end", async () => {
		const server = serving(hello, { headSeconds: 2 });
		const client = await dial(server.port);
		client.send("GET / HTTP/1.1\r\nHost: gate.test\r\n");
		expectTwoSeconds(await dripUntilEnd(client, "X: x\r\n"));
	});

	test("sends empty lines drop by drop, without end", async () => {
		const server = serving(hello, { headSeconds: 2, idleSeconds: 2 });
		const client = await dial(server.port);
		expect(await dripUntilEnd(client, "\r\n")).toBeLessThan(3.5);
		const kept = await dial(server.port);
		kept.send(get("/"));
		await kept.answer();
		expect(await dripUntilEnd(kept, "\r\n")).toBeLessThan(3.5);
	});

	test("begins a second head drop by drop", async () => {
		const server = serving(hello, { headSeconds: 2 });
		const client = await dial(server.port);
		client.send(`${get("/")}GET / HTTP/1.1\r\n`);
		await client.answer();
		expectTwoSeconds(await dripUntilEnd(client, "X: x\r\n"));
	});

	test("keeps its connection and asks nothing", async () => {
		const server = serving(hello, { idleSeconds: 2 });
		const client = await dial(server.port);
		client.send(get("/"));
		await client.answer();
		expectTwoSeconds(await secondsUntilEnd(client));
		expect(client.unread()).toBe("");
	});

	for (const [name, begun] of [
		["with a length", post("/", "hello").slice(0, -1)],
		["in chunks", `${chunkedHead("/")}5\r\nhel`],
		["between two chunks", `${chunkedHead("/")}5\r\nhello\r\n`],
		["before its last line", `${chunkedHead("/")}5\r\nhello\r\n0\r\n`],
		["before its first byte", post("/", "hello").slice(0, -5)],
	] as const)
		test(`stops in a body ${name}`, async () => {
			const outcomes: string[] = [];
			const server = serving(
				async (request) => {
					outcomes.push(await request.bytes().then(String, () => "broken"));
					return new Response("believed");
				},
				{ bodySeconds: 2 },
			);
			const client = await dial(server.port);
			client.send(begun);
			expectTwoSeconds(await secondsUntilEnd(client));
			expect(client.unread()).not.toContain("believed");
			await until("it is read", () => outcomes.length === 1);
			expect(outcomes).toEqual(["broken"]);
		});

	test("sends a body drop by drop, without end", async () => {
		const server = serving(echo, { bodySeconds: 2, bodyBytesMin: 1000 });
		const [counted, chunked] = [
			await dial(server.port),
			await dial(server.port),
		];
		counted.send(post("/", "x".repeat(5000)).slice(0, -5000));
		chunked.send(chunkedHead("/"));
		const seconds = await Promise.all([
			dripUntilEnd(counted, "x"),
			dripUntilEnd(chunked, "1;extension=of-it\r\nx\r\n"),
		]);
		for (const each of seconds) expectTwoSeconds(each);
	});

	test("stops in a body that nobody reads, after its answer", async () => {
		const server = serving(hello, { bodySeconds: 2, idleSeconds: 2 });
		const client = await dial(server.port);
		client.send(`${chunkedHead("/")}5\r\nhel`);
		expect((await client.answer()).body).toBe("hello");
		expect(await secondsUntilEnd(client)).toBeLessThan(3.5);
	});

	test("is asked for its body and does not send it", async () => {
		const server = serving(echo, { bodySeconds: 2 });
		const client = await dial(server.port);
		client.send(
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
		);
		await client.take("100 Continue\r\n\r\n");
		expectTwoSeconds(await secondsUntilEnd(client));
	});

	for (const [how, secure] of [
		["", false],
		[", over TLS", true],
	] as const)
		for (const path of ["/whole", "/stream"])
			test(`never reads its answer at ${path}${how}`, async () => {
				let isLetGo = false;
				const place = { hostname: "127.0.0.1", port: 0 };
				const server = serve(
					place,
					secure ? await certificates() : null,
					() =>
						path === "/whole"
							? new Response(Buffer.alloc(30_000_000))
							: new Response(
									new ReadableStream({
										pull: (sink) => sink.enqueue(Buffer.alloc(65_536)),
										cancel: () => {
											isLetGo = true;
										},
									}),
								),
					{ takeSeconds: 2 },
				);
				servers.push(server);
				const client = await dial(server.port, secure ? { tls: {} } : {});
				client.pause();
				client.send(get(path));
				if (path === "/stream") await until("it is let go", () => isLetGo);
				else await Bun.sleep(4000);
				client.resume();
				await client.ended();
				expect(client.received()).toBeLessThan(29_000_000);
			});

	test("was told the end and does not close", async () => {
		const server = serving(hello, { lingerSeconds: 2 });
		const client = await dial(server.port);
		client.send(get("/", "Connection: close\r\n"));
		expect((await client.answer()).body).toBe("hello");
		await client.ended();
		// Ours is still open: what is sent now is answered with a reset in the end.
		const started = performance.now();
		const closed = server.close(10_000);
		await closed;
		expect(performance.now() - started).toBeLessThan(3500);
	});

	test("was refused and sends on without end", async () => {
		const server = serving(hello, { lingerSeconds: 2, unreadBytes: 100_000 });
		const client = await dial(server.port);
		client.send("BAD\r\n\r\n");
		expect((await client.answer()).status).toBe(400);
		const timer = setInterval(() => client.send("x".repeat(20_000)), 10);
		try {
			const started = performance.now();
			await server.close(10_000);
			expect(performance.now() - started).toBeLessThan(3500);
		} finally {
			clearInterval(timer);
		}
	});
});

describe.concurrent("a client is not let go that", () => {
	const strict = {
		headSeconds: 2,
		idleSeconds: 2,
		bodySeconds: 2,
		takeSeconds: 2,
		lingerSeconds: 2,
	};

	test("waits for its answer", async () => {
		const server = serving(async () => {
			await Bun.sleep(3400);
			return new Response("late");
		}, strict);
		const client = await dial(server.port);
		client.send(post("/", "hello"));
		await client.take("late");
	});

	test("listens to a silent stream", async () => {
		const server = serving(
			() =>
				new Response(
					new ReadableStream({
						start: async (sink) => {
							sink.enqueue(Buffer.from("first"));
							await Bun.sleep(3400);
							sink.enqueue(Buffer.from("last"));
							sink.close();
						},
					}),
					{ headers: { "Content-Type": "text/event-stream" } },
				),
			strict,
		);
		const client = await dial(server.port);
		client.send(get("/"));
		await client.take("first");
		await client.take("last");
		await client.take("0\r\n\r\n");
	});

	test("sends a body slowly, but steadily", async () => {
		const server = serving(echo, { ...strict, bodyBytesMin: 2 });
		const client = await dial(server.port);
		const body = "0123456789";
		client.send(post("/", body).slice(0, -body.length));
		for (const letter of body) {
			await Bun.sleep(400);
			client.send(letter);
		}
		expect((await client.answer()).body).toBe(body);
	});

	test("reads its answer slowly, but steadily", async () => {
		const server = serving(
			() => new Response(Buffer.alloc(16_000_000)),
			strict,
		);
		const client = await dial(server.port);
		client.send(get("/"));
		for (let turn = 0; turn < 14; turn++) {
			client.pause();
			await Bun.sleep(300);
			client.resume();
			await Bun.sleep(5);
		}
		expect((await client.answer()).body.length).toBe(16_000_000);
	});

	test("sends a body that its handler is slow to read", async () => {
		const server = serving(async (request) => {
			await Bun.sleep(3400);
			return new Response(`${(await request.bytes()).length}`);
		}, strict);
		const client = await dial(server.port);
		client.send(post("/", "x".repeat(8_000_000)));
		expect(await client.take("8000000")).toStartWith("HTTP/1.1 200 ");
	});
});

test.concurrent("the date is right after a time without connections, too", async () => {
	const server = serving(hello, {});
	for (const pauseMs of [0, 2500]) {
		await Bun.sleep(pauseMs);
		const client = await dial(server.port);
		client.send(get("/", "Connection: close\r\n"));
		const said = Date.parse((await client.answer()).header("date") ?? "");
		expect(Math.abs(Date.now() - said)).toBeLessThan(2100);
		client.close();
	}
});

describe("a limit of bytes is kept:", () => {
	test("a head of exactly so many bytes is read, and no longer one", async () => {
		const headBytes = 1000;
		const server = serving((request) => new Response(pathOf(request.url)), {
			headBytes,
		});
		const frame = get("/").length;
		for (const [size, status] of [
			[headBytes - 100, 200],
			[headBytes + 100, 431],
			[headBytes * 1000, 431],
		] as const)
			for (const isDripped of [false, true]) {
				const client = await dial(server.port);
				const request = get(`/${"x".repeat(size - frame)}`);
				if (isDripped && size < 10_000) await client.drip(request);
				else client.send(request);
				expect([size, (await client.answer()).status]).toEqual([size, status]);
			}
	});

	test("a body of exactly so many bytes is read, and no longer one", async () => {
		const server = serving(
			async (request) => {
				try {
					return new Response(`${(await request.bytes()).length}`);
				} catch {
					return new Response("broken");
				}
			},
			{ bodyBytes: 1000 },
		);
		for (const [size, status] of [
			[999, 200],
			[1000, 200],
			[1001, 413],
			[100_000, 413],
		] as const) {
			const body = "x".repeat(size);
			const counted = await dial(server.port);
			counted.send(post("/", body) + get("/next"));
			expect([size, (await counted.answer()).status]).toEqual([size, status]);
			const chunked = await dial(server.port);
			const halves = [body.slice(0, 500), body.slice(500)].map(
				(half) => `${half.length.toString(16)}\r\n${half}\r\n`,
			);
			await chunked.drip([chunkedHead("/"), ...halves, "0\r\n\r\n"]);
			expect([size, (await chunked.answer()).status]).toEqual([size, status]);
		}
	});

	test("the next body is counted anew", async () => {
		const server = serving(
			async (request) => new Response(`${(await request.bytes()).length}`),
			{ bodyBytes: 1000 },
		);
		const client = await dial(server.port);
		for (let n = 0; n < 5; n++) {
			await client.drip([chunkedHead("/"), `384\r\n${"x".repeat(900)}\r\n`]);
			client.send("0\r\n\r\n");
			expect((await client.answer()).body).toBe("900");
			await client.drip([
				post("/", "x".repeat(900)).slice(0, -1),
				`x${get("/")}`,
			]);
			expect((await client.answer()).body).toBe("900");
			expect((await client.answer()).body).toBe("0");
		}
	});
});

describe("a limit of connections is kept:", () => {
	test("one more is turned away, and taken when another has gone", async () => {
		const server = serving(hello, { connections: 3 });
		const clients = [
			await dial(server.port),
			await dial(server.port),
			await dial(server.port),
		];
		for (const client of clients) {
			client.send(get("/"));
			expect((await client.answer()).body).toBe("hello");
		}
		const more = await dial(server.port);
		more.send(get("/"));
		expect(await more.rest()).not.toContain("hello");
		clients[0]?.close();
		await until("there is room", async () => {
			const next = await dial(server.port);
			next.send(get("/"));
			return next.answer().then(
				({ body }) => body === "hello",
				() => false,
			);
		});
		for (const client of clients.slice(1)) {
			client.send(get("/"));
			expect((await client.answer()).body).toBe("hello");
		}
	});

	test("whoever was let go is not counted any more, however it went", async () => {
		const server = serving(hello, { connections: 2, lingerSeconds: 2 });
		for (let n = 0; n < 30; n++) {
			const client = await dial(server.port);
			client.send(n % 2 ? get("/") : "BAD\r\n\r\n");
			await client.answer();
			if (n % 3 === 0) client.reset();
			else if (n % 3 === 1) client.close();
			else client.finish();
			await until("there is room", async () => {
				const next = await dial(server.port);
				next.send(get("/"));
				const isTaken = await next.answer().then(
					() => true,
					() => false,
				);
				next.reset();
				return isTaken;
			});
		}
	});
});

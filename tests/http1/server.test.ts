/** A connection from its beginning to its end: requests in a row, how long it is kept, who leaves, and a server that closes. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
	existsSync,
	mkdtempSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listen, listenSocket } from "../../src/tls/listeners.ts";
import { until } from "../support/until.ts";
import {
	chunkedHead,
	facing,
	get,
	leaveAll,
	pathOf,
	post,
	postChunks,
	told,
} from "./facing.ts";
import { PIECE } from "./flows.ts";
import { readAnswers } from "./raw-answer.ts";
import { dial, dialSocket, type RawClient } from "./raw-client.ts";

afterEach(leaveAll);
setDefaultTimeout(20_000);

test("requests that come at once are answered in order, each asked after the one before it was answered", async () => {
	const order: string[] = [];
	const server = facing(async (request) => {
		const path = pathOf(request.url);
		order.push(`asked ${path}`);
		await Bun.sleep(path === "/first" ? 30 : 1);
		order.push(`answered ${path}`);
		return new Response(path);
	});
	const client = await server.dial();
	client.send(get("/first") + get("/second") + post("/third", "x") + get("/4"));
	const paths = ["/first", "/second", "/third", "/4"];
	for (const path of paths) expect((await client.answer()).body).toBe(path);
	expect(order).toEqual(
		paths.flatMap((path) => [`asked ${path}`, `answered ${path}`]),
	);
});

test("a thousand requests at once are answered in order", async () => {
	const server = facing((request) => new Response(pathOf(request.url)));
	const client = await server.dial();
	client.send(Array.from({ length: 1000 }, (_, n) => get(`/${n}`)).join(""));
	for (let n = 0; n < 1000; n++)
		expect((await client.answer()).body).toBe(`/${n}`);
});

test("a request that comes while a stream is answered waits for its end", async () => {
	const sinks: ReadableStreamDefaultController[] = [];
	const server = facing((request) =>
		request.url.endsWith("/stream")
			? new Response(
					new ReadableStream({ start: (sink) => void sinks.push(sink) }),
				)
			: new Response("second"),
	);
	const client = await server.dial();
	client.send(get("/stream"));
	await until("it is asked", () => sinks.length === 1);
	client.send(get("/second"));
	sinks[0]?.enqueue(Buffer.from("piece"));
	await client.take("piece");
	expect(server.asked).toEqual(["GET /stream"]);
	sinks[0]?.close();
	await client.take("0\r\n\r\n");
	expect((await client.answer()).body).toBe("second");
});

test("what follows the length of a body belongs to the next request", async () => {
	const server = facing(told);
	const client = await server.dial();
	client.send(
		post("/first", get("/inside")) +
			postChunks("/second", [get("/inside"), "0\r\n\r\n", get("/inside")]) +
			get("/third"),
	);
	for (let n = 0; n < 3; n++) await client.answer();
	expect(server.asked).toEqual(["POST /first", "POST /second", "GET /third"]);
});

describe("what a connection is kept for:", () => {
	for (const [name, head, kept, says] of [
		["HTTP/1.1", "HTTP/1.1\r\nHost: a", true, null],
		["close", "HTTP/1.1\r\nHost: a\r\nConnection: close", false, "close"],
		["Close", "HTTP/1.1\r\nHost: a\r\nConnection: Close", false, "close"],
		[
			"close in a list",
			"HTTP/1.1\r\nHost: a\r\nConnection: TE , close",
			false,
			"close",
		],
		[
			"close in a second line",
			"HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nConnection: close",
			false,
			"close",
		],
		[
			"a word that holds close",
			"HTTP/1.1\r\nHost: a\r\nConnection: closed, not-close",
			true,
			null,
		],
		[
			"HTTP/1.1 and keep-alive",
			"HTTP/1.1\r\nHost: a\r\nConnection: keep-alive",
			true,
			null,
		],
		[
			"close beats keep-alive",
			"HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close",
			false,
			"close",
		],
		["HTTP/1.0", "HTTP/1.0\r\nHost: a", false, "close"],
		[
			"HTTP/1.0 and keep-alive",
			"HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive",
			true,
			"keep-alive",
		],
		[
			"HTTP/1.0, keep-alive and close",
			"HTTP/1.0\r\nHost: a\r\nConnection: close, keep-alive",
			false,
			"close",
		],
	] as const)
		test(name, async () => {
			const server = facing(() => new Response("hello"));
			const client = await server.dial();
			client.send(`GET /first ${head}\r\n\r\n${get("/next")}`);
			const answer = await client.answer();
			expect(answer.body).toBe("hello");
			expect(answer.header("content-length")).toBe("5");
			const said = answer.header("connection")?.toLowerCase() ?? null;
			if (says || said !== "keep-alive") expect(said).toBe(says);
			if (kept) expect((await client.answer()).status).toBe(200);
			else expect(await client.rest()).toBe("");
			expect(server.asked.length).toBe(kept ? 2 : 1);
		});
});

test("five hundred connections at once have their answers", async () => {
	const waiting: (() => void)[] = [];
	const server = facing(
		(request) =>
			new Promise((resolve) => {
				waiting.push(() => resolve(new Response(pathOf(request.url))));
			}),
	);
	const clients = await Promise.all(
		Array.from({ length: 500 }, () => server.dial()),
	);
	for (const [n, client] of clients.entries()) client.send(get(`/${n}`));
	await until("all are asked", () => waiting.length === 500);
	for (const answer of waiting.reverse()) answer();
	const answers = await Promise.all(clients.map((client) => client.answer()));
	expect(answers.map(({ body }) => body)).toEqual(
		answers.map((_, n) => `/${n}`),
	);
});

test("a client that comes and goes without a word does no harm", async () => {
	const server = facing(() => new Response("handled"));
	for (let n = 0; n < 50; n++) {
		const client = await server.dial();
		if (n % 3 === 0) client.reset();
		else if (n % 3 === 1) client.close();
		else client.finish();
	}
	const half = await server.dial();
	half.send("GET / HTT");
	half.finish();
	const rest = readAnswers(await half.rest());
	expect(rest.every(({ status }) => status === 400)).toBe(true);
	const client = await server.dial();
	client.send(get("/"));
	expect((await client.answer()).body).toBe("handled");
	expect(server.asked).toEqual(["GET /"]);
});

test("a client that says that it sends nothing more has its answer nevertheless", async () => {
	const gone = Promise.withResolvers<void>();
	const server = facing(async (request) => {
		request.signal.addEventListener("abort", () => gone.resolve());
		await Promise.race([gone.promise, Bun.sleep(200)]);
		return new Response(Buffer.from(await request.bytes()));
	});
	const client = await server.dial();
	client.send(post("/first", "hello"));
	client.finish();
	const [answer] = readAnswers(await client.rest());
	expect(answer?.body).toBe("hello");
});

test("the address of a client is known, in IPv6 too", async () => {
	for (const [host, address] of [
		["127.0.0.1", "127.0.0.1"],
		["::1", "::1"],
	] as const) {
		const server = listen(
			host,
			0,
			(_request, connection) => new Response(connection.address),
		);
		const client = await dial(server.port, { host });
		client.send(get("/"));
		expect((await client.answer()).body).toBe(address);
		await server.close(0);
	}
});

test("the admin socket speaks the same, and knows no address", async () => {
	const folder = mkdtempSync(join(tmpdir(), "http1-"));
	const path = join(folder, "admin.sock");
	writeFileSync(path, "stale");
	const server = listenSocket(
		path,
		async (request, { address }) =>
			new Response(`${address}|${Buffer.from(await request.bytes())}`),
	);
	expect(statSync(path).mode & 0o777).toBe(0o660);
	const client = await dialSocket(path);
	client.send(post("/first", "hello") + post("/second", "again"));
	expect((await client.answer()).body).toBe("|hello");
	expect((await client.answer()).body).toBe("|again");
	client.send("BAD\r\n\r\n");
	expect((await client.answer()).status).toBe(400);
	await server.close(0);
	expect(existsSync(path)).toBe(false);
	rmSync(folder, { recursive: true });
});

test("well-behaved clients are answered while others misbehave in every way, and nothing of those is left", async () => {
	let streams = 0;
	const server = facing(async (request) => {
		const path = pathOf(request.url);
		if (path !== "/stream")
			return new Response(`${path} ${Buffer.from(await request.bytes())}`);
		streams++;
		return new Response(
			new ReadableStream({
				pull: (sink) => sink.enqueue(PIECE),
				cancel: () => {
					streams--;
				},
			}),
		);
	});
	const misdeeds: readonly ((client: RawClient) => void)[] = [
		(client) => client.send("GET / HTTP/1.1\r\nHost: a"),
		(client) => client.send("\0\u0001\u0016".repeat(5000)),
		(client) => client.send(`X: ${"x".repeat(100_000)}`),
		(client) => client.send(post("/broken", "hello").slice(0, -2)),
		(client) => client.send(`${chunkedHead("/broken")}5\r\nhelloX`),
		(client) => client.send(chunkedHead("/broken") + "1\r\nx\r\n".repeat(1000)),
		(client) => client.send(get("/stream")),
		(client) => {
			client.pause();
			client.send(get("/stream"));
		},
		(client) => client.send(get("/many").repeat(100)),
		(client) => client.send(get("/first") + post("/x", "y").replace("1", "-1")),
		() => {},
	];
	const leavings = ["reset", "close", "finish"] as const;
	let isOver = false;
	const misbehave = async (turn: number): Promise<void> => {
		for (let n = turn; !isOver; n++) {
			const client = await server.dial();
			misdeeds[n % misdeeds.length]?.(client);
			await Bun.sleep(5 + (n % 7));
			client[leavings[n % leavings.length]!]();
			if (n % leavings.length === 2) client.reset();
		}
	};
	const misbehaving = Array.from({ length: 11 }, (_, n) => misbehave(n));
	const behave = async (name: number): Promise<void> => {
		const client = await server.dial();
		for (let n = 0; n < 60; n++) {
			const body = `${name}-${n}`;
			await client.drip(
				n % 2
					? [post("/good", body)]
					: [chunkedHead("/good"), ...chunked(body)],
			);
			expect((await client.answer()).body).toBe(`/good ${body}`);
		}
	};
	const behaving = Array.from({ length: 5 }, (_, n) => behave(n));
	await Promise.all(behaving);
	isOver = true;
	await Promise.all(misbehaving);
	await until("the streams are let go", () => streams === 0);
	const started = performance.now();
	await server.close(10_000);
	expect(performance.now() - started).toBeLessThan(5000);
});

function chunked(body: string): readonly string[] {
	return [`${body.length.toString(16)}\r\n`, `${body}\r\n`, "0\r\n\r\n"];
}

describe("a server that closes", () => {
	test("answers what is under way, says that it is the last, and takes nothing new", async () => {
		const waiting: (() => void)[] = [];
		const server = facing(
			() =>
				new Promise((resolve) => {
					waiting.push(() => resolve(new Response("answered")));
				}),
		);
		const client = await server.dial();
		client.send(get("/first") + get("/never"));
		await until("it is asked", () => waiting.length === 1);
		let isClosed = false;
		const closed = server.close(10_000).then(() => {
			isClosed = true;
		});
		await expect(dial(server.port)).rejects.toThrow();
		expect(isClosed).toBe(false);
		waiting[0]?.();
		const answer = await client.answer();
		expect(answer.body).toBe("answered");
		expect(answer.header("connection")).toBe("close");
		expect(await client.rest()).toBe("");
		await closed;
		expect(server.asked).toEqual(["GET /first"]);
	});

	test("waits for a body that is on its way", async () => {
		const server = facing(told);
		const client = await server.dial();
		const request = post("/first", "hello");
		client.send(request.slice(0, -2));
		await until("it is asked", () => server.asked.length === 1);
		const closed = server.close(10_000);
		client.send(request.slice(-2));
		expect((await client.answer()).body).toEndWith("hello");
		await closed;
	});

	test("waits for a stream to end", async () => {
		let sink: ReadableStreamDefaultController | null = null;
		const server = facing(
			() =>
				new Response(
					new ReadableStream({
						start(given) {
							sink = given;
						},
					}),
				),
		);
		const client = await server.dial();
		client.send(get("/"));
		await until("it is asked", () => sink !== null);
		const closed = server.close(10_000);
		const { enqueue, close } = {
			enqueue: (text: string) => sink?.enqueue(Buffer.from(text)),
			close: () => sink?.close(),
		};
		enqueue("one");
		await client.take("one");
		enqueue("two");
		close();
		await client.take("0\r\n\r\n");
		await closed;
	});

	test("keeps no connection whose stream had begun before, once it has ended", async () => {
		const sinks: ReadableStreamDefaultController[] = [];
		const server = facing(
			() =>
				new Response(
					new ReadableStream({ start: (sink) => void sinks.push(sink) }),
				),
		);
		const client = await server.dial();
		client.send(get("/"));
		await until("it is asked", () => sinks.length === 1);
		sinks[0]?.enqueue(Buffer.from("begun"));
		await client.take("begun");
		const closed = server.close(10_000);
		sinks[0]?.close();
		const started = performance.now();
		await client.take("0\r\n\r\n");
		await closed;
		expect(performance.now() - started).toBeLessThan(2000);
	});

	test("cuts what does not end, so that nobody takes it for whole", async () => {
		const cancelled = Promise.withResolvers<void>();
		const aborted = Promise.withResolvers<void>();
		const server = facing((request) => {
			request.signal.addEventListener("abort", () => aborted.resolve());
			if (request.url.endsWith("/never")) return new Promise(() => {});
			return new Response(
				new ReadableStream({
					start: (sink) => sink.enqueue(Buffer.from("begun")),
					cancel: () => cancelled.resolve(),
				}),
			);
		});
		const [stream, never] = [await server.dial(), await server.dial()];
		stream.send(get("/stream"));
		never.send(get("/never"));
		await stream.take("begun");
		await until("both are asked", () => server.asked.length === 2);
		await server.close(50);
		expect(await never.rest()).toBe("");
		expect(await stream.rest()).not.toContain("0\r\n\r\n");
		await Promise.all([cancelled.promise, aborted.promise]);
	});

	test("does not wait for connections that ask nothing", async () => {
		const server = facing(() => new Response("handled"));
		const [fresh, kept, half] = [
			await server.dial(),
			await server.dial(),
			await server.dial(),
		];
		kept.send(get("/"));
		await kept.answer();
		half.send("GET / HTTP/1.1\r\nHost");
		await until("they are there", async () => {
			const probe = await server.dial();
			probe.send(get("/probe"));
			return (await probe.answer()).status === 200;
		});
		const started = performance.now();
		await server.close(10_000);
		expect(performance.now() - started).toBeLessThan(2000);
		for (const client of [fresh, kept, half])
			expect(await client.rest()).toBe("");
	});

	test("may be closed when nobody is there, and twice", async () => {
		const server = facing(() => new Response("handled"));
		await Promise.all([server.close(0), server.close(1000)]);
		await server.close(0);
		await expect(dial(server.port)).rejects.toThrow();
	});
});

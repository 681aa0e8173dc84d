/** Answers that are streams: each piece in its time, broken, braked, and let go when the client goes. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NO_HEADERS } from "../../src/http1/header-lines.ts";
import { PlainResponse } from "../../src/http1/outgoing.ts";
import type { Pieces } from "../../src/pieces.ts";
import { until } from "../support/until.ts";
import {
	chunkedHead,
	type Facing,
	facing,
	get,
	leaveAll,
	pathOf,
	post,
} from "./facing.ts";
import {
	BRAKED_BYTES_MAX,
	endless,
	PIECE,
	scripted,
	settled,
} from "./flows.ts";
import { readAnswers } from "./raw-answer.ts";
import type { RawClient } from "./raw-client.ts";

afterEach(leaveAll);
setDefaultTimeout(20_000);

describe("an answer that is a stream", () => {
	test("comes in chunks to HTTP/1.1, each when it is there, and the connection is kept", async () => {
		const { stream, write, close } = scripted();
		const server = facing((request) =>
			request.url.endsWith("/next")
				? new Response("next")
				: new Response(stream, {
						headers: { "Content-Type": "text/event-stream" },
					}),
		);
		const client = await server.dial();
		client.send(get("/first"));
		const head = await client.take("\r\n\r\n");
		expect(head.toLowerCase()).toContain("transfer-encoding: chunked\r\n");
		expect(head.toLowerCase()).not.toContain("content-length");
		expect(head).toMatch(/\r\ndate: /i);
		for (const text of ["one", "two", "three"]) {
			write(text);
			expect(await client.take(`${text}\r\n`)).toBe(
				`${text.length}\r\n${text}\r\n`,
			);
		}
		close();
		expect(await client.take("0\r\n\r\n")).toBe("0\r\n\r\n");
		client.send(get("/next"));
		expect((await client.answer()).body).toBe("next");
	});

	test("of events has its head at once, long before there is one", async () => {
		for (const type of [
			"text/event-stream",
			"text/event-stream; charset=utf-8",
			"Text/Event-Stream;charset=utf-8",
		]) {
			const { stream } = scripted();
			const server = facing(
				() => new Response(stream, { headers: { "Content-Type": type } }),
			);
			const client = await server.dial();
			client.send(get("/"));
			expect(await client.take("\r\n\r\n")).toStartWith("HTTP/1.1 200 ");
		}
	});

	test("ends with the connection for HTTP/1.0, even one that asks to be kept", async () => {
		for (const wish of ["close", "keep-alive"]) {
			const { stream, write, close } = scripted();
			const server = facing(() => new Response(stream));
			const client = await server.dial();
			client.send(
				`GET / HTTP/1.0\r\nHost: a\r\nConnection: ${wish}\r\n\r\n${get("/smuggled")}`,
			);
			write("one");
			await until("it is asked", () => server.asked.length === 1);
			write("two");
			close();
			const [answer] = readAnswers(await client.rest());
			expect(answer?.body).toBe("onetwo");
			expect(answer?.header("connection")).toBe("close");
			expect(server.asked).toEqual(["GET /"]);
		}
	});

	test("may be empty, have empty pieces, many pieces and large ones", async () => {
		for (const pieces of [
			[],
			[""],
			["", "a", "", "b", ""],
			Array.from({ length: 3000 }, (_, n) => `${n},`),
			["x".repeat(300_000), "y".repeat(32 * 1024), "z".repeat(32 * 1024 + 1)],
		]) {
			const server = facing(() => {
				const all = pieces.values();
				return new Response(
					new ReadableStream({
						pull: async (sink) => {
							await Promise.resolve();
							const { done, value } = all.next();
							if (done) sink.close();
							else sink.enqueue(Buffer.from(value));
						},
					}),
				);
			});
			const client = await server.dial();
			client.send(get("/first") + get("/next"));
			for (let n = 0; n < 2; n++)
				expect((await client.answer()).body === pieces.join("")).toBe(true);
		}
	});

	test("that is there at once is one answer like any other", async () => {
		const server = facing(
			() =>
				new Response(
					new ReadableStream({
						start: (sink) => {
							sink.enqueue(Buffer.from("hel"));
							sink.enqueue(Buffer.from("lo"));
							sink.close();
						},
					}),
				),
		);
		const client = await server.dial();
		client.send(get("/first") + get("/next"));
		expect((await client.answer()).body).toBe("hello");
		expect((await client.answer()).body).toBe("hello");
	});

	test("may hold texts", async () => {
		const server = facing(
			() =>
				new Response(
					new ReadableStream({
						start: (sink) => {
							sink.enqueue("h\u00e9");
							sink.enqueue("llo");
							sink.close();
						},
					}),
				),
		);
		const client = await server.dial();
		client.send(get("/"));
		expect((await client.answer()).body).toBe("h\u00c3\u00a9llo");
	});

	test("with a length that it keeps, breaks or exceeds is never mistaken for another", async () => {
		for (const text of ["hello", "hell", "hello!"]) {
			const server = facing((request) =>
				request.url.endsWith("/next")
					? new Response("next")
					: new Response(
							new ReadableStream({
								pull: async (sink) => {
									await Bun.sleep(1);
									sink.enqueue(Buffer.from(text));
									sink.close();
								},
							}),
							{ headers: { "Content-Length": "5" } },
						),
			);
			const client = await server.dial();
			client.send(get("/first"));
			const first = await client.answer().catch(() => null);
			if (text === "hello") expect(first?.body).toBe(text);
			if (!first) continue; // cut off, and known to be
			expect([text, text.slice(0, 5)]).toContain(first.body);
			client.send(get("/next"));
			const next = await client.answer().catch(() => null);
			if (next) expect(next.body).toBe("next");
		}
	});

	for (const [name, version] of [
		["HTTP/1.1", "HTTP/1.1"],
		["HTTP/1.0, where only a reset says so", "HTTP/1.0"],
	] as const)
		test(`that breaks in the middle is cut off, in ${name}`, async () => {
			const { stream, write, fail } = scripted();
			const server = facing(() => new Response(stream));
			const client = await server.dial();
			client.send(`GET / ${version}\r\nHost: a\r\n\r\n`);
			await until("it is asked", () => server.asked.length === 1);
			write("begun");
			await client.take("begun");
			fail();
			const how = await client.ended();
			expect(client.unread()).not.toContain("0\r\n\r\n");
			expect(client.unread()).not.toContain("sesame");
			if (version === "HTTP/1.0") expect(how).toBe("reset");
		});

	test("that breaks before its first piece is no success", async () => {
		const { stream, fail } = scripted();
		const server = facing(() => new Response(stream));
		const client = await server.dial();
		client.send(get("/"));
		await until("it is asked", () => server.asked.length === 1);
		fail();
		const answer = await client.answer().catch(() => null);
		expect([undefined, 500]).toContain(answer?.status);
	});

	test("is let go where its status has no body", async () => {
		for (const status of [204, 304]) {
			const { stream } = scripted();
			const server = facing((request) => {
				if (request.url.endsWith("/next")) return new Response("next");
				try {
					return new Response(stream, { status });
				} catch {
					return new Response(null, { status }); // the platform refuses it
				}
			});
			const client = await server.dial();
			client.send(get("/first") + get("/next"));
			expect((await client.answer()).status).toBe(status);
			expect((await client.answer()).body).toBe("next");
		}
	});

	test("is asked for no more while the client reads nothing, and goes on when it does", async () => {
		const { stream, given, cancelled } = endless();
		const server = facing(() => new Response(stream));
		const client = await server.dial();
		client.pause();
		client.send(get("/"));
		const before = await settled(given);
		expect(before).toBeGreaterThan(0);
		expect(before).toBeLessThan(BRAKED_BYTES_MAX);
		client.resume();
		await until("it goes on", () => given() > 2 * before);
		client.reset();
		await until("it is let go", cancelled);
	});

	test("is let go when the client goes, also while it reads nothing", async () => {
		for (const leave of ["reset", "close"] as const)
			for (const isPaused of [true, false]) {
				const { stream, given, cancelled } = endless();
				const server = facing(() => new Response(stream));
				const client = await server.dial();
				if (isPaused) client.pause();
				client.send(get("/"));
				await until("it is given", () => given() > 0);
				if (isPaused) await settled(given);
				client[leave]();
				await until(`it is let go after ${leave}`, cancelled);
			}
	});

	test("of whose client nothing is heard any more is let go, though it is silent", async () => {
		for (const leave of ["reset", "close"] as const) {
			const { stream, write, cancelled } = scripted();
			const aborted = Promise.withResolvers<void>();
			const server = facing((request) => {
				request.signal.addEventListener("abort", () => aborted.resolve());
				return new Response(stream, {
					headers: { "Content-Type": "text/event-stream" },
				});
			});
			const client = await server.dial();
			client.send(get("/"));
			await until("it is asked", () => server.asked.length === 1);
			write("begun");
			await client.take("begun");
			client[leave]();
			await Promise.all([cancelled, aborted.promise]);
		}
	});
});

describe("the signal of a request", () => {
	/** Asks, waits until it is asked, and leaves. */
	async function left(
		client: RawClient,
		asked: readonly string[],
		leave: (client: RawClient) => void,
	): Promise<void> {
		client.send(post("/", "hello"));
		await until("it is asked", () => asked.length === 1);
		leave(client);
	}

	test("tells that the client has gone before it was answered, and the answer goes nowhere", async () => {
		for (const leave of ["reset", "close"] as const) {
			const gone = Promise.withResolvers<void>();
			const late = endless();
			const server = facing(async (request) => {
				request.signal.addEventListener("abort", () => gone.resolve());
				await gone.promise;
				expect(request.signal.aborted).toBe(true);
				return new Response(late.stream);
			});
			const client = await server.dial();
			await left(client, server.asked, (client) => client[leave]());
			await gone.promise;
			await until(`it is let go after ${leave}`, late.cancelled);
		}
	});

	test("tells it to one who asks late, too", async () => {
		const gone = Promise.withResolvers<void>();
		let wasAborted: boolean | null = null;
		const server = facing(async (request) => {
			await gone.promise;
			wasAborted = request.signal.aborted;
			return new Response("late");
		});
		const client = await server.dial();
		await left(client, server.asked, (client) => client.reset());
		await Bun.sleep(50);
		gone.resolve();
		await until("it is asked", () => wasAborted !== null);
		expect(wasAborted as unknown).toBe(true);
	});

	test("says nothing of a client that goes after its answer", async () => {
		const signals: AbortSignal[] = [];
		const server = facing((request) => {
			signals.push(request.signal);
			return new Response("answered");
		});
		const client = await server.dial();
		client.send(get("/"));
		await client.answer();
		client.close();
		const next = await server.dial();
		next.send(get("/"));
		await next.answer();
		expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
	});

	test("says nothing while requests wait behind this one", async () => {
		const first = Promise.withResolvers<Response>();
		let signal: AbortSignal | null = null;
		const server = facing((request) => {
			signal ??= request.signal;
			return request.url.endsWith("/first")
				? first.promise
				: new Response("next");
		});
		const client = await server.dial();
		client.send(get("/first"));
		await client.drip([get("/next"), get("/next")]);
		first.resolve(new Response("first"));
		for (const body of ["first", "next", "next"])
			expect((await client.answer()).body).toBe(body);
		expect((signal as AbortSignal | null)?.aborted).toBe(false);
	});
});

describe("a stream that says its length", () => {
	/** Pieces that say what they may not keep to. */
	const saying = (length: number, ...pieces: readonly string[]): Pieces => {
		const left = pieces.map((piece) => Buffer.from(piece));
		return { length, next: async () => left.shift() ?? null, cancel: () => {} };
	};
	const answering = (pieces: () => Pieces): Facing =>
		facing(() => new PlainResponse(200, NO_HEADERS, pieces()));

	test("comes without chunks, and the connection is kept, for HTTP/1.0 too where it asks", async () => {
		const large = "x".repeat(100_000);
		const server = answering(() => saying(100_005, "one, ", large));
		const client = await server.dial();
		for (const request of [
			get("/"),
			"GET / HTTP/1.0\r\nHost: gate.test\r\nConnection: keep-alive\r\n\r\n",
			get("/"),
		]) {
			client.send(request);
			const { header, body } = await client.answer();
			expect(header("content-length")).toBe("100005");
			expect(header("transfer-encoding")).toBe(null);
			expect(body).toBe(`one, ${large}`);
		}
	});

	test("and is longer or shorter ends its connection, so that nobody takes it for whole", async () => {
		for (const pieces of [["hello"], ["hello", " world!"], ["hello world!"]]) {
			const server = answering(() => saying(11, ...pieces));
			const client = await server.dial();
			client.send(get("/"));
			await expect(client.answer()).rejects.toThrow();
		}
	});

	test("has no body for HEAD, and none of its pieces are read", async () => {
		let isCancelled = false;
		const server = answering(() => ({
			...saying(5, "hello"),
			cancel: () => {
				isCancelled = true;
			},
		}));
		const client = await server.dial();
		client.send(get("/").replace("GET", "HEAD") + get("/"));
		expect((await client.take("\r\n\r\n")).toLowerCase()).toContain(
			"content-length: 5\r\n",
		);
		expect((await client.answer()).body).toBe("hello");
		expect(isCancelled).toBe(true);
	});
});

test("nothing of a request that is over stays in memory, however it ended", async () => {
	const requests: WeakRef<object>[] = [];
	const server = facing(async (request) => {
		requests.push(new WeakRef(request));
		request.signal.addEventListener("abort", () => {});
		const path = pathOf(request.url);
		if (path === "/stream") return new Response(endless().stream);
		if (path === "/read") return new Response(`${await request.bytes()}`);
		return new Response(path);
	});
	for (let n = 0; n < 40; n++) {
		const [whole, refused, stream, unread] = [
			await server.dial(),
			await server.dial(),
			await server.dial(),
			await server.dial(),
		];
		whole.send(post("/read", "hello") + get("/") + get("/"));
		for (let answer = 0; answer < 3; answer++) await whole.answer();
		refused.send(`${chunkedHead("/read")}5\r\nhelloX`);
		stream.send(get("/stream"));
		unread.send(post("/unread", "hello").slice(0, -1));
		await stream.take(`${PIECE}`);
		await unread.answer();
		whole.close();
		refused.finish();
		stream.reset();
		unread.close();
	}
	await until("they are let go", () => {
		Bun.gc(true);
		return requests.filter((each) => each.deref()).length < 20;
	});
	expect(requests.length).toBe(40 * 6);
});

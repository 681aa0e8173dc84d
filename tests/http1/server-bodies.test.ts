/** Bodies of requests: whole, in pieces, waited for, too long, broken off, and read by nobody. */
import { heapStats } from "bun:jsc";
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../support/until.ts";
import {
	chunkedHead,
	facing,
	get,
	leaveAll,
	megabytes,
	pathOf,
	post,
	postChunks,
	told,
} from "./facing.ts";
import { BRAKED_BYTES_MAX, PIECE, settled } from "./flows.ts";
import { readAnswers } from "./raw-answer.ts";

afterEach(leaveAll);
setDefaultTimeout(20_000);

/** Each piece of a body that waits to be read is an object of its own. */
function piecesInMemory(): number {
	Bun.gc(true);
	return heapStats().objectTypeCounts["Uint8Array"] ?? 0;
}

type Body = { readonly body: ReadableStream<Uint8Array> | null };

/** Pieces of a body as they are read. */
async function* piecesOf({ body }: Body): AsyncGenerator<string> {
	const reader = body?.getReader();
	for (;;) {
		const read = await reader?.read();
		if (!read || read.done) return;
		yield Buffer.from(read.value).toString("latin1");
	}
}

async function textOf(request: Body): Promise<string> {
	const pieces: string[] = [];
	for await (const piece of piecesOf(request)) pieces.push(piece);
	return pieces.join("");
}

async function latin1(request: {
	bytes(): Promise<Uint8Array>;
}): Promise<string> {
	return Buffer.from(await request.bytes()).toString("latin1");
}

describe("the body of a request", () => {
	const big = megabytes(3_000_000);
	for (const [how, read] of [
		["at once", async (request) => String(await latin1(request))],
		["piece by piece", textOf],
	] as [
		string,
		(request: Body & { bytes(): Promise<Uint8Array> }) => Promise<string>,
	][]) {
		test(`arrives whole, read ${how}`, async () => {
			const server = facing(
				async (request) =>
					new Response(Buffer.from(await read(request), "latin1")),
			);
			const client = await server.dial();
			for (const [body, chunks] of [
				["", []],
				["x", ["x"]],
				["hello", ["h", "ell", "o"]],
				["\r\n0\r\n\r\n", ["\r\n0\r\n\r\n"]],
				[big, [big.slice(0, 70_000), big.slice(70_000)]],
			] as const) {
				client.send(post("/length", body) + get("/next"));
				expect((await client.answer()).body === body).toBe(true);
				expect((await client.answer()).body).toBe("");
				client.send(postChunks("/chunks", chunks) + get("/next"));
				expect((await client.answer()).body === body).toBe(true);
				expect((await client.answer()).body).toBe("");
			}
		});

		test(`arrives whole byte by byte, read ${how}`, async () => {
			const server = facing(
				async (request) => new Response(await read(request)),
			);
			const client = await server.dial();
			await client.drip(post("/length", "hello"));
			expect((await client.answer()).body).toBe("hello");
			await client.drip(postChunks("/chunks", ["he", "l", "lo"]));
			expect((await client.answer()).body).toBe("hello");
			await client.drip([
				chunkedHead("/chunks"),
				..."5;a=b\r\nhello\r\n0\r\n\r\n",
			]);
			expect((await client.answer()).body).toBe("hello");
		});

		test(`that is read late, ${how}, arrives whole`, async () => {
			const server = facing(async (request) => {
				await Bun.sleep(30);
				return new Response(await read(request));
			});
			const client = await server.dial();
			await client.drip([
				chunkedHead("/chunks"),
				"5\r\nhello\r\n",
				"6\r\n again\r\n",
				`0\r\n\r\n${post("/length", "hello")}`,
			]);
			expect((await client.answer()).body).toBe("hello again");
			expect((await client.answer()).body).toBe("hello");
		});

		test(`that breaks off is not taken for whole, read ${how}`, async () => {
			const outcomes: string[] = [];
			const server = facing(async (request) => {
				outcomes.push(await read(request).catch(() => "broken"));
				return new Response("answered");
			});
			for (const [begun, leave] of [
				[post("/a", "hello").slice(0, -1), "reset"],
				[post("/a", "hello").slice(0, -1), "close"],
				[post("/a", "hello").slice(0, -1), "finish"],
				[`${chunkedHead("/a")}5\r\nhel`, "reset"],
				[`${chunkedHead("/a")}5\r\nhello\r\n`, "close"],
				[`${chunkedHead("/a")}5\r\nhello\r\n0\r\n`, "finish"],
				[`${chunkedHead("/a")}5\r\nhello\r\n0\r\nX: x\r\n`, "finish"],
			] as const) {
				const before = outcomes.length;
				const asked = server.asked.length;
				const client = await server.dial();
				client.send(begun);
				await until("it is asked", () => server.asked.length > asked);
				client[leave]();
				await until("it is read", () => outcomes.length > before);
			}
			expect(new Set(outcomes)).toEqual(new Set(["broken"]));
		});
	}

	test("is none where none was sent", async () => {
		const server = facing(async (request) => {
			const isNone = request.body === null;
			return new Response(`${isNone} ${(await request.bytes()).length}`);
		});
		const client = await server.dial();
		client.send(get("/"));
		expect((await client.answer()).body).toBe("true 0");
	});

	test("is read while it arrives", async () => {
		const seen: string[] = [];
		const server = facing(async (request) => {
			for await (const piece of piecesOf(request)) seen.push(piece);
			return new Response("whole");
		});
		const client = await server.dial();
		client.send(chunkedHead("/"));
		for (const piece of ["one", "two", "three"]) {
			client.send(`${piece.length}\r\n${piece}\r\n`);
			await until("it is read", () => seen.join("").endsWith(piece));
		}
		client.send("0\r\n\r\n");
		expect((await client.answer()).body).toBe("whole");
	});

	test("and its answer may both be on their way", async () => {
		const server = facing((request) => {
			const pieces = piecesOf(request);
			return new Response(
				new ReadableStream({
					pull: async (sink) => {
						const { done, value } = await pieces.next();
						if (done) sink.close();
						else sink.enqueue(Buffer.from(value.toUpperCase()));
					},
				}),
			);
		});
		const client = await server.dial();
		client.send(chunkedHead("/"));
		for (const piece of ["one", "two", "three"]) {
			client.send(`${piece.length}\r\n${piece}\r\n`);
			await client.take(piece.toUpperCase());
		}
		client.send("0\r\n\r\n");
		await client.take("0\r\n\r\n");
		client.send(post("/next", "four"));
		expect((await client.answer()).body).toBe("FOUR");
	});

	test("in chunks beyond the largest is refused, and not taken for whole", async () => {
		let outcome = "";
		const server = facing(async (request) => {
			outcome = await request.bytes().then(
				({ length }) => `${length}`,
				() => "broken",
			);
			return new Response("believed");
		});
		const client = await server.dial();
		client.send(chunkedHead("/"));
		const size = 4 * 1024 * 1024;
		const chunk = `${size.toString(16)}\r\n${"x".repeat(size)}\r\n`;
		for (let sent = 0; sent <= 80 * 1024 * 1024; sent += size)
			client.send(chunk);
		client.send("0\r\n\r\n");
		const answers = readAnswers(await client.rest());
		expect(answers.map(({ status }) => status)).toEqual([413]);
		expect(outcome).not.toMatch(/^\d/);
	});
});

describe("a client that waits to be asked for its body", () => {
	const head = `POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`;

	test("is asked when it is wanted", async () => {
		const server = facing(told);
		const client = await server.dial();
		client.send(head);
		expect(await client.take("\r\n\r\n")).toStartWith("HTTP/1.1 100 ");
		client.send(`hello${get("/next")}`);
		expect((await client.answer()).body).toEndWith("hello");
		expect((await client.answer()).status).toBe(200);
	});

	test("is asked in any letters, and with chunks", async () => {
		const server = facing(told);
		const client = await server.dial();
		client.send(
			"POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nexpect: 100-Continue\r\n\r\n",
		);
		expect(await client.take("\r\n\r\n")).toStartWith("HTTP/1.1 100 ");
		client.send("5\r\nhello\r\n0\r\n\r\n");
		expect((await client.answer()).body).toEndWith("hello");
	});

	test("may have sent it nevertheless", async () => {
		const server = facing(told);
		const client = await server.dial();
		client.send(`${head}hello${get("/next")}`);
		expect((await client.answer()).body).toEndWith("hello");
		expect((await client.answer()).body).toContain("/next");
	});

	test("is told at once when it is not wanted, and what it then sends is nobody's request", async () => {
		const server = facing(() => new Response("no", { status: 403 }));
		const client = await server.dial();
		client.send(head);
		const answer = await client.answer();
		expect(answer.status).toBe(403);
		expect(answer.interim).toEqual([]);
		// It may send the body that it announced, or the next request: nobody can tell which.
		expect(answer.header("connection")).toBe("close");
		client.send(get("/smuggled"));
		expect(await client.rest()).toBe("");
		expect(server.asked).toEqual(["POST /first"]);
	});

	test("is not asked in the middle of its answer", async () => {
		const server = facing((request) => {
			const reader = request.body?.getReader();
			return new Response(
				new ReadableStream({
					start: (sink) => sink.enqueue(Buffer.from("begun ")),
					pull: async (sink) => {
						const { done, value } = (await reader?.read()) ?? { done: true };
						if (done) sink.close();
						else sink.enqueue(value as Uint8Array);
					},
				}),
				{ headers: { "Content-Type": "text/event-stream" } },
			);
		});
		const client = await server.dial();
		client.send(head);
		await until("it is asked", () => server.asked.length === 1);
		await client.drip(["hello"]);
		expect((await client.answer()).body).toBe("begun hello");
	});

	test("is not asked in HTTP/1.0, which does not know that", async () => {
		const server = facing(told);
		const client = await server.dial();
		client.send(head.replace("HTTP/1.1", "HTTP/1.0"));
		await client.drip(["hel", "lo"]);
		const answer = await client.answer();
		expect(answer.body).toEndWith("hello");
		expect(answer.interim).toEqual([]);
	});

	test("is not asked for nothing", async () => {
		const server = facing(told);
		const client = await server.dial();
		client.send(get("/first", "Expect: 100-continue\r\n"));
		const answer = await client.answer();
		expect(answer.interim).toEqual([]);
		expect(answer.status).toBe(200);
	});
});

describe("a body that nobody reads", () => {
	test("of moderate size lets the next request follow, or ends the connection in order", async () => {
		for (const size of [0, 10, 60_000, 1_000_000]) {
			const server = facing((request) => new Response(pathOf(request.url)));
			const client = await server.dial();
			client.send(post("/first", get("/x").padEnd(size, "x")) + get("/next"));
			const answer = await client.answer();
			expect(answer.body).toBe("/first");
			if (answer.header("connection") === "close")
				expect(await client.rest()).toBe("");
			else expect((await client.answer()).body).toBe("/next");
			expect(server.asked).not.toContain("GET /x");
		}
	});

	test("and is too much to be drained ends the connection, and nobody is asked after that", async () => {
		const server = facing((request) => new Response(pathOf(request.url)));
		for (const size of [100_000, 300_000, 3_000_000]) {
			const client = await server.dial();
			client.send(chunkedHead(`/${size}`));
			expect((await client.answer()).body).toBe(`/${size}`);
			const asked = server.asked.length;
			client.send(
				`${size.toString(16)}\r\n${"x".repeat(size)}\r\n0\r\n\r\n${get("/next")}`,
			);
			const next = await client.answer().catch(() => null);
			if (next) expect(next.body).toBe("/next");
			expect(server.asked.slice(asked)).toEqual(next ? ["GET /next"] : []);
		}
	});

	test("brakes a client, whose end is noticed nevertheless", async () => {
		for (const [head, piece] of [
			[chunkedHead("/"), `10000\r\n${PIECE}\r\n`],
			["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000000\r\n\r\n", PIECE],
			[get("/"), get("/").repeat(1000)],
		] as const) {
			const aborted = Promise.withResolvers<void>();
			const server = facing((request) => {
				request.signal.addEventListener("abort", () => aborted.resolve());
				return new Promise<Response>(() => {});
			});
			const client = await server.dial();
			client.send(head);
			for (let n = 0; n < 700; n++) client.send(piece);
			await settled(client.unsent);
			client.reset(); // a FIN would wait in its kernel, behind what we do not take
			await aborted.promise;
		}
	});

	test("in chunks, with the answer before its end, hides no request", async () => {
		const server = facing((request) => new Response(pathOf(request.url)));
		const client = await server.dial();
		client.send(`${chunkedHead("/first")}5\r\nhel`);
		const answer = await client.answer();
		expect(answer.body).toBe("/first");
		client.send(`lo\r\n0\r\n\r\n${get("/next")}`);
		if (answer.header("connection") === "close")
			expect(await client.rest()).toBe("");
		else expect((await client.answer()).body).toBe("/next");
	});

	test("and that turns out to be malformed after its answer ends the connection", async () => {
		const server = facing((request) => new Response(pathOf(request.url)));
		const client = await server.dial();
		client.send(`${chunkedHead("/first")}5\r\nhel`);
		expect((await client.answer()).body).toBe("/first");
		client.send(`loXX\r\n0\r\n\r\n${get("/smuggled")}`);
		const answers = readAnswers(await client.rest());
		expect(answers.every(({ status }) => status === 400)).toBe(true);
		expect(server.asked).toEqual(["POST /first"]);
	});

	test("of 70 MB has its answer, and the connection drains or ends soon", async () => {
		const server = facing(
			() => new Response("too much of it", { status: 403 }),
		);
		const client = await server.dial();
		client.send(
			`POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${70 * 1024 * 1024}\r\n\r\n`,
		);
		client.send(Buffer.alloc(70 * 1024 * 1024, "x"));
		const answer = await client.answer();
		expect(answer.status).toBe(403);
		if (answer.header("connection") === "close") await client.ended();
		else {
			await until("it is drained", () => client.unsent() === 0);
			client.send(get("/next"));
			expect((await client.answer()).status).toBe(403);
		}
	});

	test("brakes a client that sends without end", async () => {
		const answered = Promise.withResolvers<Response>();
		const server = facing(() => answered.promise);
		for (const head of [
			chunkedHead("/"),
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000000\r\n\r\n",
		]) {
			const client = await server.dial();
			client.send(head);
			const framed = head.includes("chunked");
			for (let n = 0; n < 1000; n++)
				client.send(framed ? `10000\r\n${PIECE}\r\n` : PIECE);
			const left = await settled(client.unsent);
			expect(1000 * PIECE.length - left).toBeLessThan(BRAKED_BYTES_MAX);
			client.reset();
		}
	});

	test("brakes a client that asks without end", async () => {
		const server = facing(() => new Promise<Response>(() => {}));
		const client = await server.dial();
		const many = get("/").repeat(2000);
		for (let n = 0; n < 800; n++) client.send(many);
		const left = await settled(client.unsent);
		expect(800 * many.length - left).toBeLessThan(BRAKED_BYTES_MAX);
		expect(server.asked.length).toBe(1);
	});

	test("brakes a client that asks without end, a little at a time", async () => {
		const server = facing(() => new Promise<Response>(() => {}));
		const client = await server.dial();
		const many = get("/").repeat(300);
		let sent = 0;
		const packets = function* (): Generator<string> {
			for (; sent < 2 * BRAKED_BYTES_MAX; sent += many.length) yield many;
		};
		void client.drip(packets());
		await until("it is asked", () => server.asked.length === 1);
		expect(await settled(() => sent)).toBeLessThan(BRAKED_BYTES_MAX);
	});

	test("brakes a client that asks without end and reads no answer", async () => {
		const server = facing(() => new Response(PIECE));
		const client = await server.dial();
		client.pause();
		const many = get("/").repeat(100);
		for (let n = 0; n < 100; n++) client.send(many);
		const asked = await settled(() => server.asked.length);
		expect(asked * PIECE.length).toBeLessThan(BRAKED_BYTES_MAX);
		client.resume();
		await until("it goes on", () => server.asked.length > asked + 1000);
	});

	test("in chunks of one byte costs little more than its bytes", async () => {
		const wanted = Promise.withResolvers<void>();
		const server = facing(async (request) => {
			await wanted.promise;
			return new Response(`${(await request.bytes()).length}`);
		});
		const client = await server.dial();
		const before = piecesInMemory();
		client.send(chunkedHead("/"));
		const many = "1\r\nx\r\n".repeat(100_000);
		for (let n = 0; n < 5; n++) client.send(many);
		client.send("0\r\n\r\n");
		await settled(client.unsent);
		expect(piecesInMemory() - before).toBeLessThan(100_000);
		wanted.resolve();
		expect((await client.answer()).body).toBe("500000");
	});
});

test("a kept connection does not keep what came on it", async () => {
	const server = facing(
		async (request) => new Response(`${(await request.bytes()).length}`),
	);
	const body = "x".repeat(50_000);
	const held = (): number => {
		Bun.gc(true);
		return process.memoryUsage().arrayBuffers;
	};
	const clients = await Promise.all(
		Array.from({ length: 200 }, () => server.dial()),
	);
	const before = held();
	for (const client of clients) {
		client.send(post("/", body));
		expect((await client.answer()).body).toBe("50000");
	}
	await until(
		"it is let go",
		() => held() - before < (clients.length * body.length) / 5,
	);
});

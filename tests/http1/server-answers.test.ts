/** Answers of every kind, byte by byte. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../support/until.ts";
import { facing, get, leaveAll, megabytes } from "./facing.ts";
import { readAnswers } from "./raw-answer.ts";

afterEach(leaveAll);
setDefaultTimeout(20_000);

describe("an answer is written:", () => {
	const date = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;
	for (const [name, make, status, length, body] of [
		["a text", () => new Response("hello"), 200, "5", "hello"],
		[
			"a text beyond ASCII",
			() => new Response("h\u00e9\u20ac\u{1f600}"),
			200,
			"10",
			"h\u00c3\u00a9\u00e2\u0082\u00ac\u00f0\u009f\u0098\u0080",
		],
		["an empty text", () => new Response(""), 200, "0", ""],
		["nothing", () => new Response(null), 200, "0", ""],
		[
			"bytes",
			() => new Response(Uint8Array.of(0, 13, 10, 255)),
			200,
			"4",
			"\u0000\r\n\u00ff",
		],
		["a blob", () => new Response(new Blob(["ab", "cd"])), 200, "4", "abcd"],
		["JSON", () => Response.json({ a: 1 }), 200, "7", '{"a":1}'],
		[
			"a form",
			() => new Response(new URLSearchParams({ a: "b" })),
			200,
			"3",
			"a=b",
		],
		[
			"a failure",
			() => new Response("gone", { status: 410 }),
			410,
			"4",
			"gone",
		],
		[
			"a status of its own",
			() => new Response("x", { status: 299 }),
			299,
			"1",
			"x",
		],
		[
			"a redirect",
			() => Response.redirect("https://gate.test/x", 303),
			303,
			"0",
			"",
		],
		["204", () => new Response(null, { status: 204 }), 204, null, ""],
		["304", () => new Response(null, { status: 304 }), 304, null, ""],
	] as const)
		test(name, async () => {
			const server = facing(make);
			const client = await server.dial();
			client.send(get("/first") + get("/next"));
			const answer = await client.answer();
			expect(answer.status).toBe(status);
			expect(answer.header("content-length")).toBe(length);
			expect(answer.header("transfer-encoding")).toBe(null);
			expect(answer.body).toBe(body);
			expect(answer.header("date")).toMatch(date);
			// What it says of the next one is believed.
			expect((await client.answer()).status).toBe(status);
			expect(client.unread()).toBe("");
		});

	test("the date is now", async () => {
		const server = facing(() => new Response());
		const client = await server.dial();
		client.send(get("/"));
		const said = Date.parse((await client.answer()).header("date") ?? "");
		expect(Math.abs(said - Date.now())).toBeLessThan(3000);
	});

	test("HEAD has the head of the answer, with its length, and no body", async () => {
		const server = facing(() => new Response("hello"));
		const client = await server.dial();
		client.send(get("/first").replace("GET", "HEAD") + get("/next"));
		const answer = await client.answer("HEAD");
		expect(answer.header("content-length")).toBe("5");
		expect((await client.answer()).body).toBe("hello");
	});

	test("HEAD of a stream has no body either, and the stream is let go", async () => {
		let cancelled = 0;
		const server = facing(
			(request) =>
				new Response(
					request.method === "HEAD"
						? new ReadableStream({
								pull: (sink) => sink.enqueue(Buffer.from("never")),
								cancel: () => void cancelled++,
							})
						: "next",
				),
		);
		const client = await server.dial();
		client.send(get("/first").replace("GET", "HEAD") + get("/next"));
		expect((await client.answer("HEAD")).status).toBe(200);
		expect((await client.answer()).body).toBe("next");
		await until("the stream is let go", () => cancelled === 1);
	});

	test("HEAD that is refused, or fails, has no body either", async () => {
		const server = facing(() => {
			throw new Error("a test's own");
		});
		const client = await server.dial();
		client.send(get("/first").replace("GET", "HEAD") + get("/next"));
		expect((await client.answer("HEAD")).status).toBe(500);
		expect((await client.answer()).status).toBe(500);
	});

	test("each cookie that is set has a line of its own", async () => {
		const server = facing(
			() =>
				new Response("", {
					headers: [
						["Set-Cookie", "a=b; Path=/, c"],
						["Set-Cookie", "d=e"],
						["Vary", "a"],
						["Vary", "b"],
					],
				}),
		);
		const client = await server.dial();
		client.send(get("/"));
		const { headers } = await client.answer();
		expect(headers.get("set-cookie")).toEqual(["a=b; Path=/, c", "d=e"]);
		expect(headers.get("vary")?.join(", ")).toBe("a, b");
	});

	test("what an answer says of its own framing is not repeated, and never contradicted", async () => {
		for (const headers of [
			{ "Content-Length": "3" },
			{ "Content-Length": "5" },
			{ "Content-Length": "500" },
			{ "Transfer-Encoding": "chunked" },
			{ "Transfer-Encoding": "gzip", "Content-Length": "2" },
			{ Connection: "keep-alive" },
			{ "Keep-Alive": "timeout=5" },
		] as Record<string, string>[])
			for (const body of ["hello", Buffer.from("hello")]) {
				const server = facing(() => new Response(body, { headers }));
				const client = await server.dial();
				client.send(get("/first") + get("/next", "Connection: close\r\n"));
				const answers = readAnswers(await client.rest());
				expect(answers.map(({ body }) => body)).toEqual(["hello", "hello"]);
			}
	});

	test("a line of its own cannot be put into an answer", async () => {
		for (const text of ["a\r\nX-Evil: b", "a\nX-Evil: b", "a\rb", "a\0b"]) {
			const server = facing(() => {
				try {
					return new Response("made", { headers: { "X-Any": text } });
				} catch {
					return new Response("not made", { statusText: text });
				}
			});
			const client = await server.dial();
			client.send(get("/", "Connection: close\r\n"));
			const rest = await client.rest();
			// Either nothing at all was answered, or something without it.
			for (const { headers } of readAnswers(rest))
				expect(headers.has("x-evil")).toBe(false);
		}
	});

	test("megabytes arrive as they are", async () => {
		const text = megabytes(9_000_000);
		const bytes = Buffer.from(text, "latin1");
		const server = facing(() => new Response(bytes));
		const client = await server.dial();
		client.send(get("/first") + get("/next"));
		for (let n = 0; n < 2; n++) {
			const { body } = await client.answer();
			expect(body === text).toBe(true);
		}
	});
});

test("a handler that fails is answered for, in no words of its own, and the connection lives or ends in order", async () => {
	for (const fail of [
		() => {
			throw new Error("sesame");
		},
		() => Promise.reject(new Error("sesame")),
		() => Promise.reject("sesame"),
		() => undefined as never,
		() => Promise.resolve(null as never),
		async () => {
			const response = new Response("used");
			await response.text();
			return response;
		},
		() => {
			const response = new Response("locked");
			response.body?.getReader();
			return response;
		},
	]) {
		const server = facing((request) =>
			request.url.endsWith("/next") ? new Response("next") : fail(),
		);
		const client = await server.dial();
		client.send(get("/first"));
		const answer = await client.answer();
		expect(answer.status).toBe(500);
		expect(answer.body).not.toContain("sesame");
		const next = await server.dial();
		next.send(get("/next"));
		expect((await next.answer()).body).toBe("next");
	}
});

import { afterEach, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { createEgress } from "../../src/egress.ts";
import type { Answer } from "../../src/http1/answer.ts";
import type { HttpClient } from "../../src/http1/client.ts";
import { type AwaitedExchange, awaited } from "../../src/http1/exchange.ts";
import { EgressError } from "../../src/http1/failure.ts";
import type { Request1 } from "../../src/http1/request.ts";
import { closeAll, opened } from "../support/opened.ts";
import { until } from "../support/until.ts";
import {
	type RawConnection,
	type RawServer,
	startRaw,
	whole,
} from "./raw-server.ts";

afterEach(closeAll);

const egress = createEgress({ allowPrivate: ["127.0.0.0/8"] });

type Setting = { readonly server: RawServer; readonly client: HttpClient };

function facing(
	script: (connection: RawConnection, request: string) => void,
): Setting {
	const server = startRaw(script);
	const client = egress.openClient(server.url);
	opened.push(client, { close: server.stop });
	return { server, client };
}

function post(client: HttpClient, repeatable = false): AwaitedExchange {
	const request: Request1 = {
		method: "POST",
		headers: egress.headers({ "content-type": "application/json" }),
		body: Buffer.from("{}"),
		timeoutMs: 5000,
		repeatable,
	};
	return awaited((to) => client.send(request, to));
}

async function textOf(answer: Answer): Promise<string> {
	const parts: Uint8Array[] = [];
	for (;;) {
		const piece = await answer.body.next();
		if (!piece) return Buffer.concat(parts).toString();
		parts.push(piece);
	}
}

/** What a request came to, in one line. */
async function outcome({
	answer,
}: Pick<AwaitedExchange, "answer">): Promise<string> {
	try {
		return await textOf(await answer);
	} catch (error) {
		return error instanceof EgressError
			? error.reach
			: (error as Error).message;
	}
}

const NOT_HTTP = "the server's answer is not HTTP/1.1: ";

for (const [name, text, expected] of [
	["a length", whole("hello"), "hello"],
	["no body", "HTTP/1.1 204 No Content\r\n\r\n", ""],
	["no reason", "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", "ok"],
	[
		"chunks",
		"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nx-trailer: a\r\n\r\n",
		"hello",
	],
	[
		"interim heads before the answer",
		`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${whole("hello")}`,
		"hello",
	],
	[
		"a body that ends with the connection",
		"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello",
		"hello",
	],
	["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"],
] as const)
	test(`an answer with ${name} is read, in whatever pieces it arrives`, async () => {
		for (const size of [text.length, 7, 1]) {
			const { client } = facing(async ({ write, end }) => {
				for (let at = 0; at < text.length; at += size) {
					write(text.slice(at, at + size));
					if (size < text.length) await Bun.sleep(0);
				}
				if (/close|1\.0/.test(text)) end();
			});
			expect(await outcome(post(client))).toBe(expected);
		}
	});

for (const [name, text, fault] of [
	["no status line", "hello\r\n\r\n", "its first line is no status line"],
	[
		"another protocol",
		"HTTP/2 200 OK\r\n\r\n",
		"its first line is no status line",
	],
	[
		"a status that is no number",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"its first line is no status line",
	],
	[
		"line feeds alone",
		"HTTP/1.1 200 OK\ncontent-length: 0\n\r\n\r\n",
		"its first line is no status line",
	],
	[
		"a space before the colon",
		"HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello",
		"a header has no proper name",
	],
	[
		"a continued line",
		"HTTP/1.1 200 OK\r\nx: a\r\n b: c\r\n\r\n",
		"a header has no proper name",
	],
	[
		"a bare CR in a value",
		"HTTP/1.1 200 OK\r\nx: a\rcontent-length: 1\r\n\r\n",
		"a header holds a control character",
	],
	[
		"two lengths",
		"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
		"it says content-length twice",
	],
	[
		"a length and chunks",
		"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
		"it says its length in two ways",
	],
	[
		"a negative length",
		"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
		"its length is no number",
	],
	[
		"a list of lengths",
		"HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
		"its length is no number",
	],
	[
		"an unknown transfer coding",
		"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
		"its transfer coding is not known",
	],
	[
		"chunks in HTTP/1.0",
		"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
		"it says its length in two ways",
	],
	[
		"a protocol change",
		"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
		"it changes the protocol unasked",
	],
	[
		"endless interim heads",
		"HTTP/1.1 100 Continue\r\n\r\n".repeat(30),
		"it has too many interim heads",
	],
	[
		"an endless head",
		`HTTP/1.1 200 OK\r\nx: ${"a".repeat(70_000)}`,
		"its head is too large",
	],
	[
		"a coding nobody knows",
		"HTTP/1.1 200 OK\r\ncontent-encoding: zip\r\ncontent-length: 1\r\n\r\nx",
		"its content coding is not known",
	],
] as const)
	test(`RFC 9112: an answer with ${name} is refused, and its connection never used again`, async () => {
		const { client, server } = facing(({ number, write }) => {
			write(number === 1 ? text : whole("fine"));
		});
		expect(await outcome(post(client))).toBe(NOT_HTTP + fault);
		expect(await outcome(post(client))).toBe("fine");
		expect(server.connections()).toBe(2);
	});

for (const [name, chunks, fault] of [
	[
		"longer than it says",
		"3\r\nhello\r\n0\r\n\r\n",
		"a chunk is longer than it says",
	],
	["without a length", "\r\nhello\r\n", "a chunk does not say its length"],
	[
		"with a length in words",
		"five\r\nhello\r\n",
		"a chunk does not say its length",
	],
	[
		"with a signed length",
		"+5\r\nhello\r\n",
		"a chunk does not say its length",
	],
	[
		"with line feeds alone",
		"5\nhello\n0\n\n",
		"a line between its chunks has no proper end",
	],
	[
		"with an endless extension",
		`5;${"x".repeat(9000)}`,
		"a line between its chunks is too long",
	],
	[
		"with endless trailers",
		`0\r\n${"a: b\r\n".repeat(100)}`,
		"it has too many trailers",
	],
] as const)
	test(`RFC 9112 7.1: a chunk ${name} breaks the answer`, async () => {
		const { client, server } = facing(({ number, write }) => {
			write(
				number === 1
					? `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`
					: whole("fine"),
			);
		});
		expect(await outcome(post(client))).toBe(NOT_HTTP + fault);
		expect(await outcome(post(client))).toBe("fine");
		expect(server.connections()).toBe(2);
	});

test("a connection is kept and used again", async () => {
	const { client, server } = facing(({ requests, write }) => {
		write(whole(String(requests)));
	});
	for (const expected of ["1", "2", "3"])
		expect(await outcome(post(client))).toBe(expected);
	expect(server.connections()).toBe(1);
});

for (const [name, text] of [
	[
		"says close",
		"HTTP/1.1 200 OK\r\nconnection: keep-alive, Close\r\ncontent-length: 2\r\n\r\nok",
	],
	["is HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"],
	[
		"is followed by more than it says",
		`${whole("ok")}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`,
	],
] as const)
	test(`an answer that ${name} is the last on its connection`, async () => {
		const { client, server } = facing(({ write }) => {
			write(text);
		});
		expect(await outcome(post(client))).toBe("ok");
		expect(await outcome(post(client))).toBe("ok");
		expect(server.connections()).toBe(2);
	});

test("what a server says unasked answers nobody", async () => {
	const spoken = Promise.withResolvers<void>();
	const { client, server } = facing(({ number, write }) => {
		write(whole("first"));
		if (number > 1) return;
		setTimeout(() => {
			write(whole("evil"));
			spoken.resolve();
		}, 20);
	});
	expect(await outcome(post(client))).toBe("first");
	await spoken.promise;
	await until("the connection is closed", () => server.closed() === 1);
	expect(await outcome(post(client))).toBe("first");
	expect(server.connections()).toBe(2);
});

for (const repeatable of [true, false])
	test(`a kept connection that dies under a request ${repeatable ? "is replaced when the request changes nothing" : "fails a request that may have been read"}`, async () => {
		const { client, server } = facing(({ number, requests, write, reset }) => {
			if (number === 1 && requests === 2) reset();
			else write(whole("fine"));
		});
		expect(await outcome(post(client))).toBe("fine");
		expect(await outcome(post(client, repeatable))).toBe(
			repeatable ? "fine" : "lost",
		);
		expect(server.requests.length).toBe(repeatable ? 3 : 2);
	});

test("a request that changes nothing is not sent again when its answer has begun, or on a new connection", async () => {
	const { client, server } = facing(({ number, requests, write, reset }) => {
		if (number === 1 && requests === 1) return void write(whole("fine"));
		if (number === 1) write("HTTP/1.1 200 OK\r\n");
		setTimeout(reset, 20);
	});
	expect(await outcome(post(client))).toBe("fine");
	expect(await outcome(post(client, true))).toBe("lost");
	expect(await outcome(post(client, true))).toBe("lost");
	expect(server.requests.length).toBe(3);
});

test("a kept connection that the server closes is replaced before anybody notices", async () => {
	const { client, server } = facing(({ number, write, end }) => {
		write(whole("fine"));
		if (number === 1) end();
	});
	expect(await outcome(post(client))).toBe("fine");
	// By the time another client was answered, the news of the end has arrived.
	const other = egress.openClient(server.url);
	opened.push(other);
	await outcome(post(other));
	expect(await outcome(post(client))).toBe("fine");
	expect(server.connections()).toBe(3);
});

test("an answer cut short is lost, whatever its framing", async () => {
	for (const text of [
		"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\ncontent-len",
		"",
	]) {
		const { client } = facing(({ write, end }) => {
			if (text !== "") write(text);
			end();
		});
		expect(await outcome(post(client))).toBe("lost");
	}
});

test("a slow answer ends with the time that was given, and takes its connection along", async () => {
	const { client, server } = facing(({ write }) => {
		write("HTTP/1.1 200 OK\r\n");
	});
	const request: Request1 = {
		method: "GET",
		headers: egress.headers({}),
		timeoutMs: 50,
		repeatable: true,
	};
	const late = awaited((to) => client.send(request, to));
	expect(await outcome(late)).toBe("late");
	await until("the connection is closed", () => server.closed() === 1);
});

test("an abandoned request closes its connection, and the next one gets a new one", async () => {
	const arrived = Promise.withResolvers<void>();
	const { client, server } = facing(({ number, write }) => {
		if (number === 1) arrived.resolve();
		else write(whole("fine"));
	});
	const exchange = post(client);
	await arrived.promise;
	exchange.abandon();
	expect(await outcome(exchange)).toBe("the request was cancelled");
	await until("the connection is closed", () => server.closed() === 1);
	expect(await outcome(post(client))).toBe("fine");
});

test("a connection that nobody uses is closed after a while, and the next request opens another", async () => {
	const { client, server } = facing(({ write }) => void write(whole("fine")));
	const used = await Promise.all([1, 2, 3].map(() => outcome(post(client))));
	expect(used).toEqual(["fine", "fine", "fine"]);
	const restedMs = performance.now();
	await until("all are closed", () => server.closed() === 3);
	// It is kept for as long as another request may well come.
	expect(performance.now() - restedMs).toBeGreaterThan(3000);
	expect(await outcome(post(client))).toBe("fine");
	expect(await outcome(post(client))).toBe("fine");
	expect(server.connections()).toBe(4);
	client.close();
	await until("the last is closed", () => server.closed() === 4);
	expect(await outcome(post(client))).toBe("the request was cancelled");
}, 20_000);

test("a server that is faster than its reader is braked", async () => {
	const total = 64 * 1024 * 1024;
	const block = Buffer.alloc(1024 * 1024, "x");
	let accepted = 0;
	const { client } = facing(({ write }) => {
		write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
		const pump = (): void => {
			while (accepted < total) {
				const written = write(
					block.subarray(0, Math.min(block.length, total - accepted)),
				);
				accepted += Math.max(0, written);
				if (written < block.length) break;
			}
			if (accepted < total) setTimeout(pump, 1);
		};
		pump();
	});
	const answer = await post(client).answer;
	let before = -1;
	while (before !== accepted) {
		before = accepted;
		await Bun.sleep(100);
	}
	// What is under way: our own megabyte, and what the kernel keeps for both sides.
	expect(accepted).toBeLessThan(24 * 1024 * 1024);
	expect((await textOf(answer)).length).toBe(total);
});

test("side by side, requests get connections of their own, in bounds, and wait beyond them", async () => {
	const waiting: (() => void)[] = [];
	const { client, server } = facing(({ write }) => {
		waiting.push(() => void write(whole("fine")));
	});
	const exchanges = Array.from({ length: 300 }, () => post(client));
	await until("256 requests arrive", () => waiting.length === 256);
	expect(server.connections()).toBe(256);
	for (const answer of waiting.splice(0)) answer();
	await until("the rest arrives", () => waiting.length === 44);
	for (const answer of waiting.splice(0)) answer();
	for (const exchange of exchanges)
		expect(await outcome(exchange)).toBe("fine");
	expect(server.connections()).toBe(256);
});

test("a compressed answer is read, although nobody asked for one", async () => {
	const body = gzipSync("hello");
	const { client } = facing(({ write }) => {
		write(
			`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`,
		);
		write(body);
	});
	expect(await outcome(post(client))).toBe("hello");
});

test("a header that would end its line is never sent", () => {
	for (const headers of [
		{ "x-a": "b\r\nx-c: d" },
		{ "x-a\r\nx-c": "d" },
		{ "x a": "b" },
		{ "x-a": "\0" },
		{ host: "elsewhere.test" },
		{ "Content-Length": "5" },
		{ "transfer-encoding": "chunked" },
	])
		expect(() => egress.headers(headers as Record<string, string>)).toThrow(
			/cannot be sent|the host is the URL's/,
		);
});

test("closing a client ends what is under way, and it sends nothing more", async () => {
	const { client, server } = facing(() => {});
	const exchange = post(client);
	await until("the request arrives", () => server.requests.length === 1);
	client.close();
	expect(await outcome(exchange)).toBe("lost");
	expect(await outcome(post(client))).toBe("the request was cancelled");
	await until("the connection is closed", () => server.closed() === 1);
});

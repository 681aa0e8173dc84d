/**
 * What is malformed, or could be read in two ways, is answered with one refusal, and nothing after it on the
 * connection is a request any more: what one reader takes for a body, another would take for somebody's request.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
	chunkedHead,
	echo,
	type Facing,
	facing,
	get,
	leaveAll,
	post,
	postChunks,
} from "./facing.ts";
import { type RawAnswer, readAnswers } from "./raw-answer.ts";

setDefaultTimeout(20_000);

afterEach(leaveAll);

/** What a smuggler wants to have answered. */
const SMUGGLED = get("/smuggled");
const REQUEST_BYTES_MAX = 80 * 1024 * 1024;

/** What a connection comes to on which this was sent, and then a good request. */
async function cameTo(
	server: Facing,
	bytes: string,
): Promise<readonly RawAnswer[]> {
	const client = await server.dial();
	client.send(bytes + SMUGGLED);
	const answers = readAnswers(await client.rest());
	client.send(SMUGGLED);
	// Whatever is asked now is asked after all of that.
	const next = await server.dial();
	next.send(get("/next"));
	expect((await next.answer()).body).toBe("handled");
	return answers;
}

/** Expects one refusal, and that nobody was asked anything. */
async function expectRefused(
	bytes: string,
	...statuses: readonly number[]
): Promise<void> {
	const server = facing(() => new Response("handled"));
	const answers = await cameTo(server, bytes);
	expect(answers.map(({ status }) => status)).toEqual([
		statuses.find((status) => status === answers[0]?.status) ??
			(statuses[0] as number),
	]);
	expect(answers[0]?.header("connection")?.toLowerCase()).toBe("close");
	expect(server.asked).toEqual(["GET /next"]);
}

/** A request with these lines in its head. */
function withLines(...lines: readonly string[]): string {
	return `POST /first HTTP/1.1\r\nHost: gate.test\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

describe("a length that is not one number is refused:", () => {
	for (const value of [
		"",
		" ",
		"+5",
		"-5",
		"-0",
		"0x5",
		"5.0",
		"1e1",
		"5 5",
		"5,5",
		"5, 5",
		"5;",
		"5a",
		"a",
		"\u00b2",
		"\u0665",
		'"5"',
		"5\u000b",
		"5\u0000",
		"99999999999999999999",
		"18446744073709551621",
		"9007199254740993",
	])
		test(JSON.stringify(value), () =>
			expectRefused(
				`${withLines(`Content-Length: ${Buffer.from(value).toString("latin1")}`)}hello`,
				400,
			),
		);

	for (const [name, lines] of [
		["twice, the same", ["Content-Length: 5", "Content-Length: 5"]],
		["twice, different", ["Content-Length: 5", "Content-Length: 6"]],
		["twice, in other letters", ["Content-Length: 5", "CONTENT-LENGTH: 0"]],
		["twice, once empty", ["Content-Length: 5", "Content-Length:"]],
		["apart", ["Content-Length: 5", "Accept: */*", "Content-Length: 5"]],
	] as const)
		test(name, () => expectRefused(`${withLines(...lines)}hello`, 400));
});

test("a length with white space around it, and with noughts before it, is that length", async () => {
	for (const value of ["5", "  5", "5  ", "\t5\t", "005"]) {
		const server = facing(echo);
		const client = await server.dial();
		client.send(`${withLines(`Content-Length:${value}`)}hello${get("/next")}`);
		expect((await client.answer()).body).toBe("hello");
		expect((await client.answer()).status).toBe(200);
		expect(server.asked).toEqual(["POST /first", "GET /next"]);
	}
});

test("a length beyond the largest body is refused before any of it comes", () =>
	expectRefused(withLines(`Content-Length: ${REQUEST_BYTES_MAX + 1}`), 413));

describe("a length and a transfer coding, in whatever order and dress, are refused:", () => {
	for (const [name, ...lines] of [
		["CL.TE", "Content-Length: 6", "Transfer-Encoding: chunked"],
		["TE.CL", "Transfer-Encoding: chunked", "Content-Length: 6"],
		["a length of nought", "Content-Length: 0", "Transfer-Encoding: chunked"],
		["an unknown coding", "Content-Length: 6", "Transfer-Encoding: identity"],
		["a coding of nothing", "Content-Length: 6", "Transfer-Encoding:"],
		["in small letters", "content-length: 6", "transfer-encoding: chunked"],
		["TE.TE", "Transfer-Encoding: chunked", "Transfer-Encoding: x"],
	] as const)
		test(name, () =>
			expectRefused(`${withLines(...lines)}0\r\n\r\nX`, 400, 501),
		);
});

describe("a transfer coding other than chunked is refused:", () => {
	for (const value of [
		"gzip",
		"identity",
		"gzip, chunked",
		"chunked, gzip",
		"chunked, identity",
		"chunked, chunked",
		"chunked,",
		",chunked",
		"chunked;q=1",
		"xchunked",
		"chunkedx",
		"chunked x",
		"chun ked",
		'"chunked"',
		"'chunked'",
		"chunke\u212a".replace("\u212a", "K"),
		"",
	])
		test(JSON.stringify(value), () =>
			expectRefused(
				`${withLines(`Transfer-Encoding: ${value}`)}0\r\n\r\n`,
				501,
				400,
			),
		);

	for (const value of ["\u000bchunked", "chunked\u0000", "\rchunked", "\u007f"])
		test(JSON.stringify(value), () =>
			expectRefused(
				`${withLines(`Transfer-Encoding: ${value}`)}0\r\n\r\n`,
				400,
			),
		);

	test("chunked, twice", () =>
		expectRefused(
			`${withLines("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}0\r\n\r\n`,
			400,
		));

	test("chunked, of a client that speaks HTTP/1.0", () =>
		expectRefused(
			"POST /first HTTP/1.0\r\nHost: gate.test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			400,
		));
});

test("chunked is chunked in any letters, and with white space around it", async () => {
	for (const value of ["chunked", "Chunked", "CHUNKED", "\tchunked \t"]) {
		const server = facing(echo);
		const client = await server.dial();
		client.send(
			`${withLines(`Transfer-Encoding:${value}`)}5\r\nhello\r\n0\r\n\r\n${get("/next")}`,
		);
		expect((await client.answer()).body).toBe("hello");
		expect((await client.answer()).status).toBe(200);
	}
});

test("a header that only resembles one that frames says nothing of the body", async () => {
	for (const line of [
		"Content_Length: 50",
		"X-Content-Length: 50",
		"Content-Lengt: 50",
		"Content-Length-X: 50",
		"Transfer_Encoding: chunked",
		"Transfer-Encodin: chunked",
		"TE: chunked",
		"Trailer: Content-Length",
		"Content-Encoding: chunked",
	]) {
		const server = facing(() => new Response("handled"));
		const client = await server.dial();
		client.send(withLines(line) + get("/next"));
		expect((await client.answer()).body).toBe("handled");
		expect((await client.answer()).body).toBe("handled");
		expect(server.asked).toEqual(["POST /first", "GET /next"]);
	}
});

describe("a header that is malformed is refused:", () => {
	for (const [name, line] of [
		["a space before the colon", "Content-Length : 5"],
		["a tab before the colon", "Transfer-Encoding\t: chunked"],
		["a space before the colon of any", "X-Any : x"],
		["a line that goes on", "X-Any: x\r\n Content-Length: 5"],
		["a line that goes on with a tab", "X-Any: x\r\n\tmore"],
		["a line of white space", "X-Any: x\r\n "],
		["no name", ": x"],
		["no colon", "X-Any"],
		["a space in its name", "X Any: x"],
		["NUL in its name", "X\u0000Any: x"],
		["NUL in its value", "X-Any: a\u0000b"],
		["NUL at its end", "X-Any: a\u0000"],
		["a bare CR in its value", "X-Any: a\rTransfer-Encoding: chunked"],
		["a bare CR at its end", "X-Any: a\r"],
		["a bare CR before its name", "\rX-Any: a"],
		["a bare LF in its value", "X-Any: a\nTransfer-Encoding: chunked"],
		["a bare LF at its end", "X-Any: a\nX-Other: b"],
		["a bare LF before its name", "\nX-Any: a"],
		["DEL in its value", "X-Any: a\u007fb"],
		["a vertical tab", "X-Any: a\u000bb"],
		["a form feed", "X-Any: a\u000cb"],
		["an escape", "X-Any: \u001b[31m"],
		["a letter beyond ASCII in its name", "X-\u00e9: x"],
		["a slash in its name", "X/Any: x"],
		["brackets in its name", "(X-Any): x"],
		["a quoted name", '"X-Any": x'],
		["an at sign in its name", "X@Any: x"],
	] as const)
		test(name, () => expectRefused(withLines(line), 400));

	test("white space before the first", () =>
		expectRefused(
			"GET /first HTTP/1.1\r\n Host: gate.test\r\nHost: gate.test\r\n\r\n",
			400,
		));
});

describe("a first line that is none is refused:", () => {
	for (const line of [
		"GET /first",
		"GET",
		"GET /first HTTP/1.1 ",
		"GET /first HTTP/1.1 x",
		"GET  /first HTTP/1.1",
		"GET /first  HTTP/1.1",
		" GET /first HTTP/1.1",
		"GET\t/first HTTP/1.1",
		"GET /first\tHTTP/1.1",
		"GET /first HTTP/1.1\t",
		"GET /first http/1.1",
		"GET /first HTTP/1",
		"GET /first HTTP/11",
		"GET /first HTTP/1.",
		"GET /first HTTP/.1",
		"GET /first HTTP/1.1.1",
		"GET /first HTTP/1,1",
		"GET /first HTTP/ 1.1",
		"GET /first HTTP/+1.1",
		"GET /first HTTP/1.10",
		"GET /first HTTP/1.\u0661",
		"GET /first HTTPS/1.1",
		"GET /first ICAP/1.0",
		"GET /first HTTP/1.1\rX-Any: x",
		"\u0000GET /first HTTP/1.1",
		"HTTP/1.1 200 OK",
		"G(ET /first HTTP/1.1",
		"G\u00c9T /first HTTP/1.1",
		"GET: /first HTTP/1.1",
		"/first HTTP/1.1",
		'"GET" /first HTTP/1.1',
		"GET,POST /first HTTP/1.1",
	])
		test(JSON.stringify(line), () =>
			expectRefused(
				`${Buffer.from(line).toString("latin1")}\r\nHost: gate.test\r\n\r\n`,
				400,
			),
		);

	test("a method without end", () =>
		expectRefused(
			`${"A".repeat(5000)} /first HTTP/1.1\r\nHost: gate.test\r\n\r\n`,
			400,
			501,
			431,
		));

	test("the hello of TLS", async () => {
		const server = facing(() => new Response("handled"));
		const client = await server.dial();
		client.send(
			`\u0016\u0003\u0001\u0002\u0000\u0001${"\u0000".repeat(506)}\r\n\r\n`,
		);
		await client.ended();
		expect(server.asked).toEqual([]);
	});
});

describe("a method that the platform does not know, and would take for GET, is refused:", () => {
	for (const method of ["FOO", "M-SEARCH", "TRACK", "TRACE", "get", "GETS"])
		test(method, () =>
			expectRefused(
				`${method} /first HTTP/1.1\r\nHost: gate.test\r\n\r\n`,
				501,
				400,
				405,
			),
		);
});

describe("another major version is refused:", () => {
	for (const version of ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9"])
		test(version, () =>
			expectRefused(`GET /first ${version}\r\nHost: gate.test\r\n\r\n`, 505),
		);

	test("the preface of HTTP/2", () =>
		expectRefused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505));
});

describe("a target that is no path is refused:", () => {
	for (const target of [
		"first",
		"*first",
		"/first#fragment",
		"#",
		"/a\u0000b",
		"/a\u0001b",
		"/a\u007fb",
		"/a\rb",
		"/a\nb",
		"/\u00e9",
		"?a=b",
		"..",
		"gate.test/first",
		"ftp://gate.test/first",
		"javascript:alert(1)",
		"http:/first",
		"http:first",
		"http://",
		"http:///first",
		"http://user@gate.test/first",
		"http://gate.test:80@evil.test/first",
	])
		test(JSON.stringify(target), () =>
			expectRefused(
				`GET ${target} HTTP/1.1\r\nHost: gate.test\r\n\r\n`,
				400,
				421,
			),
		);

	test("a tunnel", () =>
		expectRefused(
			"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n",
			400,
			405,
			501,
		));
});

describe("a request that does not name one host is refused:", () => {
	for (const [name, lines] of [
		["none", ""],
		["an empty one", "Host:\r\n"],
		["two", "Host: gate.test\r\nHost: evil.test\r\n"],
		["the same, twice", "Host: gate.test\r\nHost: gate.test\r\n"],
		["two, apart", "Host: gate.test\r\nX: x\r\nhost: evil.test\r\n"],
		["a list", "Host: gate.test, evil.test\r\n"],
		["a space in it", "Host: gate.test evil.test\r\n"],
		["a tab in it", "Host: gate.test\tevil.test\r\n"],
		["a user", "Host: user@gate.test\r\n"],
		["a user and a password", "Host: gate.test:80@evil.test\r\n"],
		["a path", "Host: gate.test/path\r\n"],
		["a backslash", "Host: gate.test\\evil.test\r\n"],
		["a query", "Host: gate.test?evil\r\n"],
		["a fragment", "Host: gate.test#evil\r\n"],
		["a scheme", "Host: http://gate.test\r\n"],
		["a port that is no number", "Host: gate.test:http\r\n"],
		["a port too large", "Host: gate.test:99999999\r\n"],
		["two ports", "Host: gate.test:80:80\r\n"],
		["a bracket that stays open", "Host: [::1\r\n"],
		["brackets around nothing", "Host: []\r\n"],
		["no address in brackets", "Host: [gate.test]\r\n"],
		["letters after the brackets", "Host: [::1]x\r\n"],
		["an address without brackets", "Host: ::1\r\n"],
		["NUL", "Host: gate.test\u0000\r\n"],
		["letters beyond ASCII", "Host: g\u00e4te.test\r\n"],
		["angle brackets", "Host: <script>\r\n"],
		["quotes", 'Host: "gate.test"\r\n'],
	] as const)
		test(name, () => expectRefused(`GET /first HTTP/1.1\r\n${lines}\r\n`, 400));
});

describe("a head that is too large is refused:", () => {
	for (const [name, bytes] of [
		["one long header", withLines(`X-Any: ${"x".repeat(1024 * 1024)}`)],
		["a long name", withLines(`${"X".repeat(1024 * 1024)}: x`)],
		["a long target", get(`/${"x".repeat(1024 * 1024)}`)],
		[
			"a hundred thousand headers",
			withLines(...Array.from({ length: 100_000 }, (_, n) => `X-${n}: x`)),
		],
		[
			"a thousand headers",
			withLines(...Array.from({ length: 1000 }, (_, n) => `X-${n}: x`)),
		],
	] as const)
		test(name, () => expectRefused(bytes, 431, 414));

	test("without an end", async () => {
		const server = facing(() => new Response("handled"));
		const client = await server.dial();
		client.send(`GET / HTTP/1.1\r\nHost: gate.test\r\nX: ${"x".repeat(1e6)}`);
		const answers = readAnswers(await client.rest());
		expect(answers.map(({ status }) => status)).toEqual([431]);
		expect(server.asked).toEqual([]);
	});
});

describe("what a client expects and nobody knows is refused:", () => {
	for (const value of ["a-miracle", "100-continue, a-miracle", "100", ""])
		test(JSON.stringify(value), () =>
			expectRefused(
				`${withLines(`Expect: ${value}`, "Content-Length: 5")}hello`,
				417,
				400,
			),
		);
});

test("a few empty lines before a request are passed over, the first time and after a body", async () => {
	const server = facing(echo);
	const client = await server.dial();
	client.send(`\r\n${post("/first", "hello")}\r\n${post("/second", "again")}`);
	expect((await client.answer()).body).toBe("hello");
	expect((await client.answer()).body).toBe("again");
	await client.drip(["\r\n", post("/third", "later")]);
	expect((await client.answer()).body).toBe("later");
	await client.drip(["\r", "\n", post("/fourth", "last")]);
	expect((await client.answer()).body).toBe("last");
});

test("empty lines without end are no request", async () => {
	const server = facing(() => new Response("handled"));
	const client = await server.dial();
	client.send("\r\n".repeat(1000) + get("/first"));
	await client.ended();
	expect(server.asked).toEqual([]);
});

test("lines that end in a line feed alone are no request", async () => {
	const server = facing(() => new Response("handled"));
	for (const head of [
		"GET /first HTTP/1.1\nHost: gate.test\n\n",
		"GET /first HTTP/1.1\r\nHost: gate.test\n\n",
		"GET /first HTTP/1.1\r\nHost: gate.test\n\r\n",
		"GET /first HTTP/1.1\r\nHost: gate.test\r\n\n",
		"GET /first HTTP/1.1\nHost: gate.test\r\n\r\n",
		"GET /first HTTP/1.1\rHost: gate.test\r\r",
	]) {
		const client = await server.dial();
		client.send(head + get("/smuggled"));
		const answers = readAnswers(await client.rest());
		expect([head, ...answers.map(({ status }) => status)]).toEqual([head, 400]);
	}
	expect(server.asked).toEqual([]);
});

describe("chunks that are malformed are refused, and are nobody's body:", () => {
	for (const [name, body] of [
		["no size", "\r\nhello\r\n0\r\n\r\n"],
		["a size that is no number", "g\r\nhello\r\n0\r\n\r\n"],
		["a negative size", "-5\r\nhello\r\n0\r\n\r\n"],
		["a size with a plus", "+5\r\nhello\r\n0\r\n\r\n"],
		["a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"],
		["a size after a space", " 5\r\nhello\r\n0\r\n\r\n"],
		["a size with an underscore", "0_5\r\nhello\r\n0\r\n\r\n"],
		["a size in quotes", '"5"\r\nhello\r\n0\r\n\r\n'],
		["a size of 2^64 and more", "10000000000000005\r\nhello\r\n0\r\n\r\n"],
		["a size of 2^32 after it", "100000005\r\nhello\r\n0\r\n\r\n"],
		["a size of f's", `${"f".repeat(16)}\r\nhello\r\n0\r\n\r\n`],
		["a size of very many noughts", `${"0".repeat(9000)}5\r\nhello\r\n`],
		["a size and a bare LF", "5\nhello\r\n0\r\n\r\n"],
		["a size and a bare CR", "5\rhello\r\n0\r\n\r\n"],
		["a bare LF in an extension", "5;a=b\nhello\r\n0\r\n\r\n"],
		["a bare CR in an extension", "5;a\r=b\r\nhello\r\n0\r\n\r\n"],
		["NUL in an extension", "5;\u0000\r\nhello\r\n0\r\n\r\n"],
		["an extension without end", `5;${"x".repeat(100_000)}`],
		["a list of sizes", "5,5\r\nhello\r\n0\r\n\r\n"],
		["two sizes", "5 5\r\nhello\r\n0\r\n\r\n"],
		["data longer than its size", "5\r\nhello!\r\n0\r\n\r\n"],
		["data shorter than its size", "6\r\nhello\r\n0\r\n\r\n"],
		["data without its CRLF", "5\r\nhello0\r\n\r\n"],
		["data with a bare LF after it", "5\r\nhello\n0\r\n\r\n"],
		["data with a bare CR after it", "5\r\nhello\r0\r\n\r\n"],
		["data with two letters after it", "5\r\nhelloXX0\r\n\r\n"],
		["a last chunk with a bare LF", "5\r\nhello\r\n0\n\n"],
		["an end with a bare LF", "5\r\nhello\r\n0\r\n\n"],
		["an end with a bare CR", "5\r\nhello\r\n0\r\n\rX\n"],
		[
			"trailers without end",
			`5\r\nhello\r\n0\r\n${Array.from({ length: 10_000 }, (_, n) => `X-${n}: x\r\n`).join("")}\r\n`,
		],
		["a trailer without end", `5\r\nhello\r\n0\r\nX: ${"x".repeat(100_000)}`],
		["a trailer without a colon", "5\r\nhello\r\n0\r\nX\r\n\r\n"],
		["a trailer without a name", "5\r\nhello\r\n0\r\n: x\r\n\r\n"],
		["a trailer that goes on", "5\r\nhello\r\n0\r\nX: x\r\n y\r\n\r\n"],
		["a trailer with NUL", "5\r\nhello\r\n0\r\nX: \u0000\r\n\r\n"],
		["a trailer with a bare LF", "5\r\nhello\r\n0\r\nX: x\n\r\n"],
		["a trailer with a bare CR", "5\r\nhello\r\n0\r\nX: x\rY: y\r\n\r\n"],
		["a request for a trailer", `5\r\nhello\r\n0\r\n${SMUGGLED}`],
	] as const)
		for (const way of ["in one packet", "after its head", "in single bytes"])
			if (way !== "in single bytes" || body.length < 100)
				test(`${name}, ${way}`, async () => {
					const whole: string[] = [];
					const server = facing(async (request) => {
						if (request.method === "GET") return new Response("handled");
						whole.push(await request.bytes().then(String, () => "cut"));
						return new Response("believed");
					});
					const client = await server.dial();
					const head = chunkedHead("/first");
					if (way === "in one packet") client.send(head + body + SMUGGLED);
					else if (way === "in single bytes")
						await client.drip([head, ...body, SMUGGLED]);
					else await client.drip([head, body + SMUGGLED]);
					const answers = readAnswers(await client.rest());
					const [status] = answers.map(({ status }) => status);
					expect([400, 413, 431]).toContain(status as number);
					expect(answers.length).toBe(1);
					expect(answers[0]?.header("connection")).toBe("close");
					const next = await server.dial();
					next.send(get("/next"));
					expect((await next.answer()).body).toBe("handled");
					expect(whole.filter((body) => body !== "cut")).toEqual([]);
					expect(server.asked.filter((path) => path !== "POST /first")).toEqual(
						["GET /next"],
					);
				});
});

test("chunks of any size, with extensions and trailers, are one body, and trailers are no headers", async () => {
	const server = facing(async (request) => {
		const body = Buffer.from(await request.bytes()).toString();
		return new Response(`${body} ${request.headers.get("x-late")}`);
	});
	const client = await server.dial();
	for (const body of [
		"5\r\nhello\r\n0\r\n\r\n",
		"05\r\nhello\r\n000\r\n\r\n",
		"1\r\nh\r\n4\r\nello\r\n0\r\n\r\n",
		"5;a\r\nhello\r\n0;b=c\r\n\r\n",
		'5;a="b c";d\r\nhello\r\n0\r\n\r\n',
		"5 ; a = b\r\nhello\r\n0\r\n\r\n",
		"5\r\nhello\r\n0\r\nX-Late: yes\r\nContent-Length: 7\r\nHost: evil.test\r\n\r\n",
	]) {
		client.send(chunkedHead("/first") + body + get("/next"));
		expect([body, (await client.answer()).body]).toEqual([body, "hello null"]);
		expect((await client.answer()).body).toBe(" null");
		await client.drip([...chunkedHead("/first"), ...body]);
		expect([body, (await client.answer()).body]).toEqual([body, "hello null"]);
	}
	client.send(postChunks("/first", ["x".repeat(0xab), "y".repeat(0xab)]));
	expect((await client.answer()).body.length).toBe(2 * 0xab + " null".length);
});

test("a refusal ends a connection on which requests were answered before", async () => {
	const server = facing(() => new Response("handled"));
	const client = await server.dial();
	client.send(get("/first") + get("/second") + withLines("X : x") + SMUGGLED);
	const answers = readAnswers(await client.rest());
	expect(answers.map(({ status }) => status)).toEqual([200, 200, 400]);
	expect(server.asked).toEqual(["GET /first", "GET /second"]);
});

test("a refusal waits for the answer before it", async () => {
	const first = Promise.withResolvers<Response>();
	const server = facing(() => first.promise);
	const client = await server.dial();
	client.send(get("/first"));
	client.send(withLines("X : x") + SMUGGLED);
	await client.drip([SMUGGLED]);
	first.resolve(new Response("first"));
	const answers = readAnswers(await client.rest());
	expect(answers.map(({ status }) => status)).toEqual([200, 400]);
	expect(answers[0]?.body).toBe("first");
});

test("a refusal says nothing of what it refuses", async () => {
	const server = facing(() => new Response("handled"));
	const client = await server.dial();
	client.send(withLines("X-Any : <script>alert(1)</script>"));
	const rest = await client.rest();
	expect(rest).toStartWith("HTTP/1.1 400 ");
	expect(rest).not.toContain("script");
});

/**
 * Any sequence of good requests, cut into packets anywhere, has the answers of its requests in their order; and what
 * is spoilt in one place changes nothing of what stands before it.
 */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { facing, leaveAll, pathOf } from "./facing.ts";
import { readAnswer } from "./raw-answer.ts";
import type { RawClient } from "./raw-client.ts";

setDefaultTimeout(60_000);

afterAll(leaveAll);

type Asked = {
	readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
	readonly path: string;
	readonly headers: readonly (readonly [name: string, value: string])[];
	/** None, one with a length, or one in chunks. */
	readonly body: string | readonly string[] | null;
	/** How it is to be answered. */
	readonly how: "text" | "bytes" | "stream" | "late" | "unread";
};

const printable = fc.string({
	unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
	maxLength: 12,
});
/** Bytes that look like the seams of HTTP more often than chance would have it. */
const content = fc
	.array(
		fc.oneof(
			fc.constantFrom(
				"\r\n",
				"\r\n\r\n",
				"0\r\n\r\n",
				"\r",
				"\n",
				"\0",
				"5\r\n",
			),
			fc.constantFrom("GET /inside HTTP/1.1\r\nHost: a\r\n\r\n"),
			fc.string({ unit: "binary-ascii", maxLength: 20 }),
			fc.integer({ min: 1, max: 9000 }).map((length) => "x".repeat(length)),
		),
		{ maxLength: 5 },
	)
	.map((parts) => parts.join(""));
const chunks = fc.array(
	content.filter((chunk) => chunk !== ""),
	{ maxLength: 4 },
);

const asked: fc.Arbitrary<Asked> = fc.record({
	method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE"),
	path: fc
		.string({
			unit: fc.constantFrom(..."abcxyz0189-._~!$&'()*+,;=:@/?%41".split("")),
			maxLength: 20,
		})
		.map((rest) => `/p${rest.replaceAll(".", "d")}`),
	headers: fc.array(
		fc.tuple(
			fc.nat(9).map((n) => `X-H${n}`),
			printable,
		),
		{
			maxLength: 5,
		},
	),
	body: fc.oneof(fc.constant(null), content, chunks),
	how: fc.constantFrom("text", "bytes", "stream", "late", "unread"),
});

/** One request in bytes, as a part of this run of many. */
function written(
	{ method, path, headers, body, how }: Asked,
	run: number,
): string {
	const framing =
		body === null
			? ""
			: typeof body === "string"
				? `Content-Length: ${body.length}\r\n`
				: "Transfer-Encoding: chunked\r\n";
	const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
	const head = `${method} ${path} HTTP/1.1\r\nHost: gate.test\r\nX-How: ${how}\r\nX-Run: ${run}\r\n${lines.join("")}${framing}\r\n`;
	if (typeof body === "string") return head + body;
	if (!body) return head;
	const all = body.map((each) => `${each.length.toString(16)}\r\n${each}\r\n`);
	return `${head}${all.join("")}0\r\n\r\n`;
}

function bodyOf({ body }: Asked): string {
	return typeof body === "string" ? body : (body ?? []).join("");
}

/** Cuts a text at these places, which are shares of its length. */
function packets(text: string, cuts: readonly number[]): readonly string[] {
	const places = [...new Set(cuts.map((cut) => Math.floor(cut * text.length)))]
		.filter((place) => place > 0)
		.sort((a, b) => a - b);
	return [0, ...places].map((place, at) => text.slice(place, places[at]));
}

type Heard = { readonly line: string; readonly body: string | null };

/** What was heard in each run; a late handler may outlive its own. */
const runs: Heard[][] = [];
/** Says what it heard, in the way that it was asked for. */
const server = facing(async (request) => {
	const how = request.headers.get("x-how");
	const heard = runs[Number(request.headers.get("x-run"))] ?? [];
	const line = `${request.method} ${pathOf(request.url)} ${request.headers.get("x-h1")}`;
	if (how === "unread") {
		heard.push({ line, body: null });
		return new Response(line);
	}
	if (how === "late") await Bun.sleep(1);
	const body = Buffer.from(await request.bytes());
	heard.push({ line, body: body.toString("latin1") });
	const answer = Buffer.concat([Buffer.from(`${line} `), body]);
	if (how !== "stream") return new Response(answer);
	const pieces = [answer.subarray(0, 7), answer.subarray(7)].values();
	return new Response(
		new ReadableStream({
			pull: async (sink) => {
				await Promise.resolve();
				const { done, value } = pieces.next();
				if (done) sink.close();
				else sink.enqueue(value);
			},
		}),
	);
});

function lineOf({ method, path, headers }: Asked): string {
	const values = headers
		.filter(([name]) => name === "X-H1")
		.map(([, value]) => value);
	return `${method} ${path} ${values.length > 0 ? values.join(", ") : null}`;
}

async function send(
	client: RawClient,
	all: readonly string[],
	isDripped: boolean,
): Promise<void> {
	if (isDripped) await client.drip(all);
	else for (const each of all) client.send(each);
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
	maxLength: 12,
});

test("good requests, cut anywhere, have their answers in their order", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(asked, { minLength: 1, maxLength: 6 }),
			cuts,
			fc.boolean(),
			async (requests, cuts, isDripped) => {
				const heard: Heard[] = [];
				const run = runs.push(heard) - 1;
				const client = await server.dial();
				const text = requests.map((each) => written(each, run)).join("");
				const sending = send(client, packets(text, cuts), isDripped);
				for (const request of requests) {
					const answer = await client.answer(request.method);
					expect(answer.status).toBe(200);
					const body = request.how === "unread" ? "" : ` ${bodyOf(request)}`;
					if (request.method !== "HEAD")
						expect(answer.body).toBe(lineOf(request) + body);
					if (answer.header("connection") === "close") break; // of an unread body, as it may
				}
				await sending;
				client.close();
				expect(heard).toEqual(requests.slice(0, heard.length).map(asHeard));
			},
		),
		{ numRuns: 300 },
	);
});

test("the same, spoilt in one place, changes nothing of what stands before, and a refusal is the last answer", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(
				asked.filter(({ method }) => method !== "HEAD"),
				{ minLength: 1, maxLength: 4 },
			),
			fc.double({ min: 0, max: 1, noNaN: true }),
			fc.constantFrom("\0", "\r", "\n", " ", ":", "\t", "\u00ff", "", "\r\n"),
			cuts,
			async (requests, place, spoil, cuts) => {
				const heard: Heard[] = [];
				const run = runs.push(heard) - 1;
				const text = requests.map((each) => written(each, run)).join("");
				const at = Math.floor(place * text.length);
				const spoilt = text.slice(0, at) + spoil + text.slice(at + 1);
				const client = await server.dial();
				await client.drip(packets(spoilt, cuts));
				client.finish();
				const statuses = statusesIn(await client.rest());
				let end = 0;
				const good = requests.filter((each) => {
					end += written(each, run).length;
					return end <= at;
				});
				const before = heard.slice(0, good.length);
				expect(before).toEqual(good.slice(0, before.length).map(asHeard));
				const refused = statuses.findIndex((status) => status >= 400);
				if (refused >= 0) expect(refused).toBe(statuses.length - 1);
			},
		),
		{ numRuns: 300 },
	);
});

/** The statuses of the answers that are whole. */
function statusesIn(text: string): readonly number[] {
	const statuses: number[] = [];
	for (let rest = text; ; ) {
		const read = readAnswer(rest, "GET", false);
		if (!read) return statuses;
		statuses.push(read.answer.status);
		rest = rest.slice(read.end);
	}
}

function asHeard(request: Asked): Heard {
	const isRead = request.how !== "unread";
	return { line: lineOf(request), body: isRead ? bodyOf(request) : null };
}

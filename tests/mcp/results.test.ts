import { afterEach, beforeEach, expect, test } from "bun:test";
import fc from "fast-check";
import type { Caller } from "../../src/caller.ts";
import { createResults, type Results } from "../../src/mcp/results.ts";
import { textOf, toBytes } from "../../src/message.ts";
import type { Pieces } from "../../src/pieces.ts";
import { wholeBody } from "../../src/upstream/reply.ts";
import type { Reply } from "../../src/upstream/upstream.ts";

const ada: Caller = {
	userId: "usr_ada",
	role: "member",
	clientId: "cli_1",
	grantId: null,
	scopes: ["mcp"],
};

type Block = Readonly<Record<string, unknown>>;

let results: Results;
let now = 0;

beforeEach(() => {
	now = 1000;
	results = createResults({ clock: { now: () => now, nowMs: () => 0 } });
});
afterEach(() => results.close());

function reply(value: unknown): Reply {
	return { member: "result", body: toBytes(JSON.stringify(value)) };
}

async function parsed({ body }: Reply): Promise<{
	readonly content: readonly Block[];
	readonly [member: string]: unknown;
}> {
	return JSON.parse(textOf(await wholeBody(body)));
}

function limited(value: unknown, limit = 1000, caller = ada): Promise<Reply> {
	return results.limit(caller, "srv_1", limit, "read_more", reply(value));
}

function more(handle: string, page: number, caller = ada): Reply {
	return results.more(
		caller,
		toBytes(JSON.stringify({ name: "read_more", arguments: { handle, page } })),
	).reply;
}

/** The handle in the last line of a page. */
function handleIn({ content }: { readonly content: readonly Block[] }): string {
	const line = String(content.at(-1)?.["text"]);
	return JSON.parse(/\{.*\}/.exec(line)?.[0] ?? "{}").handle;
}

/** Every page of a result, without the lines that are ours. */
async function pagesOf(
	value: unknown,
	limit: number,
): Promise<readonly (readonly Block[])[]> {
	const first = await parsed(await limited(value, limit));
	const pages = [first.content.slice(0, -1)];
	const handle = handleIn(first);
	for (let page = 2; ; page++) {
		const next = await parsed(more(handle, page));
		pages.push(next.content.slice(0, -1));
		if (!String(next.content.at(-1)?.["text"]).includes("next page"))
			return pages;
	}
}

test("a result within the limit is its own bytes", async () => {
	const body = toBytes(
		'{"content":[{"type":"text","text":"\\u0041"}],"n":1e400}',
	);
	const given = await results.limit(ada, "srv_1", 1000, "read_more", {
		member: "result",
		body,
	});
	expect(given.body).toBe(body);
});

test("a long text is given page by page, and the pages are the text", async () => {
	const text = "0123456789".repeat(500);
	const pages = await pagesOf({ content: [{ type: "text", text }] }, 1000);
	expect(pages).toHaveLength(5);
	expect(
		pages
			.flat()
			.map((block) => block["text"])
			.join(""),
	).toBe(text);
});

test("every text comes back whole, cut between characters, each page within its bytes", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 300 }), {
				minLength: 20,
				maxLength: 40,
			}),
			fc.integer({ min: 40, max: 300 }),
			async (texts, limit) => {
				const content = texts.map((text) => ({ type: "text", text }));
				fc.pre(Buffer.byteLength(texts.join("")) > 2 * limit);
				const pages = await pagesOf({ content }, limit);
				for (const page of pages) {
					const shown = page.map((block) => String(block["text"])).join("");
					expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(limit);
					expect(shown.isWellFormed()).toBe(true);
				}
				expect(
					pages
						.flat()
						.map((block) => block["text"])
						.join(""),
				).toBe(texts.join(""));
			},
		),
		{ numRuns: 15 },
	);
});

test("half a surrogate pair stays what it is", async () => {
	const text = "a\ud800b😀".repeat(300);
	const pages = await pagesOf({ content: [{ type: "text", text }] }, 500);
	expect(
		pages
			.flat()
			.map((block) => block["text"])
			.join(""),
	).toBe(text);
});

test("an error stays an error, and what else a result and its blocks say stays", async () => {
	const value = await parsed(
		await limited({
			isError: true,
			_meta: { trace: 1 },
			content: [
				{ type: "text", text: "x".repeat(3000), annotations: { priority: 1 } },
			],
			resultType: "complete",
		}),
	);
	expect(value).toMatchObject({
		isError: true,
		_meta: { trace: 1 },
		resultType: "complete",
	});
	expect(value.content[0]).toEqual({
		type: "text",
		text: "x".repeat(1000),
		annotations: { priority: 1 },
	});
});

test("an image that a page can hold stays whole; one that none can is said to be left out", async () => {
	const image = (bytes: number): Block => ({
		type: "image",
		mimeType: "image/png",
		data: "A".repeat(bytes),
	});
	const text = { type: "text", text: "x".repeat(900) };
	const [first, second] = await pagesOf(
		{ content: [text, image(600), image(5000)] },
		1000,
	);
	expect(first).toEqual([text]);
	expect(second).toEqual([
		image(600),
		{
			type: "text",
			text: "[image image/png of 5049 bytes left out: it is not text, and larger than the limit of 1000 bytes]",
		},
	]);
});

test("the text of an embedded resource is paged under its own address", async () => {
	const resource = {
		uri: "x://1",
		mimeType: "text/plain",
		text: "y".repeat(2500),
	};
	const pages = await pagesOf(
		{ content: [{ type: "resource", resource }] },
		1000,
	);
	expect(pages.flat()).toHaveLength(3);
	for (const block of pages.flat())
		expect(block).toMatchObject({
			type: "resource",
			resource: { uri: "x://1", mimeType: "text/plain" },
		});
});

test("structured content is read as text: once if a text says it too, and never beside the page", async () => {
	const structuredContent = { rows: Array.from({ length: 300 }, (_, n) => n) };
	const json = JSON.stringify(structuredContent);
	const said = { content: [{ type: "text", text: json }], structuredContent };
	const unsaid = {
		content: [{ type: "text", text: "Rows:" }],
		structuredContent,
	};
	const first = await parsed(await limited(said));
	expect(first["structuredContent"]).toBeUndefined();
	const texts = async (value: unknown): Promise<string> =>
		(await pagesOf(value, 1000))
			.flat()
			.map((block) => block["text"])
			.join("");
	expect(await texts(said)).toBe(json);
	expect(await texts(unsaid)).toBe(`Rows:${json}`);
});

test("a handle is one user's and one client's, and ends after a quarter of an hour", async () => {
	const first = await parsed(
		await limited({ content: [{ type: "text", text: "x".repeat(3000) }] }),
	);
	const handle = handleIn(first);
	const refused = [
		more(handle, 2, { ...ada, userId: "usr_bob" }),
		more(handle, 2, { ...ada, clientId: "cli_2" }),
		more("another", 2),
		results.more(ada, null).reply,
	];
	for (const each of refused)
		expect(await parsed(each)).toMatchObject({ isError: true });
	expect(await parsed(more(handle, 9))).toMatchObject({
		isError: true,
		content: [{ text: "page must be from 1 to 3" }],
	});
	// Another token of the same person and client reads on, as often as it likes.
	const other = { ...ada, grantId: "grt_2" };
	for (const _ of [1, 2])
		expect((await parsed(more(handle, 3, other))).content[0]).toEqual({
			type: "text",
			text: "x".repeat(1000),
		});
	now += 15 * 60 + 1;
	expect(await parsed(more(handle, 2))).toMatchObject({ isError: true });
});

test("what one client keeps is bounded in number and in bytes; the oldest goes, and nobody else's", async () => {
	const bob = { ...ada, userId: "usr_bob" };
	const long = { content: [{ type: "text", text: "x".repeat(3000) }] };
	const kept = handleIn(await parsed(await limited(long, 1000, bob)));
	const handles: string[] = [];
	for (let count = 0; count < 33; count++)
		handles.push(handleIn(await parsed(await limited(long))));
	expect((await parsed(more(handles[0] as string, 2)))["isError"]).toBe(true);
	expect(
		(await parsed(more(handles[1] as string, 2)))["isError"],
	).toBeUndefined();
	const big = { content: [{ type: "text", text: "x".repeat(12 << 20) }] };
	for (let count = 0; count < 3; count++) await limited(big, 1_000_000);
	expect((await parsed(more(handles[32] as string, 2)))["isError"]).toBe(true);
	expect((await parsed(more(kept, 2, bob)))["isError"]).toBeUndefined();
}, 30_000);

test("a result beyond all bounds is not kept, and the rest of it is not read", async () => {
	let read = 0;
	const body: Pieces = {
		next: async () => {
			read++;
			return new Uint8Array(1 << 20);
		},
		cancel: () => {},
	};
	await expect(
		results.limit(ada, "srv_1", 1000, "read_more", { member: "result", body }),
	).rejects.toThrow("more than 16 MiB, which was not kept");
	expect(read).toBeLessThan(20);
});

test("a result that has no content list is left as it is", async () => {
	for (const value of [
		{ other: "x".repeat(2000) },
		{ content: "x".repeat(2000) },
	])
		expect((await parsed(await limited(value))) as unknown).toEqual(value);
});

import { describe, expect, test } from "bun:test";
import { splice } from "../src/assembly.ts";
import { DEPTH_MAX, MalformedMessage } from "../src/malformed.ts";
import {
	elementsOf,
	memberOf,
	membersOf,
	parseJson,
	parseMessage,
	textOf,
	toBytes,
} from "../src/message.ts";

function parse(text: string): ReturnType<typeof parseMessage> {
	return parseMessage(toBytes(text));
}

function refusal(text: string): MalformedMessage {
	try {
		parse(text);
	} catch (error) {
		if (error instanceof MalformedMessage) return error;
		throw error;
	}
	throw new Error(`accepted: ${text}`);
}

describe("an envelope", () => {
	test("of a request keeps its id as it was written", () => {
		const message = parse('{"jsonrpc":"2.0","id":1.0e2,"method":"ping"}');
		expect(message).toMatchObject({
			kind: "request",
			id: "1.0e2",
			method: "ping",
			params: null,
		});
	});

	test("is read in any member order and spacing", () => {
		const text =
			' {\n"params" : {"name":"a}\\"b"} ,"method":"tools/call","id" : "x" , "jsonrpc":"2.0"} \n';
		const message = parse(text);
		if (message.kind !== "request" || !message.params)
			throw new Error("not a request");
		expect(textOf(message.bytes, message.params)).toBe('{"name":"a}\\"b"}');
	});

	test("of a response says which member answers", () => {
		const message = parse('{"result":{"a":[1,2]},"jsonrpc":"2.0","id":7}');
		if (message.kind !== "response") throw new Error("not a response");
		expect([
			message.id,
			message.member,
			textOf(message.bytes, message.body),
		]).toEqual(["7", "result", '{"a":[1,2]}']);
	});

	test("without an id is a notification", () => {
		expect(
			parse('{"jsonrpc":"2.0","method":"notifications/initialized"}').kind,
		).toBe("notification");
	});
});

test("an object with very many members is read at once", () => {
	const members = Array.from(
		{ length: 200_000 },
		(_, at) => `"key${at}":${at}`,
	);
	const text = `{${members.join(",")}}`;
	expect(membersOf(toBytes(text), 0)).toHaveLength(200_000);
	expect(() =>
		membersOf(toBytes(text.replace('"key199999"', '"key7"')), 0),
	).toThrow("twice");
});

describe("what is refused", () => {
	const cases: readonly (readonly [string, string, number])[] = [
		["text", "hello", -32600],
		["nothing", "", -32700],
		["an open object", '{"jsonrpc":"2.0"', -32700],
		["an open string", '{"jsonrpc":"2.0","method":"a', -32700],
		["text after the message", '{"jsonrpc":"2.0","method":"a"}{}', -32700],
		[
			"a batch (removed in 2025-06-18)",
			'[{"jsonrpc":"2.0","method":"a"}]',
			-32600,
		],
		["another version", '{"jsonrpc":"1.0","id":1,"method":"a"}', -32600],
		[
			"a member that stands twice",
			'{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}',
			-32600,
		],
		[
			"a member that stands twice in another spelling",
			'{"jsonrpc":"2.0","id":1,"method":"a","m\\u0065thod":"b"}',
			-32600,
		],
		[
			"a null id on a request",
			'{"jsonrpc":"2.0","id":null,"method":"a"}',
			-32600,
		],
		[
			"params that are a list",
			'{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}',
			-32600,
		],
		[
			"a result and an error at once",
			'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}',
			-32600,
		],
		[
			"brackets that do not match",
			'{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":[}]}',
			-32700,
		],
	];
	for (const [what, text, code] of cases)
		test(what, () => {
			expect(refusal(text).code).toBe(code as -32700);
		});

	test("nesting without end", () => {
		const deep = "[".repeat(DEPTH_MAX + 1);
		expect(
			refusal(`{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":${deep}`)
				.message,
		).toContain("deeply");
	});

	test("bytes that are not UTF-8", () => {
		expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(
			MalformedMessage,
		);
	});
});

test("a replaced name leaves every other byte as it was", () => {
	const text =
		'{"name":"notes_read","arguments":{"n":12345678901234567890,"s":"\\ud800","name":"notes_read"}}';
	const bytes = toBytes(text);
	const name = memberOf(bytes, 0, "name");
	if (!name) throw new Error("no name");
	expect(textOf(splice(bytes, [{ ...name, text: '"read"' }]))).toBe(
		text.replace("notes_read", "read"),
	);
});

test("members and elements cover random values exactly", () => {
	for (let seed = 1; seed <= 300; seed++) {
		const value = {
			list: [randomValue(seed, 0), randomValue(seed + 1000, 0)],
			other: randomValue(seed + 2000, 0),
		};
		for (const space of [undefined, 2]) {
			const bytes = toBytes(JSON.stringify(value, null, space));
			const members = membersOf(bytes, 0);
			expect(
				Object.fromEntries(
					members.map((member) => [member.key, parseJson(bytes, member)]),
				),
			).toEqual(value);
			const list = elementsOf(bytes, (members[0] as { start: number }).start);
			expect(list.map((range) => parseJson(bytes, range))).toEqual(value.list);
		}
	}
});

/** A JSON value that follows from its seed alone. */
function randomValue(seed: number, depth: number): unknown {
	let state = seed * 2654435761;
	const next = (below: number): number => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state % below;
	};
	const build = (level: number): unknown => {
		switch (next(level > 4 ? 5 : 7)) {
			case 0:
				return null;
			case 1:
				return next(2) === 0;
			case 2:
				return (next(2_000_000) - 1_000_000) / 8;
			case 3:
				return 'quote " backslash \\ brace } bracket ] \u2028 \u00e9 \\\\" '.slice(
					next(10),
					10 + next(40),
				);
			case 4:
				return "";
			case 5:
				return Array.from({ length: next(4) }, () => build(level + 1));
			default:
				return Object.fromEntries(
					Array.from({ length: next(4) }, (_, index) => [
						`k"${index}\\`,
						build(level + 1),
					]),
				);
		}
	};
	return build(depth);
}

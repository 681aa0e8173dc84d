import { afterEach, expect, test } from "bun:test";
import {
	createInput,
	type Input,
	type Interactive,
} from "../../src/mcp/input.ts";
import { parseJson, toBytes } from "../../src/message.ts";
import { wholeBody } from "../../src/upstream/reply.ts";
import { closeAll, opened } from "../support/opened.ts";
import {
	legacyStart,
	modernStart,
	result,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import { overHttp, startPool } from "../support/upstreams.ts";

afterEach(closeAll);

/** Ada's call of a tool of this server, and what asks for it. */
function interactiveWith(server: ScriptedServer): {
	readonly input: Input;
	readonly call: Interactive;
} {
	const pool = startPool();
	opened.push(pool, { close: server.stop });
	const clock = { now: () => 0, nowMs: () => 0 };
	return {
		input: createInput({ vault: pool.vault, clock }),
		call: {
			purpose: () => "ada's",
			upstream: pool.upstream("asks", overHttp(server.url)),
			call: {
				method: "tools/call",
				params: toBytes('{"name":"a"}'),
				signal: new AbortController().signal,
				asker: "ada",
			},
		},
	};
}

test("SEP-2322: a server's requestState is sealed for one call of one client, for ten minutes, and comes back byte for byte", async () => {
	const inner = '"\\u0073tate 1.0"';
	const server = startScripted(
		(asked) =>
			modernStart(asked) ??
			result(
				asked,
				asked.body.includes("inputResponses")
					? '{"resultType":"complete"}'
					: `{"resultType":"input_required","inputRequests":{},"requestState":${inner}}`,
			),
	);
	const pool = startPool();
	opened.push(pool, { close: server.stop });
	const upstream = pool.upstream("asks", overHttp(server.url));
	let now = 1_000_000;
	const clock = { now: () => now, nowMs: () => now * 1000 };
	const input = createInput({ vault: pool.vault, clock });
	const pass = async (
		params: string,
		purpose = "ada's",
	): Promise<Readonly<Record<string, unknown>>> => {
		const reply = await upstream.request({
			method: "tools/call",
			params: input.opened(toBytes(params), purpose),
			signal: new AbortController().signal,
		});
		const { body } = input.sealed(reply, purpose);
		return parseJson(await wholeBody(body)) as Record<string, unknown>;
	};
	const { requestState } = await pass('{"name":"a"}');
	expect(JSON.stringify(requestState)).not.toContain("tate");
	const back = `{"name":"a","inputResponses":{},"requestState":${JSON.stringify(requestState)}}`;
	await expect(pass(back, "bob's")).rejects.toThrow("is not of this call");
	now += 600;
	expect(await pass(back)).toEqual({ resultType: "complete" });
	expect(server.asked.at(-1)?.body).toContain(`"requestState":${inner}`);
	const askedBefore = server.asked.length;
	now += 1;
	await expect(pass(back)).rejects.toThrow("is too old");
	expect(server.asked).toHaveLength(askedBefore);
});

test("a question in which a member stands twice is the server's fault to a legacy client", async () => {
	const server = startScripted(
		(asked) =>
			modernStart(asked) ??
			result(
				asked,
				'{"resultType":"input_required","inputRequests":{},"inputRequests":{}}',
			),
	);
	const { input, call } = interactiveWith(server);
	await expect(input.fulfil(call, null)).rejects.toMatchObject({
		code: -32603,
		message: expect.stringContaining("the server's answer cannot be read"),
	});
});

test("a legacy server's question in which a member stands twice is refused to the server, and no modern client hears of it", async () => {
	const { promise: answered, resolve } = Promise.withResolvers<string>();
	const twice = '{"elicitationId":"a","elicitationId":"b","message":"?"}';
	const server = startScripted((asked) => {
		const started = legacyStart(asked);
		if (started) return started;
		if (asked.method === undefined) {
			resolve(asked.body);
			return new Response(null, { status: 202 });
		}
		const events = async function* (): AsyncGenerator<string> {
			yield `data: {"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":${twice}}\n\n`;
			await answered;
			yield `data: ${await result(asked, '{"content":[]}').text()}\n\n`;
		};
		return new Response(events() as unknown as ReadableStream, {
			headers: { "content-type": "text/event-stream" },
		});
	});
	const { input, call } = interactiveWith(server);
	const reply = await input.park(call);
	expect(parseJson(await wholeBody(reply.body))).toEqual({ content: [] });
	expect(JSON.parse(await answered)).toMatchObject({
		id: "q",
		error: { code: -32603, message: "the client did not answer" },
	});
});

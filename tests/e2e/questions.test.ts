/**
 * A server asks the user something in the middle of a call: the four pairings of client and server era, over stdio,
 * through the shared endpoint, where names change on the way. What a client carries between two calls is bound to it.
 *
 * The conformance suite (`tests/conformance`) judges the messages; here it is who may answer, and what is lost when.
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { fixtureCommand } from "../conformance/fixtures.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { stdioFlags } from "../support/processes.ts";
import {
	openLegacySession,
	type RpcMessage,
	sendModern,
	type WireAnswer,
} from "../support/wire.ts";

setDefaultTimeout(30_000);

const CAPABILITIES = { elicitation: {} };
const META = { "io.modelcontextprotocol/clientCapabilities": CAPABILITIES };
const ANSWER = {
	action: "accept",
	content: { username: "ada", email: "ada@example.org" },
};

let gateway: Gateway;
let key: string;
let other: string;

beforeAll(async () => {
	gateway = await startGateway();
	await gateway.addServers({
		"stdio-legacy": stdioFlags(fixtureCommand("stdio-legacy")),
		"stdio-modern": stdioFlags(fixtureCommand("stdio-modern")),
	});
	key = await gateway.apiKey("questions");
	other = await gateway.apiKey(
		"questions",
		await gateway.addUser("bob@example.org"),
	);
});

afterAll(() => gateway.stop());

/** The tool that asks one question, of the server of this era. */
function asking(era: "legacy" | "modern"): {
	readonly name: string;
	readonly arguments: Record<string, unknown>;
} {
	return era === "legacy"
		? {
				name: "stdio-legacy_test_elicitation",
				arguments: { message: "who are you?" },
			}
		: {
				name: "stdio-modern_test_input_required_result_elicitation",
				arguments: {},
			};
}

function call(
	era: "legacy" | "modern",
	more: Record<string, unknown> = {},
	token = key,
): Promise<WireAnswer> {
	return sendModern(gateway.endpoint(), token, "tools/call", {
		...asking(era),
		...more,
		_meta: META,
	});
}

/** What a modern client sends back: an answer to every question, and the state as it was given. */
function answerTo({ last }: WireAnswer): Record<string, unknown> {
	const { inputRequests, requestState } = (last?.result ?? {}) as {
		inputRequests: Record<string, unknown>;
		requestState?: string;
	};
	return {
		inputResponses: Object.fromEntries(
			Object.keys(inputRequests).map((name) => [name, ANSWER]),
		),
		...(requestState === undefined ? {} : { requestState }),
	};
}

for (const era of ["legacy", "modern"] as const)
	describe(`a ${era} server's question`, () => {
		test("reaches a modern client as input_required, and its answer comes back to the call", async () => {
			const asked = await call(era);
			expect(asked.last?.result).toMatchObject({
				resultType: "input_required",
			});
			const done = await call(era, answerTo(asked));
			expect(done.last?.result).toMatchObject({ resultType: "complete" });
			expect(JSON.stringify(done.last?.result)).not.toContain("isError");
		});

		test("reaches a legacy client as a request on the call's own stream", async () => {
			const session = await openLegacySession(
				gateway.endpoint(),
				key,
				undefined,
				CAPABILITIES,
			);
			const stream = await session.open("tools/call", asking(era));
			const question = (await stream.next()) as RpcMessage;
			expect(question.method).toBe("elicitation/create");
			const posted = await session.answer(question, ANSWER);
			expect(posted.status).toBe(202);
			const done = (await stream.next()) as RpcMessage;
			expect(done.method).toBeUndefined();
			expect(JSON.stringify(done.result)).not.toContain("isError");
			stream.close();
		});

		test("never reaches a client that did not say it can be asked", async () => {
			const answer = await sendModern(gateway.endpoint(), key, "tools/call", {
				...asking(era),
			});
			expect(answer.text).not.toContain("input_required");
		});
	});

describe("what a modern client carries between its calls", () => {
	test("is refused from another user, altered, or for another tool", async () => {
		const asked = await call("legacy");
		const answer = answerTo(asked) as { requestState: string };
		const stolen = await call("legacy", answer, other);
		expect(stolen.last?.error?.code).toBe(-32602);
		const altered = await call("legacy", {
			...answer,
			requestState: `${answer.requestState.slice(0, -2)}AA`,
		});
		expect(altered.last?.error?.code).toBe(-32602);
		const elsewhere = await call("legacy", {
			...answer,
			name: "stdio-legacy_test_sampling",
		});
		expect(elsewhere.last?.error?.code).toBe(-32602);
		// None of that spoiled it for its owner.
		expect((await call("legacy", answer)).last?.result).toMatchObject({
			resultType: "complete",
		});
	});

	test("asks again for what was not answered", async () => {
		const asked = await call("legacy");
		const { requestState } = answerTo(asked);
		const again = await call("legacy", { inputResponses: {}, requestState });
		expect(again.last?.result).toMatchObject({ resultType: "input_required" });
		expect((await call("legacy", answerTo(again))).last?.result).toMatchObject({
			resultType: "complete",
		});
	});

	test("is good once: the call it waited for is over", async () => {
		const asked = await call("legacy");
		const answer = answerTo(asked);
		await call("legacy", answer);
		const late = await call("legacy", answer);
		expect(late.last?.error?.message).toContain("call again");
	});

	test("ends cleanly when the gateway was restarted in between", async () => {
		const asked = await call("legacy");
		const answer = answerTo(asked);
		await gateway.restart();
		const lost = await call("legacy", answer);
		expect(lost.last?.error?.message).toContain("call again");
		expect((await call("legacy")).last?.result).toMatchObject({
			resultType: "input_required",
		});
	});
});

import { expect, jest, test } from "bun:test";
import { createPageVisits } from "../../src/mcp/page-visits.ts";
import { parseJson, toBytes } from "../../src/message.ts";
import type { Question, Reply } from "../../src/upstream/upstream.ts";

const PAGE =
	'{"mode":"url","message":"in","url":"https://example.org/in","x":1.0}';

function page(params = PAGE): Question {
	return { method: "elicitation/create", params: toBytes(params) };
}

function says(text: string): Reply {
	return { member: "result", body: toBytes(text) };
}

/** The visits of a call whose client answers so, and what the client was asked. */
function asked(answer: string): {
	readonly visits: ReturnType<typeof createPageVisits>;
	readonly questions: string[];
} {
	const questions: string[] = [];
	const visits = createPageVisits(async ({ params }) => {
		questions.push(Buffer.from(params ?? []).toString());
		return says(answer);
	});
	return { visits, questions };
}

test("a page gets an id and keeps the rest of its bytes; one that was agreed to is not shown again", async () => {
	const { visits, questions } = asked('{"action":"accept"}');
	await visits.ask(page());
	await visits.ask(page());
	await visits.ask(page(PAGE.replace("/in", "/other")));
	await visits.ask(page('{"message":"form"}'));
	const [first, ...rest] = questions as [string, string, string];
	const id = /^\{"elicitationId":"([^"]+)",/.exec(first)?.[1];
	expect(first).toBe(PAGE.replace("{", `{"elicitationId":"${id}",`));
	expect(rest).toHaveLength(2);
	expect(rest[1]).toBe('{"message":"form"}');
	const told: unknown[] = [];
	visits.done((message) => told.push(parseJson(message)));
	expect(told).toHaveLength(2);
	expect(told[0]).toMatchObject({
		method: "notifications/elicitation/complete",
		params: { elicitationId: id },
	});
});

test("a page that was declined is shown again, and nobody is told that it was visited", async () => {
	const { visits, questions } = asked('{"action":"decline"}');
	await visits.ask(page());
	await visits.ask(page());
	expect(questions).toHaveLength(2);
	expect(visits.refusal()).toBeNull();
	visits.done(() => {
		throw new Error("told");
	});
});

test("a server is given time only when it wants to know nothing else, and longer each time", async () => {
	jest.useFakeTimers();
	try {
		const { visits } = asked('{"action":"accept"}');
		const { signal } = new AbortController();
		await visits.ask(page());
		await visits.pause(signal); // the first round asks, and does not wait
		for (const ms of [1000, 2000, 5000, 5000]) {
			await visits.ask(page());
			let isOver = false;
			const pause = visits.pause(signal).then(() => {
				isOver = true;
			});
			jest.advanceTimersByTime(ms - 1);
			await Promise.resolve();
			expect(isOver).toBe(false);
			jest.advanceTimersByTime(1);
			await pause;
		}
		await visits.ask(page());
		await visits.ask(page(PAGE.replace("/in", "/new")));
		await visits.pause(signal);
	} finally {
		jest.useRealTimers();
	}
});

test("whoever was not done in time is refused with the pages to visit (2025-11-25, -32042)", async () => {
	const { visits, questions } = asked('{"action":"accept"}');
	await visits.ask(page());
	const refusal = visits.refusal();
	expect(refusal?.member).toBe("error");
	expect(parseJson(refusal?.body as Uint8Array)).toMatchObject({
		code: -32042,
		data: { elicitations: [JSON.parse(questions[0] as string)] },
	});
});

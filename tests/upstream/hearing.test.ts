import { expect, test } from "bun:test";
import { parseMessage, toBytes } from "../../src/message.ts";
import { LinkHearing } from "../../src/upstream/hearing.ts";
import type { Notification, ServerRequest } from "../../src/upstream/link.ts";
import { Patience } from "../../src/upstream/patience.ts";
import type { Running } from "../../src/upstream/running.ts";
import type { Call, UpstreamEvent } from "../../src/upstream/upstream.ts";

const LOG = '{"jsonrpc":"2.0","method":"notifications/message","params":{}}';
const QUESTION = '{"jsonrpc":"2.0","id":9,"method":"roots/list"}';

type Setting = { readonly hearing: LinkHearing; readonly heard: string[] };

/** A hearing that notes whom everything went to: a call's name, or `event`. */
function setting(shared: boolean): Setting {
	const heard: string[] = [];
	const onEvent = ({ type }: UpstreamEvent): void => void heard.push(type);
	return { hearing: new LinkHearing({ onEvent, shared }), heard };
}

function begin(
	{ hearing: { calls }, heard }: Setting,
	id: number,
	name: string,
	about: Partial<Call> = {},
): () => void {
	const running: Running = {
		id,
		patience: new Patience(1000),
		call: {
			method: "tools/call",
			params: null,
			signal: new AbortController().signal,
			onNotification: () => void heard.push(name),
			...about,
		},
		ends: null,
		before: null,
		after: null,
	};
	calls.add(running);
	return () => calls.delete(running);
}

function asks(answer: string): Pick<Call, "onQuestion"> {
	return {
		onQuestion: async () => ({ member: "result", body: toBytes(answer) }),
	};
}

async function answerTo(
	{ hearing }: Setting,
	callId: number | null = null,
): Promise<unknown> {
	const request = parseMessage(toBytes(QUESTION)) as ServerRequest;
	const bytes = await hearing.onRequest(request, callId);
	const { result, error } = JSON.parse(Buffer.from(bytes ?? "").toString());
	return result ?? error.code;
}

function log({ hearing }: Setting): void {
	hearing.onNotification(parseMessage(toBytes(LOG)) as Notification);
}

test("a question that names no call goes to the newest that can be asked", async () => {
	const it = setting(true);
	begin(it, 1, "a", { asker: "ada", ...asks("1") });
	begin(it, 2, "b", { asker: "ada", ...asks("2") });
	begin(it, 3, "c");
	expect(await answerTo(it)).toBe(2);
	expect(await answerTo(it, 1)).toBe(1);
	expect(await answerTo(it, 3)).toBe(-32601);
	expect(await answerTo(it, 4)).toBe(-32601);
});

test("while several people could be meant, a question is refused, and no longer than that", async () => {
	const it = setting(true);
	begin(it, 1, "a", { asker: "ada", ...asks("1") });
	const leave = begin(it, 2, "b", { asker: "bob", ...asks("2") });
	expect(await answerTo(it)).toBe(-32603);
	expect(await answerTo(it, 2)).toBe(2);
	leave();
	expect(await answerTo(it)).toBe(1);
});

test("askers that do not say who they are, are not the same", async () => {
	const it = setting(true);
	begin(it, 1, "a", asks("1"));
	expect(await answerTo(it)).toBe(1);
	begin(it, 2, "b", asks("2"));
	expect(await answerTo(it)).toBe(-32603);
});

test("a client that fails to answer is an error to the server", async () => {
	const it = setting(true);
	begin(it, 1, "a", { onQuestion: () => Promise.reject(new Error("gone")) });
	expect(await answerTo(it)).toBe(-32603);
});

test("no more than 100 questions wait at once", async () => {
	const it = setting(false);
	begin(it, 1, "a", { onQuestion: () => new Promise(() => {}) });
	for (let id = 0; id < 100; id++)
		void it.hearing.onRequest(
			parseMessage(
				toBytes(`{"jsonrpc":"2.0","id":${id + 100},"method":"roots/list"}`),
			) as ServerRequest,
			1,
		);
	expect(await answerTo(it)).toBe(-32603);
});

test("a log line goes to the one open call, and to everybody when there is none", () => {
	const it = setting(true);
	log(it);
	begin(it, 1, "a");
	log(it);
	expect(it.heard).toEqual(["log", "a"]);
});

test("a log line of one of several calls goes to the newest if all are of one asker", () => {
	const it = setting(true);
	begin(it, 1, "a", { asker: "ada" });
	begin(it, 2, "b", { asker: "ada" });
	log(it);
	expect(it.heard).toEqual(["b"]);
});

test("a log line during the calls of several people is told to nobody on a shared upstream", () => {
	const shared = setting(true);
	const personal = setting(false);
	for (const it of [shared, personal]) {
		begin(it, 1, "a", { asker: "ada" });
		begin(it, 2, "b", { asker: "bob" });
		log(it);
	}
	expect(shared.heard).toEqual([]);
	expect(personal.heard).toEqual(["log"]);
});

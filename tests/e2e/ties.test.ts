/**
 * What legacy servers and clients tell each other when a call is over, and what becomes of it in the other pairings:
 * that a page was visited (URL elicitation), and that the client's roots are others now.
 *
 * @see specification 2025-11-25, client/elicitation and client/roots; 2026-07-28, changelog, major 5 and minor 11
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { META } from "../../src/protocol.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type Asked,
	legacyStart,
	modernStart,
	result,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import { until } from "../support/until.ts";
import {
	type LegacySession,
	type OpenStream,
	openLegacySession,
	openModern,
	openStream,
	send,
	sendModern,
} from "../support/wire.ts";

setDefaultTimeout(30_000);

const ABLE = {
	elicitation: { form: {}, url: {} },
	roots: { listChanged: true },
};
const PAGE = { mode: "url", message: "Sign in", url: "https://example.org/in" };

/** An event stream that stays open, as a server writes to it. */
type Line = {
	readonly response: Response;
	readonly say: (message: unknown) => void;
	readonly end: () => void;
};

function line(): Line {
	const { readable, writable } = new TransformStream<Uint8Array>();
	const writer = writable.getWriter();
	return {
		response: new Response(readable, {
			headers: { "content-type": "text/event-stream" },
		}),
		say: (message) =>
			void writer
				.write(Buffer.from(`data: ${JSON.stringify(message)}\n\n`))
				.catch(() => {}), // its reader is gone
		end: () => void writer.close().catch(() => {}),
	};
}

let gateway: Gateway;
let ada: string;
let bob: string;
let legacy: ScriptedServer;
let modern: ScriptedServer;
/** The gateway's GET streams at the legacy server. */
const lines: Line[] = [];
/** Calls that wait for the answer to their question, by the question's id. */
const waiting = new Map<string, (answer: unknown) => void>();
let visits = 0;

/** Asks in the middle of a call, and ends it with what was answered. */
function asking({ id }: Asked, method: string, params?: unknown): Response {
	const { response, say, end } = line();
	const question = crypto.randomUUID();
	waiting.set(question, (answer) => {
		const content = [{ type: "text", text: JSON.stringify(answer) }];
		say({ jsonrpc: "2.0", id, result: { content } });
		end();
	});
	say({ jsonrpc: "2.0", id: question, method, params });
	return response;
}

function answered({ id, body }: Asked): Response {
	const message = JSON.parse(body);
	waiting.get(String(id))?.(message.result ?? message.error);
	return new Response(null, { status: 202 });
}

const TOOLS = `{"tools":[${["refuse", "elicit", "roots", "none"]
	.map((name) => `{"name":"${name}","inputSchema":{"type":"object"}}`)
	.join(",")}],"resultType":"complete","ttlMs":60000,"cacheScope":"public"}`;

function called(asked: Asked): Response {
	const { name, arguments: args } = JSON.parse(asked.body).params;
	const elicitationId = args.page;
	if (name === "elicit")
		return asking(asked, "elicitation/create", { ...PAGE, elicitationId });
	if (name === "roots") return asking(asked, "roots/list");
	if (name === "none") return result(asked, '{"content":[]}');
	const data = { elicitations: [{ ...PAGE, elicitationId }] };
	const error = { code: -32042, message: "visit first", data };
	return Response.json({ jsonrpc: "2.0", id: asked.id, error });
}

beforeAll(async () => {
	legacy = startScripted((asked) => {
		if (asked.verb === "GET") {
			const opened = line();
			lines.push(opened);
			return opened.response;
		}
		if (asked.verb === "POST" && asked.method === undefined)
			return answered(asked);
		if (asked.method === "tools/list") return result(asked, TOOLS);
		return asked.method === "tools/call" ? called(asked) : legacyStart(asked);
	});
	modern = startScripted((asked) => {
		if (asked.method === "tools/list") return result(asked, TOOLS);
		if (asked.method !== "tools/call") return modernStart(asked);
		// The person is done the third time that the server is asked.
		if (++visits > 2)
			return result(asked, '{"resultType":"complete","content":[]}');
		return result(
			asked,
			JSON.stringify({
				resultType: "input_required",
				inputRequests: { in: { method: "elicitation/create", params: PAGE } },
				requestState: "kept",
			}),
		);
	});
	gateway = await startGateway();
	await gateway.addServers({
		legacy: ["--url", legacy.url],
		modern: ["--url", modern.url],
	});
	ada = await gateway.apiKey("ada");
	bob = await gateway.apiKey("bob", await gateway.addUser("bob@example.org"));
});

afterAll(async () => {
	await gateway?.stop();
	for (const server of [legacy, modern]) server?.stop();
});

type Client = { readonly session: LegacySession; readonly stream: OpenStream };

/** A legacy client that listens. */
async function client(token: string, slug = "legacy"): Promise<Client> {
	const endpoint = gateway.endpoint(slug);
	const session = await openLegacySession(endpoint, token, undefined, ABLE);
	const stream = await openStream(endpoint, token, null, {
		...session.headers,
		Accept: "text/event-stream",
	});
	return { session, stream };
}

function post(
	{ session }: Client,
	message: unknown,
	slug = "legacy",
): ReturnType<typeof send> {
	return send(
		gateway.endpoint(slug),
		ada,
		JSON.stringify({ jsonrpc: "2.0", ...(message as object) }),
		{ headers: session.headers },
	);
}

/** A call that is asked something, answered with that; gives the question and the end. */
async function converse(
	who: Client,
	name: string,
	args: unknown,
	answer: unknown,
	slug = "legacy",
): Promise<readonly unknown[]> {
	const stream = await openStream(
		gateway.endpoint(slug),
		ada,
		JSON.stringify({
			jsonrpc: "2.0",
			id: 70,
			method: "tools/call",
			params: { name, arguments: args },
		}),
		who.session.headers,
	);
	const question = await stream.next();
	await post(who, { id: question?.id, result: answer }, slug);
	const rest: unknown[] = [question];
	for (let next = await stream.next(); next; next = await stream.next()) {
		rest.push(next);
		if (next.id === 70) break;
	}
	stream.close();
	return rest;
}

function sayEverywhere(message: unknown): void {
	for (const { say } of lines) say({ jsonrpc: "2.0", ...(message as object) });
}

/** Asks on every stream of the server's, outside any call. */
function askForRoots(): readonly Promise<unknown>[] {
	return lines.map(({ say }) => {
		const id = crypto.randomUUID();
		const answer = new Promise((resolve) => waiting.set(id, resolve));
		say({ jsonrpc: "2.0", id, method: "roots/list" });
		return answer;
	});
}

function visited(elicitationId: string): unknown {
	return {
		method: "notifications/elicitation/complete",
		params: { elicitationId },
	};
}

test("that a page was visited is told to the client that was sent there, by a refusal or a question, and to no other", async () => {
	const [own, another, stranger] = (await Promise.all(
		[ada, ada, bob].map((token) => client(token)),
	)) as [Client, Client, Client];
	await own.session.request("tools/call", {
		name: "refuse",
		arguments: { page: "by-refusal" },
	});
	await converse(own, "elicit", { page: "by-question" }, { action: "accept" });
	await until("the gateway listens", () => lines.length > 0);
	for (const page of ["unheard-of", "by-refusal", "by-question"])
		sayEverywhere(visited(page));
	const told = [await own.stream.next(), await own.stream.next()];
	expect(told).toMatchObject([
		visited("by-refusal"),
		visited("by-question"),
	] as object[]);
	for (const { stream } of [another, stranger]) {
		const heard = stream.next();
		stream.close();
		expect(await heard).toBeNull();
	}
	own.stream.close();
});

test("a modern client is shown a legacy server's page without its id, and hears nothing of it", async () => {
	const params = {
		name: "elicit",
		arguments: { page: "for-modern" },
		_meta: { [META.clientCapabilities]: { elicitation: { url: {} } } },
	};
	const endpoint = gateway.endpoint("legacy");
	const listening = await openModern(endpoint, ada, "subscriptions/listen", {
		notifications: { toolsListChanged: true },
	});
	expect((await listening.next())?.method).toContain("acknowledged");
	const asked = await sendModern(endpoint, ada, "tools/call", params);
	const { inputRequests, requestState } = (asked.last?.result ?? {}) as {
		inputRequests: Record<string, { params: unknown }>;
		requestState: string;
	};
	const [[key, question] = ["", { params: null }]] =
		Object.entries(inputRequests);
	expect(question.params).toEqual(PAGE);
	sayEverywhere(visited("for-modern"));
	const done = await sendModern(endpoint, ada, "tools/call", {
		...params,
		inputResponses: { [key]: { action: "accept" } },
		requestState,
	});
	expect(done.messages).toHaveLength(1);
	expect(done.last?.result).toMatchObject({ resultType: "complete" });
	const heard = listening.next();
	listening.close();
	expect(await heard).toBeNull();
});

test("a modern server's page has an id for a legacy client, is shown once while its person is there, and is then done with", async () => {
	const who = await client(ada, "modern");
	visits = 0;
	const [question, news, end] = (await converse(
		who,
		"none",
		{},
		{ action: "accept" },
		"modern",
	)) as { params: Record<string, unknown>; result: unknown }[];
	expect(question?.params).toEqual({
		...PAGE,
		elicitationId: expect.any(String),
	});
	expect(news).toMatchObject(
		visited(String(question?.params["elicitationId"])) as object,
	);
	expect(end?.result).toMatchObject({ content: [] });
	who.stream.close();
});

test("that roots have changed is told to the servers that were given them, which may then ask for them", async () => {
	const who = await client(ada);
	const changed = "notifications/roots/list_changed";
	const told = (): number =>
		legacy.asked.filter(({ method }) => method === changed).length;
	const declared = legacy.asked.filter(
		({ method, body }) =>
			method === "initialize" && body.includes('"roots":{"listChanged":true}'),
	);
	expect(declared).not.toHaveLength(0);
	await who.session.request("tools/call", { name: "none", arguments: {} });
	await post(who, { method: changed });
	// Nobody has said anything to this server about roots: it is told nothing, and given none.
	for (const answer of askForRoots())
		expect(await answer).toMatchObject({ code: -32601 });
	const roots = [{ uri: "file:///home/ada/a" }];
	await converse(who, "roots", {}, { roots });
	expect(told()).toBe(0);
	await post(who, { method: changed });
	await until("the server is told", () => told() === 1);
	const answers = askForRoots();
	const question = await who.stream.next();
	expect(question?.method).toBe("roots/list");
	const now = { roots: [{ uri: "file:///home/ada/b" }] };
	await post(who, { id: question?.id, result: now });
	const given = await Promise.all(answers);
	expect(given.filter((answer) => Bun.deepEquals(answer, now))).toHaveLength(1);
	who.stream.close();
});

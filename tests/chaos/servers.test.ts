/**
 * Servers that die, drip, flood and are many: the calls that are in it fail or go on as they should, and nothing else
 * is the worse for it. That each failure is told in plain words is shown in `upstream/failures.test.ts` and
 * `e2e/bad-input/servers.test.ts`.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import {
	type Dripping,
	dripped,
	endlessHeaders,
	silence,
	startDripping,
} from "../support/dripping.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { freePort, type Running, run } from "../support/processes.ts";
import {
	legacyStart,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import { REPOSITORY } from "../support/tools.ts";
import { until } from "../support/until.ts";
import {
	openLegacySession,
	openModern,
	openStream,
	sendModern,
	type WireAnswer,
} from "../support/wire.ts";

setDefaultTimeout(60_000);

let gateway: Gateway;
let key: string;
/** What time it is for the gateway beyond what it is for us. */
let aheadMs = 0;
const cleanUp: (() => unknown)[] = [];

beforeAll(async () => {
	gateway = await startGateway({
		clock: {
			now: () => Math.floor((Date.now() + aheadMs) / 1000),
			nowMs: () => performance.now() + aheadMs,
		},
	});
	key = await gateway.apiKey("chaos");
});

afterAll(async () => {
	await gateway?.stop();
	for (const end of cleanUp) await end();
});

async function startChaos(port = 0, tools = 0): Promise<Running> {
	const running = run([
		process.execPath,
		join(REPOSITORY, "tests/fixtures/chaos.ts"),
		...[String(port), String(tools)],
	]);
	cleanUp.push(() => running.stop("SIGKILL"));
	await running.printed(/^listening (\d+)$/m);
	return running;
}

function add(slug: string, url: string): Promise<string> {
	return gateway.cli(["servers", "add", slug, "--url", url]);
}

/** Without a process for each, and without waiting for what a silent one says when it is tried. */
async function addByApi(name: string, url: string): Promise<void> {
	const response = await fetch(`${gateway.url}/api/mcp/servers`, {
		method: "POST",
		headers: {
			Authorization: `Bearer ${key}`,
			"Content-Type": "application/json",
		},
		body: JSON.stringify({ name, url }),
		signal: AbortSignal.timeout(3000),
	}).catch(() => null);
	if (response && !response.ok) throw new Error(await response.text());
}

async function addChaos(slug: string, tools = 0): Promise<void> {
	const port = await freePort();
	await startChaos(port, tools);
	await add(slug, `http://127.0.0.1:${port}/mcp`);
}

function call(
	slug: string,
	name: string,
	args: Record<string, unknown> = {},
): Promise<WireAnswer> {
	return sendModern(gateway.endpoint(slug), key, "tools/call", {
		name,
		arguments: args,
	});
}

function resultOf<Result>({ last, text }: WireAnswer): Result {
	if (!last?.result) throw new Error(`no result: ${text}`);
	return last.result as Result;
}

function textOf(answer: WireAnswer): string {
	const { content } = resultOf<{ content: { text: string }[] }>(answer);
	return content[0]?.text ?? "";
}

async function toolNames(slug?: string): Promise<readonly string[]> {
	const answer = await sendModern(gateway.endpoint(slug), key, "tools/list");
	const { tools } = resultOf<{ tools: { name: string }[] }>(answer);
	return tools.map(({ name }) => name);
}

function dripping(...args: Parameters<typeof startDripping>): Dripping {
	const server = startDripping(...args);
	cleanUp.push(server.stop);
	return server;
}

function scripted(...args: Parameters<typeof startScripted>): ScriptedServer {
	const server = startScripted(...args);
	cleanUp.push(server.stop);
	return server;
}

test("a server that is killed in the middle of its answers fails those calls at once, and is found again", async () => {
	const port = await freePort();
	const server = await startChaos(port);
	await add("killed", `http://127.0.0.1:${port}/mcp`);
	const session = await openLegacySession(gateway.endpoint("killed"), key);
	const slow = { name: "slow", arguments: { ms: 60_000 } };
	const calls = [
		call("killed", "slow", slow.arguments),
		session.request("tools/call", slow),
	];
	await until("both calls are under way", async () =>
		textOf(await call("killed", "called")).startsWith("2"),
	);
	await server.stop("SIGKILL");
	for (const answer of await Promise.all(calls)) {
		expect(answer.status).toBe(200);
		expect(answer.last?.result).toMatchObject({ isError: true });
		expect(textOf(answer)).toContain("killed");
	}
	await startChaos(port);
	// It was not sent again: nobody knows how far it had come.
	await until("the server is found again", async () => {
		const answer = await call("killed", "called");
		return (
			answer.last?.result?.["isError"] !== true && textOf(answer) === "0 0"
		);
	});
});

test("a stream of 100,000 notifications is passed on whole and in order", async () => {
	await addChaos("flood");
	const count = 100_000;
	const stream = await openModern(
		gateway.endpoint("flood"),
		key,
		"tools/call",
		{ name: "notify", arguments: { count }, _meta: { progressToken: "f" } },
	);
	let heard = 0;
	for (;;) {
		const message = await stream.next();
		if (message?.params?.["progress"] === heard + 1) heard++;
		else {
			expect(message?.result).toMatchObject({
				content: [{ text: String(count) }],
			});
			break;
		}
	}
	expect(heard).toBe(count);
});

test("a list that changes 100,000 times is heard of a few times, and the session goes on", async () => {
	await addChaos("restless");
	const session = await openLegacySession(gateway.endpoint("restless"), key);
	const listening = await openStream(gateway.endpoint("restless"), key, null, {
		...session.headers,
		Accept: "text/event-stream",
	});
	let heard = 0;
	const counting = (async () => {
		while (await listening.next()) heard++;
	})();
	const started = performance.now();
	const answer = await session.request("tools/call", {
		name: "change",
		arguments: { count: 100_000 },
	});
	expect(textOf(answer)).toBe("100000");
	const periods = (performance.now() - started) / 250;
	await until("it was heard of", () => heard > 0);
	listening.close();
	await counting;
	expect(heard).toBeLessThanOrEqual(Math.ceil(periods) + 2);
	expect((await session.request("ping")).status).toBe(200);
});

test("a thousand tools are listed in order, and each can be called", async () => {
	await addChaos("many", 1000);
	expect((await toolNames("many")).slice(5)).toEqual(
		Array.from({ length: 1000 }, (_, index) => `tool-${index}`),
	);
	expect(textOf(await call("many", "tool-999"))).toBe("tool-999");
});

test("headers without an end hold up nobody else, and are let go when the caller goes", async () => {
	const loris = dripping(endlessHeaders, 20);
	await addByApi("loris", loris.url);
	await addChaos("beside");
	const abort = new AbortController();
	const stuck = sendModern(
		gateway.endpoint("loris"),
		key,
		"tools/call",
		{ name: "any", arguments: {} },
		{ signal: abort.signal },
	);
	const gone = stuck.catch(() => "gone");
	await until("it is being asked", () => loris.open() > 0);
	const started = performance.now();
	expect(textOf(await call("beside", "called"))).toBe("0 0");
	expect(performance.now() - started).toBeLessThan(1000);
	abort.abort();
	expect(await gone).toBe("gone");
	await gateway.cli(["servers", "remove", "loris", "--yes"]);
	await until("it is let go", () => loris.open() === 0);
});

test("an answer that comes drop by drop arrives whole", async () => {
	const drops = dripping((asked) => {
		const id = /"id":(\d+)/.exec(asked)?.[1] ?? "null";
		const result = asked.includes('"initialize"')
			? '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"d","version":"1"}}'
			: asked.includes('"tools/list"')
				? '{"tools":[{"name":"any","inputSchema":{"type":"object"}}]}'
				: '{"content":[{"type":"text","text":"drop by drop"}]}';
		const refused = asked.includes("server/discover");
		return dripped(
			refused
				? `{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"?"}}`
				: `{"jsonrpc":"2.0","id":${id},"result":${result}}`,
		);
	}, 1);
	await add("drops", drops.url);
	expect(textOf(await call("drops", "any"))).toBe("drop by drop");
});

test("a client that is gone cancels its call in the modern era, and does not in the legacy one", async () => {
	await addChaos("left");
	const endpoint = gateway.endpoint("left");
	const session = await openLegacySession(endpoint, key);
	const slow = { name: "slow", arguments: { ms: 60_000 } };
	const aborts = [new AbortController(), new AbortController()] as const;
	const calls = [
		sendModern(endpoint, key, "tools/call", slow, { signal: aborts[0].signal }),
		session.request("tools/call", slow, { signal: aborts[1].signal }),
	].map((answer) => answer.catch(() => "gone"));
	const counts = async (): Promise<string> =>
		textOf(await call("left", "called"));
	await until("both run", async () => (await counts()) === "2 0");
	for (const abort of aborts) abort.abort();
	expect(await Promise.all(calls)).toEqual(["gone", "gone"]);
	await until("one is cancelled", async () => (await counts()) === "2 1");
	// A round trip through the same server later it is still one.
	expect(await counts()).toBe("2 1");
});

test("fifty calls to a server that sleeps connect once", async () => {
	await addChaos("crowd", 50);
	await gateway.restart();
	const names = Array.from({ length: 50 }, (_, index) => `tool-${index}`);
	const answers = await Promise.all(names.map((name) => call("crowd", name)));
	expect(answers.map(textOf)).toEqual(names);
	// Once when it was added, and once by all of them.
	expect(textOf(await call("crowd", "dial"))).toBe("2");
});

test("a dead server is tried less and less often, however many calls there are", async () => {
	const dead = scripted(() => new Response("no", { status: 500 }));
	await add("dead", dead.url);
	const attempts = async (seconds: number): Promise<number> => {
		const before = dead.asked.length;
		for (let second = 0; second < seconds; second++) {
			aheadMs += 1000;
			await Promise.all([call("dead", "x"), call("dead", "x")]);
		}
		return dead.asked.length - before;
	};
	const first = await attempts(60);
	expect(first).toBeGreaterThan(2);
	expect(first).toBeLessThanOrEqual(10);
	// The ceiling is a minute: nobody's quota is used up, and it is found again soon.
	const hour = await attempts(3600);
	expect(hour).toBeGreaterThan(50);
	expect(hour).toBeLessThanOrEqual(61);
});

test("a server that comes back is tried again by the first call after its pause", async () => {
	let alive = false;
	const server = scripted((asked) =>
		alive ? legacyStart(asked) : new Response("not yet", { status: 503 }),
	);
	await add("back", server.url);
	for (let tries = 0; tries < 5; tries++) {
		aheadMs += 60_000;
		await call("back", "x");
	}
	alive = true;
	aheadMs += 60_000;
	const { last } = await sendModern(
		gateway.endpoint("back"),
		key,
		"server/discover",
	);
	expect(last?.result).toBeDefined();
});

test("of fifty servers ten are dead: the list of the others comes at once, and those that come back are announced", async () => {
	await gateway.restart();
	const alive = await startChaos(0, 3);
	const [, port] = await alive.printed(/^listening (\d+)$/m);
	const silent = dripping(silence, 1000);
	const late = scripted((asked) =>
		reborn
			? (legacyStart(asked) ??
				new Response(
					`{"jsonrpc":"2.0","id":${asked.id},"result":{"tools":[{"name":"reborn"}]}}`,
					{ headers: { "content-type": "application/json" } },
				))
			: new Response("no", { status: 500 }),
	);
	let reborn = false;
	const nobody = await freePort();
	const slugs = Array.from({ length: 50 }, (_, index) => `s${index}`);
	const servers = slugs.map((slug, index) => ({
		slug,
		url:
			index % 10 === 0
				? `http://127.0.0.1:${nobody}/mcp`
				: index === 5
					? late.url
					: index % 10 === 5
						? silent.url
						: `http://127.0.0.1:${port}/mcp/${slug}`,
	}));
	const dead = servers.filter(({ url }) => !url.includes(`:${port}/`));
	expect(dead).toHaveLength(10);
	await Promise.all(servers.map(({ slug, url }) => addByApi(slug, url)));
	const restarted = performance.now();
	await gateway.restart();
	expect(performance.now() - restarted).toBeLessThan(5000);

	const list = async (): Promise<{ names: readonly string[]; ms: number }> => {
		const started = performance.now();
		const names = await toolNames();
		const ms = performance.now() - started;
		return { names: names.filter((name) => /^s\d/.test(name)), ms };
	};
	// The first one gives those that are silent their chance, and the next ones do not.
	const first = await list();
	expect(first.names).toHaveLength(40 * 8);
	expect(first.ms).toBeLessThan(12_000);
	for (let lists = 0; lists < 5; lists++) {
		aheadMs += 60_000; // all pauses are over: the dead are asked again
		const again = await list();
		expect(again.names).toEqual(first.names);
		expect(again.ms).toBeLessThan(3000);
	}

	const listening = await openModern(
		gateway.endpoint(),
		key,
		"subscriptions/listen",
		{ notifications: { toolsListChanged: true } },
	);
	await listening.next();
	reborn = true;
	aheadMs += 60_000;
	await list();
	expect((await listening.next())?.method).toBe(
		"notifications/tools/list_changed",
	);
	expect((await list()).names).toContain("s5_reborn");
	listening.close();
});

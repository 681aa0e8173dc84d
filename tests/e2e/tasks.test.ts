/**
 * Tasks, by pairing of eras, through the shared endpoint: npm's `server-everything` has those of 2025-11-25, our
 * conformance fixture those of the extension. What the messages look like is judged by the conformance suite; here it
 * is who sees a task, and what those are told who cannot be handed one.
 *
 * @see specification 2025-11-25, basic/utilities/tasks; the extension io.modelcontextprotocol/tasks (SEP-2663)
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
	CallToolResultSchema,
	ElicitRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { META } from "../../src/protocol.ts";
import {
	fixtureCommand,
	startFixture as startModernHttp,
} from "../conformance/fixtures.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type FixtureServer,
	startEverything,
	stdioFlags,
} from "../support/processes.ts";
import {
	type Asked,
	result,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import { REPOSITORY } from "../support/tools.ts";
import { until } from "../support/until.ts";
import {
	type LegacySession,
	type OpenStream,
	openLegacySession,
	openModern,
	openStream,
	send,
	sendModern,
	type WireAnswer,
} from "../support/wire.ts";

setDefaultTimeout(60_000);

const TASKS = "io.modelcontextprotocol/tasks";
const DECLARED = { extensions: { [TASKS]: {} } };
const RESEARCH = "simulate-research-query";
const NEVER = { name: "modern-http_slow_compute", arguments: { seconds: 600 } };

let gateway: Gateway;
let everything: FixtureServer;
let modern: FixtureServer;
/** Two clients of one user, and one of another. */
let ada: string;
let adaElsewhere: string;
let bob: string;

beforeAll(async () => {
	[everything, modern, gateway] = await Promise.all([
		startEverything("streamableHttp"),
		startModernHttp("http-modern"),
		startGateway(),
	]);
	const own = `${REPOSITORY}/node_modules/@modelcontextprotocol/server-everything/dist/index.js`;
	await gateway.addServers({
		"legacy-http": ["--url", everything.url],
		"legacy-stdio": stdioFlags([process.execPath, own, "stdio"]),
		"modern-http": ["--url", modern.url],
		"modern-stdio": stdioFlags(fixtureCommand("stdio-modern")),
	});
	ada = await gateway.apiKey("one");
	adaElsewhere = await gateway.apiKey("two");
	bob = await gateway.apiKey("one", await gateway.addUser("bob@example.org"));
}, 120_000);

afterAll(async () => {
	await gateway?.stop();
	await everything?.stop();
	await modern?.stop();
});

function ask(
	method: string,
	params: Record<string, unknown>,
	token = ada,
	capabilities: unknown = DECLARED,
): Promise<WireAnswer> {
	return sendModern(gateway.endpoint(), token, method, {
		...params,
		_meta: { [META.clientCapabilities]: capabilities },
	});
}

type Listed = { readonly tools: readonly Record<string, unknown>[] };
type Created = { readonly task: { readonly taskId: string } };

function resultOf<Result>({ last, text }: WireAnswer): Result {
	if (!last?.result) throw new Error(`no result: ${text}`);
	return last.result as Result;
}

async function started(slug: string, seconds: number): Promise<string> {
	const { last } = await ask("tools/call", {
		name: `${slug}_slow_compute`,
		arguments: { seconds, label: slug },
	});
	expect(last?.result?.["resultType"]).toBe("task");
	return String(last?.result?.["taskId"]);
}

describe.each(["modern-http", "modern-stdio"])("modern to %s", (slug) => {
	test("a task is handed out, polled and read, under an id of ours", async () => {
		const taskId = await started(slug, 0.2);
		expect(taskId).toStartWith(`${slug}.`);
		let ended: WireAnswer["last"];
		await until("the task ends", async () => {
			ended = (await ask("tasks/get", { taskId })).last;
			return ended?.result?.["status"] === "completed";
		});
		expect(ended?.result).toMatchObject({
			taskId,
			result: { content: [{ text: `Computed ${slug}` }] },
		});
	});

	test("its question is answered with tasks/update", async () => {
		const { last } = await ask("tools/call", {
			name: `${slug}_confirm_delete`,
			arguments: { filename: "a" },
		});
		const taskId = last?.result?.["taskId"];
		expect((await ask("tasks/get", { taskId })).last?.result).toMatchObject({
			status: "input_required",
			inputRequests: { confirm: { method: "elicitation/create" } },
		});
		const inputResponses = { confirm: { action: "accept" } };
		await ask("tasks/update", { taskId, inputResponses });
		await until("the task ends", async () =>
			(await ask("tasks/get", { taskId })).text.includes("Deleted a"),
		);
	});

	test("it is nobody else's, and gone for good when it is cancelled", async () => {
		const taskId = await started(slug, 600);
		for (const token of [bob, adaElsewhere])
			for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
				const params = { taskId, inputResponses: {} };
				const { last } = await ask(method, params, token);
				expect(last?.error?.code).toBe(-32602);
			}
		// What the server itself calls it is nothing out here.
		const inner = Buffer.from(taskId.split(".").at(-1) ?? "", "base64url");
		const guessed = await ask("tasks/get", { taskId: inner.toString() });
		expect(guessed.last?.error?.code).toBe(-32602);
		expect((await ask("tasks/cancel", { taskId })).last?.result).toEqual({
			resultType: "complete",
		});
		expect((await ask("tasks/get", { taskId })).text).toContain("cancelled");
	});

	test("a client without the extension gets results, and is told which tool needs it", async () => {
		const plain = await ask(
			"tools/call",
			{ name: `${slug}_slow_compute`, arguments: { seconds: 0 } },
			ada,
			{},
		);
		expect(plain.last?.result?.["resultType"]).toBe("complete");
		const refused = await ask(
			"tools/call",
			{ name: `${slug}_failing_job`, arguments: {} },
			ada,
			{},
		);
		expect(refused.status).toBe(400);
		expect(refused.last?.error).toMatchObject({
			code: -32021,
			data: { requiredCapabilities: DECLARED },
		});
	});

	test("a legacy client gets results, whatever it wishes for", async () => {
		const session = await openLegacySession(gateway.endpoint(), ada);
		const { last } = await session.request("tools/call", {
			name: `${slug}_slow_compute`,
			arguments: { seconds: 0, label: "at once" },
			task: { ttl: 60_000 },
		});
		expect(last?.result?.["content"]).toMatchObject([
			{ text: "Computed at once" },
		]);
	});
});

test("a modern client is told of the extension, and must declare it to speak of tasks", async () => {
	const { last } = await ask("server/discover", {});
	expect(last?.result?.["capabilities"]).toMatchObject(DECLARED);
	for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
		const refused = await ask(method, { taskId: "x" }, ada, {});
		expect([refused.status, refused.last?.error?.code]).toEqual([400, -32021]);
	}
	const listening = await sendModern(
		gateway.endpoint(),
		ada,
		"subscriptions/listen",
		{ notifications: { taskIds: ["x"] } },
	);
	expect(listening.last?.error?.code).toBe(-32021);
});

describe("news of a modern task", () => {
	/** Tells of tasks on its listen stream when it is told to. */
	let server: ScriptedServer;
	const streams = new Set<ReadableStreamDefaultController<string>>();

	beforeAll(async () => {
		const about = `"capabilities":{"tools":{},"resources":{},"extensions":{"${TASKS}":{}}},"ttlMs":0,"cacheScope":"public"`;
		server = startScripted((asked) => {
			switch (asked.method) {
				case "server/discover":
					return result(
						asked,
						`{"resultType":"complete","supportedVersions":["2026-07-28"],${about}}`,
					);
				case "tools/list":
					return result(
						asked,
						'{"resultType":"complete","tools":[{"name":"work"}],"ttlMs":60000,"cacheScope":"public"}',
					);
				case "tools/call":
					return result(
						asked,
						'{"resultType":"task","taskId":"t1","status":"working","ttlMs":60000}',
					);
				case "subscriptions/listen":
					return listening(asked);
				default:
					return undefined;
			}
		});
		await gateway.addServers({ telling: ["--url", server.url] });
	});

	afterAll(() => server?.stop());

	function listening(asked: Asked): Response {
		const { params } = JSON.parse(asked.body) as {
			params: { notifications: Record<string, unknown> };
		};
		const acknowledged = JSON.stringify({
			jsonrpc: "2.0",
			method: "notifications/subscriptions/acknowledged",
			params: { notifications: params.notifications },
		});
		const body = new ReadableStream<string>({
			start(controller) {
				controller.enqueue(`data: ${acknowledged}\n\n`);
				streams.add(controller);
			},
		});
		return new Response(body.pipeThrough(new TextEncoderStream()), {
			headers: { "content-type": "text/event-stream" },
		});
	}

	function tell(taskId: string): void {
		const news = `{"jsonrpc":"2.0","method":"notifications/tasks","params":{"taskId":"${taskId}","status":"completed","result":{"content":[{"type":"resource_link","uri":"x://1"}]},"_meta":{"${META.subscriptionId}":9}}}`;
		for (const stream of streams) stream.enqueue(`data: ${news}\n\n`);
	}

	function listen(token: string, taskId: unknown): Promise<OpenStream> {
		return openModern(gateway.endpoint(), token, "subscriptions/listen", {
			notifications: { taskIds: [taskId], toolsListChanged: true },
			_meta: { [META.clientCapabilities]: DECLARED },
		});
	}

	test("reaches the stream that asks for it, in its own words, and no other's", async () => {
		const { last } = await ask("tools/call", {
			name: "telling_work",
			arguments: {},
		});
		const taskId = last?.result?.["taskId"];
		const own = await listen(ada, taskId);
		const foreign = await listen(bob, taskId);
		expect((await own.next())?.params?.["notifications"]).toEqual({
			taskIds: [taskId],
			toolsListChanged: true,
		});
		expect((await foreign.next())?.params?.["notifications"]).toEqual({
			toolsListChanged: true,
		});
		const heard = foreign.next();
		tell("another");
		tell("t1");
		const told = await own.next();
		expect(told).toMatchObject({
			method: "notifications/tasks",
			params: {
				taskId,
				status: "completed",
				result: { content: [{ uri: "telling+x://1" }] },
				_meta: { [META.subscriptionId]: 1 },
			},
		});
		own.close();
		foreign.close();
		expect(await heard).toBeNull();
	});
});

test("a modern task outlives the gateway where its server does", async () => {
	const { last } = await ask("tools/call", NEVER);
	const taskId = last?.result?.["taskId"];
	await gateway.restart();
	expect((await ask("tasks/get", { taskId })).last?.result).toMatchObject({
		taskId,
		status: "working",
	});
	await ask("tasks/cancel", { taskId });
});

describe.each(["legacy-http", "legacy-stdio"])("legacy to %s", (slug) => {
	const tool = `${slug}_${RESEARCH}`;

	test("the official client runs a tool as a task, is asked in the middle, and reads its result", async () => {
		const client = new Client(
			{ name: "tasks", version: "1.0.0" },
			{ capabilities: { elicitation: { form: {} }, tasks: {} } },
		);
		client.setRequestHandler(ElicitRequestSchema, async () => ({
			action: "accept",
			content: { interpretation: "technical" },
		}));
		const transport = new StreamableHTTPClientTransport(
			new URL(gateway.endpoint()),
			{ requestInit: { headers: { Authorization: `Bearer ${ada}` } } },
		);
		await client.connect(transport as Parameters<Client["connect"]>[0]);
		expect(client.getServerCapabilities()?.tasks).toEqual({
			list: {},
			cancel: {},
			requests: { tools: { call: {} } },
		});
		const { tools } = await client.listTools();
		expect(
			tools.find(({ name }) => name === tool)?.execution?.taskSupport,
		).toBe("required");
		const said: string[] = [];
		let text = "";
		for await (const message of client.experimental.tasks.callToolStream(
			{ name: tool, arguments: { topic: "gates", ambiguous: true } },
			CallToolResultSchema,
			{ task: { ttl: 60_000 } },
		)) {
			said.push(message.type);
			if (message.type === "result")
				text = JSON.stringify(message.result.content);
			if (message.type === "error") throw message.error;
		}
		expect(said[0]).toBe("taskCreated");
		expect(said.at(-1)).toBe("result");
		expect(text).toContain("Clarification**: technical");
		await client.close();
	});

	describe("by hand", () => {
		let session: LegacySession;
		let taskId: string;

		beforeAll(async () => {
			session = await openLegacySession(gateway.endpoint(), ada);
			const created = await session.request("tools/call", {
				name: tool,
				arguments: { topic: "gates" },
				task: { ttl: 60_000 },
			});
			taskId = resultOf<Created>(created).task.taskId;
		});

		test("its id is ours, in every answer about it", async () => {
			expect(taskId).toStartWith(`${slug}.`);
			const { last } = await session.request("tasks/get", { taskId });
			expect(last?.result).toMatchObject({ taskId, status: "working" });
			const result = await session.request("tasks/result", { taskId });
			expect(result.last?.result).toMatchObject({
				content: [{ type: "text" }],
				_meta: { [META.relatedTask]: { taskId } },
			});
		});

		test("a list has it, and only for its own client", async () => {
			const idsOf = async (token: string): Promise<unknown> => {
				const its = await openLegacySession(gateway.endpoint(), token);
				const answer = await its.request("tasks/list");
				return resultOf<{ readonly tasks: readonly Created["task"][] }>(
					answer,
				).tasks.map((task) => task.taskId);
			};
			expect(await idsOf(ada)).toContain(taskId);
			expect(await idsOf(adaElsewhere)).toEqual([]);
			expect(await idsOf(bob)).toEqual([]);
			const cursor = await session.request("tasks/list", { cursor: "none" });
			expect(cursor.last?.error?.code).toBe(-32602);
		});

		test("its news reaches its own client's stream, and no other's", async () => {
			const streams = await Promise.all(
				[ada, adaElsewhere, bob].map(async (token) => {
					const its = await openLegacySession(gateway.endpoint(), token);
					return openStream(gateway.endpoint(), token, null, {
						...its.headers,
						Accept: "text/event-stream",
					});
				}),
			);
			const created = await session.request("tools/call", {
				name: tool,
				arguments: { topic: "news" },
				task: { ttl: 60_000 },
			});
			const { task } = resultOf<Created>(created);
			const [own, ...others] = streams;
			const told = await own?.next();
			expect(told?.method).toBe("notifications/tasks/status");
			expect(told?.params).toMatchObject({ taskId: task.taskId });
			for (const other of others) {
				const heard = other.next();
				other.close();
				expect(await heard).toBeNull();
			}
			own?.close();
		});

		test("nobody else can ask for it", async () => {
			for (const token of [bob, adaElsewhere]) {
				const its = await openLegacySession(gateway.endpoint(), token);
				for (const method of ["tasks/get", "tasks/result", "tasks/cancel"])
					expect(
						(await its.request(method, { taskId })).last?.error?.code,
					).toBe(-32602);
			}
		});

		test("a running one can be cancelled", async () => {
			const created = await session.request("tools/call", {
				name: tool,
				arguments: { topic: "none" },
				task: {},
			});
			const { task } = resultOf<Created>(created);
			const { last } = await session.request("tasks/cancel", {
				taskId: task.taskId,
			});
			expect(last?.result).toMatchObject({
				taskId: task.taskId,
				status: "cancelled",
			});
		});
	});

	test("a modern client sees no tool that needs a task, whatever it declares", async () => {
		const { tools } = resultOf<Listed>(await ask("tools/list", {}));
		const own = tools.filter((each) => String(each["name"]).startsWith(slug));
		expect(own.length).toBeGreaterThan(5);
		expect(own.map((each) => each["name"])).not.toContain(tool);
		expect(own.filter((each) => "execution" in each)).toEqual([]);
	});
});

test("a legacy client of an older revision is told nothing of tasks", async () => {
	const endpoint = gateway.endpoint("legacy-stdio");
	const session = await openLegacySession(
		endpoint,
		ada,
		undefined,
		{},
		"2025-06-18",
	);
	const { tools } = resultOf<Listed>(await session.request("tools/list"));
	expect(tools.filter((each) => "execution" in each)).toEqual([]);
	expect((await session.request("tasks/list")).last?.error?.code).toBe(-32601);
});

describe("whoever cannot be handed a server's tasks is not told that it has any", () => {
	/** What a legacy client is told on arrival, whatever it declares of tasks of either kind. */
	async function arrive(
		slug: string | undefined,
		protocolVersion: string,
	): Promise<Record<string, unknown>> {
		const { last } = await send(
			gateway.endpoint(slug),
			ada,
			JSON.stringify({
				jsonrpc: "2.0",
				id: 1,
				method: "initialize",
				params: {
					protocolVersion,
					capabilities: { ...DECLARED, tasks: { list: {}, cancel: {} } },
					clientInfo: { name: "tasks", version: "1.0.0" },
				},
			}),
		);
		return last?.result?.["capabilities"] as Record<string, unknown>;
	}

	async function discovered(slug?: string): Promise<unknown> {
		const { last } = await sendModern(
			gateway.endpoint(slug),
			ada,
			"server/discover",
			{ _meta: { [META.clientCapabilities]: DECLARED } },
		);
		return last?.result?.["capabilities"];
	}

	const HAS = { requests: { tools: { call: {} } } };

	test("a legacy client hears of legacy tasks alone, and only in the revision that has them", async () => {
		for (const slug of ["legacy-http", "legacy-stdio", undefined]) {
			const told = await arrive(slug, "2025-11-25");
			expect(told).toMatchObject({ tasks: HAS });
			expect(JSON.stringify(told)).not.toContain(TASKS);
			expect(await arrive(slug, "2025-06-18")).not.toHaveProperty("tasks");
		}
		for (const slug of ["modern-http", "modern-stdio"])
			for (const revision of ["2025-11-25", "2025-06-18"]) {
				const told = await arrive(slug, revision);
				expect(told).not.toHaveProperty("tasks");
				expect(JSON.stringify(told)).not.toContain(TASKS);
			}
	});

	test("a modern client hears of the extension alone, and only of servers that have it", async () => {
		for (const slug of ["modern-http", "modern-stdio", undefined]) {
			const told = await discovered(slug);
			expect(told).toMatchObject(DECLARED);
			expect(told).not.toHaveProperty("tasks");
		}
		for (const slug of ["legacy-http", "legacy-stdio"]) {
			const told = JSON.stringify(await discovered(slug));
			expect(told).not.toContain("tasks");
		}
	});

	test("a modern server is not told that a legacy client can be handed a task, though that says so", async () => {
		for (const slug of ["modern-http", "modern-stdio"]) {
			const session = await openLegacySession(
				gateway.endpoint(slug),
				ada,
				undefined,
				DECLARED,
			);
			const { last } = await session.request("tools/call", {
				name: "slow_compute",
				arguments: { seconds: 0, label: "at once" },
			});
			expect(last?.result?.["content"]).toMatchObject([
				{ text: "Computed at once" },
			]);
			const { error } =
				(await session.request("tasks/get", { taskId: "x" })).last ?? {};
			expect(error?.code).toBe(-32602);
		}
	});

	test("a task parameter of a modern client is nothing to a legacy server", async () => {
		for (const slug of ["legacy-http", "legacy-stdio"]) {
			const { last } = await ask("tools/call", {
				name: `${slug}_echo`,
				arguments: { message: "at once" },
				task: { ttl: 60_000 },
			});
			expect(last?.result).toMatchObject({
				resultType: "complete",
				content: [{ text: "Echo: at once" }],
			});
		}
	});
});

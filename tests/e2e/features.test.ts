/**
 * What a server can do, through the gateway: progress, cancellation, errors, resources, templates, prompts,
 * completion, changes. Each is asked by a client of either era of a server of either era over either transport, and
 * each must arrive as it was sent but for the names.
 *
 * @see specification 2026-07-28 and 2025-11-25, server/* and basic/utilities
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { META } from "../../src/protocol.ts";
import { ODD_RESULT } from "../fixtures/odd.ts";
import {
	BOTH_ERAS,
	type FixtureServers,
	signInBoth,
	startBothEras,
} from "../support/both-eras.ts";
import { createBrowser } from "../support/browser.ts";
import { createSdk1Client, type Sdk1Client } from "../support/clients/sdk1.ts";
import type { Sdk2Client } from "../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { openLegacySession, openModern, sendModern } from "../support/wire.ts";

setDefaultTimeout(60_000);

let gateway: Gateway;
let fixtures: FixtureServers;
let modern: Sdk2Client;
let legacy: Sdk1Client;

beforeAll(async () => {
	[fixtures, gateway] = await Promise.all([startBothEras(), startGateway()]);
	// These servers change their tools, and answer for tools that they do not list.
	await gateway.addServers(
		Object.fromEntries(
			Object.entries(fixtures.flags).map(([slug, flags]) => [
				slug,
				["--pinning", "off", ...flags],
			]),
		),
	);
	({ modern, legacy } = await signInBoth(gateway));
}, 120_000);

afterAll(async () => {
	await modern?.close();
	await legacy?.close();
	await gateway?.stop();
	await fixtures?.stop();
});

describe.each(BOTH_ERAS.map((slug) => ({ slug })))(
	"through $slug",
	({ slug }) => {
		test("an answer of tomorrow arrives as it was written", async () => {
			const call = { name: `${slug}_odd`, arguments: {} };
			const { accessToken } = modern.credentials();
			const session = await openLegacySession(
				gateway.endpoint(),
				legacy.credentials().accessToken,
			);
			const answers = [
				await sendModern(gateway.endpoint(), accessToken, "tools/call", call),
				await session.request("tools/call", call),
			];
			const content = ODD_RESULT.slice(
				ODD_RESULT.indexOf('"content"'),
				ODD_RESULT.indexOf(',"_meta"'),
			);
			for (const { text } of answers) {
				expect(text).toContain(content);
				expect(text).toContain('"zeta":1');
				expect(text).toContain('"com.example/trace":"kept"');
				expect(text).toContain('"alpha":null');
			}
		});

		test("progress comes with the caller's own token, in order", async () => {
			const steps: number[] = [];
			const onprogress = ({ progress }: { progress: number }): void =>
				void steps.push(progress);
			const call = { name: `${slug}_slow`, arguments: { ms: 60 } };
			await modern.sdk().callTool(call, { onprogress });
			expect(steps).toEqual([1, 2, 3, 4]);
			steps.length = 0;
			await legacy.sdk().callTool(call, undefined, { onprogress });
			expect(steps).toEqual([1, 2, 3, 4]);
		});

		test("progress tokens of two callers at once are not mixed up", async () => {
			const { accessToken } = modern.credentials();
			const answers = await Promise.all(
				["one", 2].map((progressToken) =>
					sendModern(gateway.endpoint(), accessToken, "tools/call", {
						name: `${slug}_slow`,
						arguments: { ms: 60 },
						_meta: { progressToken },
					}),
				),
			);
			expect(
				answers.map(({ messages }) =>
					messages
						.slice(0, -1)
						.map((message) => message.params?.["progressToken"]),
				),
			).toEqual([
				["one", "one", "one", "one"],
				[2, 2, 2, 2],
			]);
		});

		test("a cancelled call is cancelled at the server, in both eras", async () => {
			for (const [start, client] of [
				[startModernCall, modern],
				[startLegacyCall, legacy],
			] as const) {
				const before = Number(await client.callTool(`${slug}_cancelled`));
				await start(slug);
				await until(
					"the server sees the cancellation",
					async () =>
						Number(await client.callTool(`${slug}_cancelled`)) === before + 1,
				);
			}
		});

		test("an error that is a result stays a result, with its text", async () => {
			const call = { name: `${slug}_fail`, arguments: {} };
			const expected = { isError: true, content: [{ text: "it went wrong" }] };
			expect(await modern.sdk().callTool(call)).toMatchObject(expected);
			expect(await legacy.sdk().callTool(call)).toMatchObject(expected);
		});

		test("an error of the protocol keeps its code and message", async () => {
			const answer = await sendModern(
				gateway.endpoint(),
				modern.credentials().accessToken,
				"tools/call",
				{ name: `${slug}_nope`, arguments: {} },
			);
			expect(answer.last?.error).toMatchObject({
				code: -32602,
				message: "Unknown tool: nope",
			});
		});

		test("resources are listed and read under their exposed addresses", async () => {
			for (const client of [modern.sdk(), legacy.sdk()]) {
				const { resources } = await client.listResources();
				const uri = `${slug}+fixture://static/text`;
				expect(resources.map((resource) => resource.uri)).toContain(uri);
				expect((await client.readResource({ uri })).contents).toMatchObject([
					{ uri, text: "a text" },
				]);
				const binary = `${slug}+fixture://static/binary`;
				expect(
					(await client.readResource({ uri: binary })).contents,
				).toMatchObject([{ uri: binary, blob: "AAECAw==" }]);
			}
		});

		test("a template can be filled in and read", async () => {
			for (const client of [modern.sdk(), legacy.sdk()]) {
				const { resourceTemplates } = await client.listResourceTemplates();
				const template = resourceTemplates.find(({ uriTemplate }) =>
					uriTemplate.startsWith(`${slug}+`),
				);
				expect(template?.uriTemplate).toBe(`${slug}+fixture://item/{id}`);
				const uri = `${slug}+fixture://item/7`;
				expect((await client.readResource({ uri })).contents).toMatchObject([
					{ uri, text: "item 7" },
				]);
			}
		});

		test("prompts are listed and got, and what they link to can be read", async () => {
			for (const client of [modern.sdk(), legacy.sdk()]) {
				const { prompts } = await client.listPrompts();
				expect(prompts.map((prompt) => prompt.name)).toContain(
					`${slug}_review`,
				);
				const { messages } = await client.getPrompt({
					name: `${slug}_review`,
					arguments: { language: "dutch" },
				});
				expect(messages).toMatchObject([
					{ content: { text: "review in dutch" } },
					{ content: { uri: `${slug}+fixture://static/text` } },
				]);
			}
		});

		test("arguments are completed", async () => {
			for (const client of [modern.sdk(), legacy.sdk()])
				expect(
					await client.complete({
						ref: { type: "ref/prompt", name: `${slug}_review` },
						argument: { name: "language", value: "eng" },
					}),
				).toMatchObject({
					completion: { values: ["english", "english (uk)"] },
				});
		});
	},
);

test("a resource that nobody has is -32602 to a modern client and -32002 to a legacy one", async () => {
	const answer = await sendModern(
		gateway.endpoint(),
		modern.credentials().accessToken,
		"resources/read",
		{ uri: "nobody+fixture://nowhere" },
	);
	expect(answer.last?.error?.code).toBe(-32602);
	const session = await openLegacySession(
		gateway.endpoint(),
		legacy.credentials().accessToken,
	);
	const old = await session.request("resources/read", {
		uri: "nobody+fixture://nowhere",
	});
	expect(old.last?.error?.code).toBe(-32002);
});

// These change a list for good, so they come last.
describe.each(BOTH_ERAS.map((slug) => ({ slug })))(
	"when the tools of $slug change",
	({ slug }) => {
		test("clients of both eras hear of it and see the new list", async () => {
			const heard = Promise.withResolvers<void>();
			const fresh = createSdk1Client(gateway.endpoint());
			await fresh.signIn(createBrowser(gateway.owner));
			fresh
				.sdk()
				.setNotificationHandler(ToolListChangedNotificationSchema, () =>
					heard.resolve(),
				);
			const listening = await openModern(
				gateway.endpoint(),
				modern.credentials().accessToken,
				"subscriptions/listen",
				{ notifications: { toolsListChanged: true } },
			);
			expect((await listening.next())?.method).toBe(
				"notifications/subscriptions/acknowledged",
			);
			expect(await fresh.listTools()).not.toContain(`${slug}_added`);
			expect(await modern.callTool(`${slug}_change`)).toBe("changed");

			await heard.promise;
			const told = await listening.next();
			expect(told?.method).toBe("notifications/tools/list_changed");
			// 2026-07-28, basic/utilities/subscriptions: tagged with the id of the listen request.
			expect(told?.params?.["_meta"]).toMatchObject({
				[META.subscriptionId]: 1,
			});
			listening.close();
			await until("the new tool is listed", async () =>
				(await fresh.listTools()).includes(`${slug}_added`),
			);
			expect(await fresh.callTool(`${slug}_added`)).toBe("added");
			await fresh.close();
		});
	},
);

/** Starts a long call and drops the connection: to a modern server that is the cancellation. */
async function startModernCall(slug: string): Promise<void> {
	const abort = new AbortController();
	const call = modern.sdk().callTool(
		{ name: `${slug}_slow`, arguments: { ms: 30_000 } },
		{
			signal: abort.signal,
			onprogress: () => abort.abort(new Error("enough")),
		},
	);
	await expect(call).rejects.toThrow("enough");
}

/** Starts a long call and sends `notifications/cancelled`. */
async function startLegacyCall(slug: string): Promise<void> {
	const abort = new AbortController();
	const call = legacy
		.sdk()
		.callTool({ name: `${slug}_slow`, arguments: { ms: 30_000 } }, undefined, {
			signal: abort.signal,
			onprogress: () => abort.abort("enough"),
		});
	await expect(call).rejects.toThrow("enough");
}

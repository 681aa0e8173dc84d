import { expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { createEventStream } from "../../src/mcp/stream.ts";
import { createSubscriptions, type Wish } from "../../src/mcp/subscriptions.ts";
import { createTies } from "../../src/mcp/ties.ts";
import { readableOf } from "../../src/pieces.ts";
import { viewOf } from "../support/views.ts";

const view = viewOf([]);

const tasks = { ownerOf: () => null, expose: () => "" };
const ties = createTies({ clock: systemClock });

function wish(subscriptionId: string | null): Wish {
	return {
		lists: new Set(["tools"]),
		resources: new Map(),
		tasks: new Map(),
		logLevel: () => null,
		subscriptionId,
	};
}

test("an open stream ends when its credential is revoked (attack 105)", async () => {
	let alive = true;
	const subscriptions = createSubscriptions({
		isAlive: () => alive,
		tasks,
		ties,
		checkMs: 5,
	});
	const stream = createEventStream();
	const ended = Promise.withResolvers<void>();
	subscriptions.add(stream, wish(null), () => view);
	stream.onEnd(ended.resolve);
	subscriptions.everythingChanged();
	const reader = readableOf(stream.body).getReader();
	const first = await reader.read();
	expect(Buffer.from(first.value ?? []).toString()).toContain(
		"notifications/tools/list_changed",
	);
	alive = false;
	await ended.promise;
	expect((await reader.read()).done).toBe(true);
	subscriptions.close();
});

test("a modern stream ends with the result of its listen request when the gateway stops", async () => {
	const subscriptions = createSubscriptions({
		isAlive: () => true,
		tasks,
		ties,
	});
	const stream = createEventStream();
	subscriptions.add(stream, wish('"l1"'), () => view);
	subscriptions.everythingChanged();
	subscriptions.close();
	expect(await new Response(readableOf(stream.body)).text()).toBe(
		'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l1"}}}\n\n' +
			'data: {"jsonrpc":"2.0","id":"l1","result":{"resultType":"complete"}}\n\n',
	);
});

import { expect, test } from "bun:test";
import {
	createdTask,
	renameInNotification,
	renameInResult,
} from "../../src/mcp/task-ids.ts";
import { textOf, toBytes } from "../../src/message.ts";

function rename(id: string): string | null {
	return id === "stays" ? null : `out.${id}`;
}

test("a call became a task when its server says so in the words of its era", () => {
	const modern = '{"resultType":"task","taskId":"1","ttlMs":60000}';
	const legacy = '{"task":{"taskId":"1","ttl":60000}}';
	const expected = { taskId: "1", ttlMs: 60_000 };
	expect(createdTask("modern", toBytes(modern))).toEqual(expected);
	expect(createdTask("legacy", toBytes(legacy))).toEqual(expected);
	expect(createdTask("legacy", toBytes(modern))).toBeNull();
	expect(createdTask("modern", toBytes(legacy))).toBeNull();
});

test("a result that only looks like a task is a result", () => {
	for (const text of [
		'{"content":[],"task":{"taskId":"1"}}',
		'{"content":[{"type":"text","text":"\\"taskId\\""}],"structuredContent":{"taskId":"1"}}',
		'{"task":"taskId"}',
		'{"task":{"taskId":7}}',
	])
		expect(createdTask("legacy", toBytes(text))).toBeNull();
});

test("a task without an end is minded for a day", () => {
	const day = 24 * 3600_000;
	for (const ttl of ["null", "1e300", "-1", '"x"'])
		expect(
			createdTask(
				"modern",
				toBytes(`{"resultType":"task","taskId":"1","ttlMs":${ttl}}`),
			)?.ttlMs,
		).toBe(day);
});

test("ids are renamed where they stand, and nothing else is touched", () => {
	const related = '"io.modelcontextprotocol/related-task"';
	for (const [from, to] of [
		[
			'{"taskId" : "1", "ttl":1e2,"x":{"taskId":"1"}}',
			'{"taskId" : "out.1", "ttl":1e2,"x":{"taskId":"1"}}',
		],
		['{"task":{"taskId":"1"}}', '{"task":{"taskId":"out.1"}}'],
		[
			`{"content":[],"_meta":{"a":1,${related}:{"taskId":"1"}}}`,
			`{"content":[],"_meta":{"a":1,${related}:{"taskId":"out.1"}}}`,
		],
		['{"taskId":"stays"}', '{"taskId":"stays"}'],
		['{"taskId":7,"_meta":7,"task":[]}', '{"taskId":7,"_meta":7,"task":[]}'],
	] as const)
		expect(textOf(renameInResult(toBytes(from), rename))).toBe(to);
	const heard =
		'{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"1"}}';
	expect(textOf(renameInNotification(toBytes(heard), rename))).toBe(
		heard.replace('"1"', '"out.1"'),
	);
});

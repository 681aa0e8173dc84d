import { expect, test } from "bun:test";
import { textOf, toBytes } from "../../src/message.ts";
import { withoutTasks } from "../../src/upstream/tasks.ts";

function shown(text: string): string | null {
	const tool = withoutTasks({ key: "a", bytes: toBytes(text) });
	return tool && textOf(tool.bytes);
}

test("a tool without execution stays the bytes it was", () => {
	expect(shown('{ "name":"a" }')).toBe('{ "name":"a" }');
});

test("execution goes with its comma, wherever it stands", () => {
	expect(shown('{"execution":{"taskSupport":"optional"},"name":"a"}')).toBe(
		'{"name":"a"}',
	);
	expect(shown('{"name":"a", "execution":{} , "b":1}')).toBe(
		'{"name":"a", "b":1}',
	);
	expect(shown('{"name":"a", "execution":{}}')).toBe('{"name":"a"}');
	expect(shown('{"execution":{}}')).toBe("{}");
});

test("a tool that can only be called as a task is not shown", () => {
	expect(
		shown('{"name":"a","execution":{"taskSupport":"required"}}'),
	).toBeNull();
});

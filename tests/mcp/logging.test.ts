import { expect, test } from "bun:test";
import { loggedBy, mayShow } from "../../src/mcp/logging.ts";
import { textOf, toBytes } from "../../src/message.ts";

function line(params: string, method = "notifications/message"): Uint8Array {
	return toBytes(`{"jsonrpc":"2.0","method":"${method}","params":${params}}`);
}

test("a log line is shown from the wished level on", () => {
	const info = line('{"level":"info","data":"x"}');
	expect(mayShow(info, "info")).toBe(true);
	expect(mayShow(info, "debug")).toBe(true);
	expect(mayShow(info, "warning")).toBe(false);
	expect(mayShow(info, null)).toBe(false);
	expect(mayShow(line('{"progress":1}', "notifications/progress"), null)).toBe(
		true,
	);
});

test("among several servers it says whose it is", () => {
	const said = (params: string): string =>
		textOf(loggedBy("notes", line(params)));
	expect(said('{"level":"info","logger":"db","data":1}')).toContain(
		'"params":{"level":"info","logger":"notes/db","data":1}',
	);
	expect(said('{"level":"info","data":1}')).toContain(
		'"params":{"logger":"notes","level":"info","data":1}',
	);
	expect(said("{}")).toContain('"params":{"logger":"notes"}');
	expect(said('{"logger":7}')).toContain('"params":{"logger":7}');
	const other = line('{"data":"notifications/message"}', "notifications/x");
	expect(loggedBy("notes", other)).toBe(other);
});

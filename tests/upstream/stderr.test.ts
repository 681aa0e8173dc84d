import { expect, test } from "bun:test";
import {
	collectLines,
	createRedactor,
	Lines,
} from "../../src/upstream/stderr.ts";

test("a secret is struck out in every spelling", () => {
	const secret = 'pa"ss/wörd+1\nline two of it';
	const redact = createRedactor([secret]);
	for (const spelling of [
		secret,
		"line two of it",
		JSON.stringify(secret).slice(1, -1),
		encodeURIComponent(secret),
		Buffer.from(secret).toString("base64"),
		Buffer.from(secret).toString("base64url"),
		Buffer.from(secret).toString("hex"),
	])
		expect(redact(`<${spelling}>`)).toMatch(/^<\[secret\]=*>$/);
	expect(createRedactor(["abc"])("abc")).toBe("abc");
});

test("the last lines are kept, and one that is too long is left out whole", async () => {
	const lines = new Lines();
	const text = `${"x".repeat(9000)}secret\n${Array.from({ length: 600 }, (_, n) => n).join("\n")}`;
	await collectLines(new Blob([text]).stream(), ["secret"], lines);
	expect(lines.list().length).toBe(500);
	expect(lines.list().at(-1)).toBe("599");
	const short = new Lines();
	await collectLines(
		new Blob([`${"x".repeat(9000)}secret\nend`]).stream(),
		["secret"],
		short,
	);
	expect(short.list()).toEqual([
		"[a line that is too long was left out]",
		"end",
	]);
});

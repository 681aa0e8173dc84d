/** The register of attacks is whole: each of the 120 has a test here that begins with its number, or a row that says why not. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const COUNT = 120;

function read(name: string): string {
	return readFileSync(join(import.meta.dir, name), "utf8");
}

/** `24, 33–35` as its numbers. */
function numbersOf(text: string): readonly number[] {
	return [
		...text.matchAll(/(?<![\d,])(\d{1,3})(?:–(\d{1,3}))?(?![\d,]\d)/g),
	].flatMap(([, from = "", to = from]) =>
		Array.from(
			{ length: Number(to) - Number(from) + 1 },
			(_, at) => Number(from) + at,
		),
	);
}

test("each attack has a test, or a reason", () => {
	const tested = readdirSync(import.meta.dir)
		.filter((name) => name.endsWith(".test.ts"))
		.flatMap((name) => [...read(name).matchAll(/["`](\d+(?:, \d+)*): /g)])
		.flatMap(([, numbers = ""]) => numbersOf(numbers));
	const [, reasons = ""] = read("README.md").split("## Not run over HTTP");
	const explained = [...reasons.matchAll(/^\| ([^|]*\d[^|]*) \|/gm)].flatMap(
		([, cell = ""]) => numbersOf(cell),
	);
	const known = new Set([...tested, ...explained]);
	const missing = Array.from({ length: COUNT }, (_, at) => at + 1).filter(
		(number) => !known.has(number),
	);
	expect(missing).toEqual([]);
	expect(tested.length).toBeGreaterThan(60);
});

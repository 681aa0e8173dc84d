/** What look.md asks of each page, of every page: by the canned ones of `npm run pages`. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CANNED } from "../../.ci/canned-pages.ts";

/** What others are made of, and what the page of a problem is made by. */
const PARTS = ["page", "growingPage", "workPage", "refusedPage"];

test("every page there is has a canned one", () => {
	const root = join(import.meta.dir, "../..");
	const canned = readFileSync(join(root, ".ci/canned-pages.ts"), "utf8");
	const missing = readdirSync(join(root, "src/web"), {
		recursive: true,
		encoding: "utf8",
	})
		.filter((file) => file.endsWith(".tsx"))
		.flatMap((file) => [
			...readFileSync(join(root, "src/web", file), "utf8").matchAll(
				/^export (?:async )?function (\w*[pP]age)\(/gm,
			),
		])
		.map(([, name = ""]) => name)
		.filter((name) => !PARTS.includes(name))
		.filter((name) => !new RegExp(`\\b${name}\\(`).test(canned));
	expect(missing).toEqual([]);
});

for (const [name, make] of Object.entries(CANNED))
	test(`${name} has one heading, at most one primary button, and a name for every field`, async () => {
		const html = await make().text();
		expect(html.match(/<h1>/g)).toHaveLength(1);
		expect(
			html.match(/class="(?:button )?primary"/g)?.length ?? 0,
		).toBeLessThanOrEqual(1);
		expect(html).not.toMatch(/ style=|onclick|javascript:/i);
		for (const [, id] of html.matchAll(/<label for="([^"]+)"/g))
			expect(html, id).toContain(`id="${id}"`);
		for (const [, ids = ""] of html.matchAll(/aria-describedby="([^"]+)"/g))
			for (const id of ids.split(" ")) expect(html).toContain(`id="${id}"`);
	});

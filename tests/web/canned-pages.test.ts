/** What look.md asks of each page, of every page: by the canned ones of `npm run pages`. */
import { expect, test } from "bun:test";
import { CANNED } from "../../.ci/canned-pages.ts";

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

/** Whoever opens a setup link and fills its form: the first person of a gateway. */
import { createBrowser, type Person } from "./browser.ts";
import type { Reach } from "./reach.ts";

/** @returns the answer to the form: a redirect when the gateway is theirs */
export async function claimAt(
	link: string,
	person: Person,
	reach?: Reach,
): Promise<Response> {
	const { origin, hash } = new URL(link);
	const browser = createBrowser(person, reach);
	const html = await (await browser.open(`${origin}/setup`)).text();
	return browser.open(`${origin}/setup`, {
		method: "POST",
		body: new URLSearchParams({
			...person,
			token: hash.slice(1),
			csrf: /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? "",
		}),
		headers: { origin, "sec-fetch-site": "same-origin" },
	});
}

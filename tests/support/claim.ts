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
	const send = async (
		path: string,
		fields: Readonly<Record<string, string>>,
	): Promise<Response> => {
		const html = await (await browser.open(origin + path)).text();
		const csrf = /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? "";
		return browser.open(origin + path, {
			method: "POST",
			body: new URLSearchParams({ ...fields, csrf }),
			headers: { origin, "sec-fetch-site": "same-origin" },
		});
	};
	const proved = await send("/setup", { token: hash.slice(1), choice: "new" });
	return proved.status === 303 ? send("/setup/owner", person) : proved;
}

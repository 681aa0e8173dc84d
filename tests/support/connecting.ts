/** A person at `/connect/<slug>`, step by step, so that a test can come between any two. */
import { type Browser, csrfOf } from "../oauth/authority.ts";

/** Presses the button that signs in. @returns where the browser is sent, or the page that says why not */
export async function leave(
	browser: Browser,
	slug: string,
): Promise<{ readonly onward: URL | null; readonly page: string }> {
	const form = await (await browser.get(`/connect/${slug}`)).text();
	const response = await browser.post(`/connect/${slug}`, {
		csrf: csrfOf(form),
		do: "sign-in",
	});
	const page = await response.text();
	const url = /http-equiv="refresh" content="0;url=([^"]+)"/.exec(page)?.[1];
	return { onward: url ? new URL(url.replaceAll("&amp;", "&")) : null, page };
}

/** What the service does with the browser: sends it back. @returns path and query of our callback */
export async function answered(onward: URL): Promise<string> {
	const response = await fetch(onward, { redirect: "manual" });
	const back = new URL(response.headers.get("Location") ?? "");
	return `${back.pathname}${back.search}`;
}

/** All of it. @returns the page at the end */
export async function connectTo(
	browser: Browser,
	slug: string,
): Promise<{ readonly status: number; readonly page: string }> {
	const { onward, page } = await leave(browser, slug);
	if (!onward) return { status: 0, page };
	const response = await browser.get(await answered(onward), {
		"Sec-Fetch-Site": "cross-site",
	});
	return { status: response.status, page: await response.text() };
}

/**
 * A scripted person in front of a browser: follows redirects with cookies, fills the forms that are really on the
 * page and presses the button that a person would. It knows field names (`email`, `password`, `decision`), nothing
 * else of our pages; hidden fields travel as they stand.
 */
import type { Reach } from "./reach.ts";

const STEPS_MAX = 20;

export type Person = { readonly email: string; readonly password: string };

export type Browser = {
	/**
	 * Opens an authorization URL and does what the pages ask for, until the browser is sent to `redirectUri`.
	 * @returns the URL it was sent to; it is not opened
	 */
	readonly authorize: (
		url: string | URL,
		redirectUri: string,
		decision?: "allow" | "deny",
	) => Promise<URL>;
	/** One request as the browser would send it, redirects not followed. */
	readonly open: (url: string | URL, init?: RequestInit) => Promise<Response>;
	/** What is in its jar. */
	readonly cookies: () => Readonly<Record<string, string>>;
	/** Every page and header that was received, for the search for canaries. */
	readonly seen: () => readonly string[];
};

type Form = {
	readonly action: string;
	readonly method: string;
	readonly fields: [name: string, value: string][];
	readonly buttons: [name: string, value: string][];
	/** The names of the fields a person fills. */
	readonly inputs: string[];
};

type Page = { readonly forms: readonly Form[]; readonly onward: string | null };

/**
 * A browser used by one person.
 * @param reach how it gets at hosts that are not in DNS
 * @param cookies what is in its jar already
 */
export function createBrowser(
	person: Person,
	reach: Reach = fetch,
	cookies: Readonly<Record<string, string>> = {},
): Browser {
	const jar = new Map<string, string>(Object.entries(cookies));
	const seen: string[] = [];

	async function open(
		url: string | URL,
		init: RequestInit = {},
	): Promise<Response> {
		const headers = new Headers(init.headers);
		if (jar.size > 0)
			headers.set(
				"Cookie",
				[...jar].map(([name, value]) => `${name}=${value}`).join("; "),
			);
		headers.set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
		headers.set("Sec-Fetch-Mode", "navigate");
		headers.set("Sec-Fetch-Dest", "document");
		if (!headers.has("Sec-Fetch-Site")) headers.set("Sec-Fetch-Site", "none");
		const response = await reach(url, { ...init, headers, redirect: "manual" });
		for (const cookie of response.headers.getSetCookie()) keep(jar, cookie);
		seen.push(
			`${response.status} ${url}\n${[...response.headers].map((pair) => pair.join(": ")).join("\n")}`,
		);
		return response;
	}

	async function authorize(
		start: string | URL,
		redirectUri: string,
		decision: "allow" | "deny" = "allow",
	): Promise<URL> {
		let url = new URL(start);
		let response = await open(url, {
			headers: { "Sec-Fetch-Site": "cross-site" },
		});
		for (let step = 0; step < STEPS_MAX; step++) {
			const html = await response.text();
			seen.push(html);
			const page = await parsePage(html);
			const next = response.headers.get("Location") ?? page.onward;
			if (next !== null && response.status < 400) {
				url = new URL(next, url);
				if (isAt(url, redirectUri)) return url;
				response = await open(url, {
					headers: { "Sec-Fetch-Site": "same-origin" },
				});
				continue;
			}
			const form = page.forms.find((candidate) => candidate.method === "post");
			if (!form || response.status >= 400)
				throw new Error(
					`stuck at ${response.status} ${url}: ${readable(html)}`,
				);
			const from = url;
			url = new URL(form.action || url, url);
			response = await open(url, {
				method: "POST",
				body: fill(form, person, decision),
				headers: {
					"Content-Type": "application/x-www-form-urlencoded",
					"Sec-Fetch-Site": "same-origin",
					Origin: from.origin,
					Referer: from.href,
				},
			});
		}
		throw new Error(`no end after ${STEPS_MAX} pages, last ${url}`);
	}

	return {
		authorize,
		open,
		cookies: () => Object.fromEntries(jar),
		seen: () => seen,
	};
}

function keep(jar: Map<string, string>, cookie: string): void {
	const [pair = "", ...attributes] = cookie.split(";");
	const at = pair.indexOf("=");
	const name = pair.slice(0, at).trim();
	const gone = attributes.some((attribute) =>
		/^\s*max-age=0\s*$/i.test(attribute),
	);
	if (gone) jar.delete(name);
	else jar.set(name, pair.slice(at + 1).trim());
}

/** Same scheme, host, port and path: only the query may differ. */
function isAt(url: URL, redirectUri: string): boolean {
	const expected = new URL(redirectUri);
	return (
		url.protocol === expected.protocol &&
		url.host === expected.host &&
		url.pathname === expected.pathname
	);
}

function fill(form: Form, person: Person, decision: string): URLSearchParams {
	const body = new URLSearchParams(form.fields);
	for (const name of form.inputs)
		if (name === "email" || name === "password") body.set(name, person[name]);
	const button =
		form.buttons.find(
			([name, value]) => name === "decision" && value === decision,
		) ?? form.buttons[0];
	if (button?.[0]) body.set(...button);
	return body;
}

async function parsePage(html: string): Promise<Page> {
	const forms: Form[] = [];
	let onward: string | null = null;
	const entry = (element: HTMLRewriterTypes.Element): [string, string] => [
		element.getAttribute("name") ?? "",
		decodeEntities(element.getAttribute("value") ?? ""),
	];
	await new HTMLRewriter()
		.on("form", {
			element(element) {
				forms.push({
					action: decodeEntities(element.getAttribute("action") ?? ""),
					method: (element.getAttribute("method") ?? "get").toLowerCase(),
					fields: [],
					buttons: [],
					inputs: [],
				});
			},
		})
		.on("form input", {
			element(element) {
				const form = forms.at(-1);
				const type = (element.getAttribute("type") ?? "text").toLowerCase();
				const [name, value] = entry(element);
				if (!form || name === "") return;
				if (type === "submit") form.buttons.push([name, value]);
				else if (type !== "checkbox" && type !== "radio") {
					form.fields.push([name, value]);
					if (type !== "hidden") form.inputs.push(name);
				} else if (element.hasAttribute("checked"))
					form.fields.push([name, value || "on"]);
			},
		})
		.on("form button", {
			element(element) {
				if ((element.getAttribute("type") ?? "submit") === "submit")
					forms.at(-1)?.buttons.push(entry(element));
			},
		})
		.on("meta[http-equiv]", {
			element(element) {
				if (element.getAttribute("http-equiv")?.toLowerCase() !== "refresh")
					return;
				const target = /url=(.+)$/i.exec(
					decodeEntities(element.getAttribute("content") ?? ""),
				)?.[1];
				if (target) onward = target;
			},
		})
		.transform(new Response(html))
		.text();
	return { forms, onward };
}

function decodeEntities(text: string): string {
	return text
		.replaceAll("&quot;", '"')
		.replaceAll("&#39;", "'")
		.replaceAll("&#x27;", "'")
		.replaceAll("&lt;", "<")
		.replaceAll("&gt;", ">")
		.replaceAll("&amp;", "&");
}

function readable(html: string): string {
	return html
		.replace(/<style[\s\S]*?<\/style>/g, "")
		.replace(/<[^>]+>/g, " ")
		.replace(/\s+/g, " ")
		.slice(0, 500);
}

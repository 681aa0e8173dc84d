/** The few files that pages refer to. Their names carry a hash of what is in them, so they are kept for ever. */
import { createHash } from "node:crypto";
import { renderToString } from "preact-render-to-string";
import type { Route } from "../route.ts";
import stylesheet from "./assets/app.css" with { type: "text" };
import liveScript from "./assets/live.client.js" with { type: "text" };
import passkeyScript from "./assets/passkey.client.js" with { type: "text" };
import setupScript from "./assets/setup.client.js" with { type: "text" };
import { Mark } from "./mark.tsx";

type Asset = {
	readonly path: string;
	readonly type: string;
	readonly text: string;
};

function asset(
	name: string,
	extension: string,
	type: string,
	text: string,
): Asset {
	const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
	return { path: `/assets/${name}-${hash}.${extension}`, type, text };
}

function script(name: string, text: string): Asset {
	return asset(name, "js", "text/javascript; charset=utf-8", text);
}

/** All of them, by what they are for. */
export const ASSETS = {
	stylesheet: asset("app", "css", "text/css; charset=utf-8", stylesheet),
	setupScript: script("setup", setupScript),
	liveScript: script("live", liveScript),
	passkeyScript: script("passkey", passkeyScript),
	icon: asset("mark", "svg", "image/svg+xml", renderToString(<Mark />)),
} as const;

/** One route for each. */
export function assetRoutes(): readonly Route[] {
	return Object.values(ASSETS).map(({ path, type, text }) => ({
		method: "GET",
		path,
		handler: () =>
			new Response(text, {
				headers: {
					"Content-Type": type,
					"Cache-Control": "public, max-age=31536000, immutable",
					"X-Content-Type-Options": "nosniff",
				},
			}),
	}));
}

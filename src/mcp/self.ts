/**
 * What the gateway says of itself to clients: its name, its version and, where a client meets it, how it is drawn. At
 * the endpoint of one server that server's own icons stand there, because a person tells endpoints apart by them.
 *
 * @see specification 2025-11-25 and 2026-07-28, basic ("icons")
 */
import { objectOf } from "../message.ts";

/** A picture, as the specification has it. */
export type Icon = {
	readonly src: string;
	readonly mimeType?: string;
	readonly sizes?: readonly string[];
	readonly theme?: "light" | "dark";
};

/** Who answers: an `Implementation` without a picture, as it goes with every list. */
export type Self = { readonly name: string; readonly version: string };

/** @param version the gateway's own */
export function selfOf(version: string): Self {
	return { name: "sallyport", version };
}

/** Together they may have as many bytes, as JSON: they are part of the first answer that a client gets. */
const ICONS_LENGTH_MAX = 64 * 1024;
/** What clients take; anything else they must refuse. */
const SAFE = /^(https:|data:)/i;

/** The icons that a server shows of itself, as it wrote them; none when they are not fit to be shown. */
export function iconsOf(
	serverInfo: Readonly<Record<string, unknown>>,
): readonly unknown[] {
	const { icons } = serverInfo;
	if (!Array.isArray(icons)) return [];
	const safe = icons.filter((icon) => {
		const { src } = objectOf(icon);
		return typeof src === "string" && SAFE.test(src);
	});
	return JSON.stringify(safe).length <= ICONS_LENGTH_MAX ? safe : [];
}

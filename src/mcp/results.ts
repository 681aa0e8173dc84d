/**
 * Results that are too long for a client's model: given as a first page and a handle, and read on with `read_more`.
 * Clients cut or refuse what goes over their own limit (Claude Code at 25,000 tokens), and then nobody can read the
 * rest.
 *
 * What is kept is in memory and nowhere else: a result is somebody's data, has no place in a database that is backed
 * up, and is worth nothing after a restart that a second call would not bring back. It belongs to one user and one
 * client; handles are bounded in number, bytes and time.
 *
 * Text is cut between characters. An image, or anything else that is not text, stays whole on a page of its own size
 * or is left out with a line that says so. Structured content is read as the text it is; `isError` and all else that a
 * result says stays as it was.
 */

import { join, splice } from "../assembly.ts";
import { QUOTE } from "../bytes.ts";
import type { Caller } from "../caller.ts";
import { type Clock, every } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { MalformedMessage } from "../malformed.ts";
import {
	type Bytes,
	elementsOf,
	isArray,
	isObject,
	type Member,
	memberOf,
	membersOf,
	objectOf,
	parseJson,
	type Range,
	textOf,
	toBytes,
	withoutMember,
} from "../message.ts";
import { mintNonce } from "../mint.ts";
import type { Server } from "../store/servers.ts";
import type { Reply } from "../upstream/upstream.ts";
import { toolErrorReply } from "./rpc.ts";
import type { View } from "./view.ts";

/** What is read of one result; one that is larger is not kept at all. */
const RESULT_BYTES_MAX = 16 * 1024 * 1024;
/** All that is kept at once, and how much of it one client of one person may have. The oldest goes first. */
const KEPT_BYTES_MAX = 128 * 1024 * 1024;
const KEPT_PER_CALLER_BYTES_MAX = 32 * 1024 * 1024;
const KEPT_PER_CALLER_MAX = 32;
const KEPT_SECONDS = 15 * 60;
const SWEEP_MS = 60_000;

/** What the tool may be called: the second name where a server has the first. */
export const READ_MORE_NAMES = ["read_more", "sallyport_read_more"] as const;

/** The tool that reads on, as clients see it. */
export function readMoreTool(name: string): Bytes {
	return toBytes(
		JSON.stringify({
			name,
			title: "Read more",
			description:
				"Reads another page of a result that was too long to be given whole. Use it only with a handle that such a result names.",
			inputSchema: {
				type: "object",
				properties: {
					handle: { type: "string" },
					page: { type: "integer", minimum: 1 },
				},
				required: ["handle", "page"],
			},
			annotations: { readOnlyHint: true, openWorldHint: false },
		}),
	);
}

/** From how many bytes on a server's results are paged in a view; null: never. */
export function resultLimit(
	{ toolset }: Pick<View, "toolset">,
	server: Server,
): number | null {
	return toolset?.resultBytesMax ?? server.resultBytesMax;
}

type Kept = {
	readonly owner: string;
	readonly serverId: string;
	readonly tool: string;
	/** Each a JSON array of content blocks. */
	readonly pages: readonly Bytes[];
	readonly bytes: number;
	readonly until: number;
};

export type Results = {
	/**
	 * The result, or the first page of it.
	 * @param tool the name that the client reads on with
	 * @throws SallyportError `upstream` when it is too large to be kept
	 */
	readonly limit: (
		caller: Caller,
		serverId: string,
		limitBytes: number,
		tool: string,
		reply: Reply,
	) => Promise<Reply>;
	/** Another page; and whose result it is of, for the record. */
	readonly more: (
		caller: Caller,
		params: Bytes | null,
	) => { readonly reply: Reply; readonly serverId: string | null };
	readonly close: () => void;
};

export function createResults(deps: { readonly clock: Clock }): Results {
	const { clock } = deps;
	const kept = new Map<string, Kept>();
	const stopSweeping = every(SWEEP_MS, () => {
		for (const [handle, { until }] of kept)
			if (until < clock.now()) kept.delete(handle);
	});

	const keep = (result: Kept): string => {
		const handle = mintNonce();
		kept.set(handle, result);
		trim(kept, ({ owner }) => owner === result.owner, {
			count: KEPT_PER_CALLER_MAX,
			bytes: KEPT_PER_CALLER_BYTES_MAX,
		});
		trim(kept, () => true, { count: Number.MAX_VALUE, bytes: KEPT_BYTES_MAX });
		return handle;
	};

	return {
		limit: async (caller, serverId, limitBytes, tool, reply) => {
			if (reply.member !== "result") return reply;
			const body = await bodyWithin(reply.body, RESULT_BYTES_MAX);
			if (!body)
				throw new SallyportError(
					"upstream",
					`the tool answered with more than ${RESULT_BYTES_MAX / 1024 / 1024} MiB, which was not kept`,
					{ hint: "ask it for less" },
				);
			if (body.length <= limitBytes) return { ...reply, body };
			const paged = pagesOf(body, limitBytes);
			if (!paged) return { ...reply, body };
			const { pages, content } = paged;
			const handle =
				pages.length === 1
					? ""
					: keep({
							owner: ownerOf(caller),
							serverId,
							tool,
							pages,
							bytes: pages.reduce((sum, page) => sum + page.length, 0),
							until: clock.now() + KEPT_SECONDS,
						});
			const first = numbered(pages, 1, tool, handle);
			const cut = splice(body, [{ ...content, text: first }]);
			return { ...reply, body: withoutMember(cut, "structuredContent") };
		},
		more: (caller, params) => {
			const args = params && memberOf(params, 0, "arguments");
			const { handle, page } = objectOf(
				args && params ? parseJson(params, args) : null,
			);
			const found = typeof handle === "string" ? kept.get(handle) : undefined;
			if (
				!found ||
				found.owner !== ownerOf(caller) ||
				found.until < clock.now()
			)
				return {
					reply: toolErrorReply(
						"that handle is not known, or is too old: call the tool again",
					),
					serverId: null,
				};
			const { pages, tool, serverId } = found;
			if (typeof page !== "number" || !pages[page - 1])
				return {
					reply: toolErrorReply(`page must be from 1 to ${pages.length}`),
					serverId,
				};
			const content = numbered(pages, page, tool, String(handle));
			return {
				reply: { member: "result", body: join(['{"content":', content, "}"]) },
				serverId,
			};
		},
		close: () => {
			stopSweeping();
			kept.clear();
		},
	};
}

/** A result belongs to a user and a client, and not to one token of theirs. */
function ownerOf({ userId, clientId }: Caller): string {
	return `${userId} ${clientId}`;
}

function trim(
	kept: Map<string, Kept>,
	isCounted: (result: Kept) => boolean,
	max: { readonly count: number; readonly bytes: number },
): void {
	const counted = [...kept].filter(([, result]) => isCounted(result));
	let { length } = counted;
	let bytes = counted.reduce((sum, [, result]) => sum + result.bytes, 0);
	for (const [handle, result] of counted) {
		if (length <= max.count && bytes <= max.bytes) return;
		kept.delete(handle);
		length--;
		bytes -= result.bytes;
	}
}

/** The whole body, or null when it is too large: the rest is then not read. */
async function bodyWithin(
	body: Reply["body"],
	bytesMax: number,
): Promise<Bytes | null> {
	if (body instanceof Uint8Array) return body.length > bytesMax ? null : body;
	const parts: Bytes[] = [];
	let length = 0;
	for (let part = await body.next(); part; part = await body.next()) {
		length += part.length;
		parts.push(part);
		if (length <= bytesMax) continue;
		body.cancel();
		return null;
	}
	return join(parts);
}

/** A page with the line that says how to go on. */
function numbered(
	pages: readonly Bytes[],
	page: number,
	tool: string,
	handle: string,
): Bytes {
	const content = pages[page - 1] as Bytes;
	if (pages.length === 1) return content;
	const text =
		page < pages.length
			? `[Page ${page} of ${pages.length}. For the next page call ${tool} with ${JSON.stringify({ handle, page: page + 1 })}]`
			: `[Page ${page} of ${pages.length}, the last.]`;
	return join([
		content.subarray(0, -1),
		content.length > 2 ? "," : "",
		JSON.stringify({ type: "text", text }),
		"]",
	]);
}

/** A stretch of a result that is read in order: a text that may be cut, or a block that may not. */
type Unit = {
	/** The content block, as the server wrote it. */
	readonly block: Bytes;
	/** Where in it its text stands; null for what is not text. */
	readonly text: Range | null;
};

/** The pages of a result, and where its content stands; null for one without content, which is left as it is. */
function pagesOf(
	body: Bytes,
	limitBytes: number,
): { readonly pages: readonly Bytes[]; readonly content: Member } | null {
	try {
		const members = membersOf(body, 0);
		const find = (key: string): Member | undefined =>
			members.find((member) => member.key === key);
		const content = find("content");
		if (!content || !isArray(body, content.start)) return null;
		const units = elementsOf(body, content.start).map((range) =>
			unitOf(body.subarray(range.start, range.end)),
		);
		const structured = find("structuredContent");
		if (structured && !units.some((unit) => says(unit, body, structured)))
			units.push(textUnit(textOf(body, structured)));
		return { pages: fill(units, limitBytes), content };
	} catch (error) {
		if (error instanceof MalformedMessage) return null;
		throw error;
	}
}

function unitOf(block: Bytes): Unit {
	if (!isObject(block, 0)) return { block, text: null };
	const members = membersOf(block, 0);
	const resource = members.find(({ key }) => key === "resource");
	const text =
		members.find(({ key }) => key === "text") ??
		(resource && isObject(block, resource.start)
			? memberOf(block, resource.start, "text")
			: undefined);
	return { block, text: text && block[text.start] === QUOTE ? text : null };
}

function textUnit(text: string): Unit {
	return unitOf(toBytes(JSON.stringify({ type: "text", text })));
}

/** Whether a text block is the structured content once more, as the specification wants it for older clients. */
function says({ block, text }: Unit, body: Bytes, structured: Range): boolean {
	if (!text) return false;
	try {
		const said = JSON.parse(String(parseJson(block, text))) as unknown;
		return Bun.deepEquals(said, parseJson(body, structured));
	} catch {
		return false; // a text that is not JSON says something of its own
	}
}

function fill(units: readonly Unit[], limitBytes: number): readonly Bytes[] {
	const pages: Bytes[][] = [];
	let page: Bytes[] = [];
	let room = limitBytes;
	const turn = (): void => {
		if (page.length > 0) pages.push(page);
		page = [];
		room = limitBytes;
	};
	for (const unit of units) {
		if (!unit.text) {
			const whole = unit.block.length <= limitBytes;
			const block = whole ? unit.block : leftOut(unit.block, limitBytes);
			if (block.length > room) turn();
			page.push(block);
			room -= block.length;
			continue;
		}
		const reader = readerOf(String(parseJson(unit.block, unit.text)));
		do {
			if (room <= 0) turn();
			const piece = reader.take(room);
			// A character that is wider than what is left begins the next page.
			if (piece.text === "" && !reader.ended()) {
				turn();
				continue;
			}
			page.push(
				piece.isAll
					? unit.block
					: splice(unit.block, [
							{ ...unit.text, text: JSON.stringify(piece.text) },
						]),
			);
			room -= piece.bytes;
		} while (!reader.ended());
	}
	turn();
	return pages.map((blocks) =>
		join([
			"[",
			...blocks.flatMap((block, index) =>
				index === 0 ? [block] : [",", block],
			),
			"]",
		]),
	);
}

type Piece = {
	readonly text: string;
	readonly bytes: number;
	/** Whether it is the whole text. */
	readonly isAll: boolean;
};

/** A text, read in pieces that end between characters. */
type Reader = {
	/** The next piece, of at most so many bytes of UTF-8; empty when not even one character fits. */
	readonly take: (bytesMax: number) => Piece;
	readonly ended: () => boolean;
};

/** Half a surrogate pair has no UTF-8: a text with one is measured as if it were U+FFFD, and kept as it is. */
function readerOf(text: string): Reader {
	const bytes = Buffer.from(text, "utf8");
	const isWell = text.isWellFormed();
	let at = 0;
	let unit = 0;
	return {
		ended: () => at >= bytes.length,
		take: (bytesMax) => {
			let end = Math.min(at + bytesMax, bytes.length);
			while (end < bytes.length && isContinuation(bytes[end])) end--;
			const utf8 = bytes.toString("utf8", at, end);
			const piece = isWell ? utf8 : text.slice(unit, unit + utf8.length);
			const taken = end - at;
			at = end;
			unit += utf8.length;
			return {
				text: piece,
				bytes: taken,
				isAll: taken === bytes.length,
			};
		},
	};
}

function isContinuation(byte: number | undefined): boolean {
	return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** What stands in the place of a block that no page can hold. */
function leftOut(block: Bytes, limitBytes: number): Bytes {
	const { type, mimeType, uri, resource } = objectOf(parseJson(block));
	const inner = objectOf(resource);
	const what = [type, mimeType ?? inner["mimeType"], uri ?? inner["uri"]]
		.filter((word) => typeof word === "string")
		.map((word) => String(word).slice(0, 200));
	return toBytes(
		JSON.stringify({
			type: "text",
			text: `[${what.join(" ") || "a block"} of ${block.length} bytes left out: it is not text, and larger than the limit of ${limitBytes} bytes]`,
		}),
	);
}

/**
 * The modern era toward clients: every request on its own, no handshake, no session.
 * A closed connection is a cancellation.
 *
 * @see specification 2026-07-28, basic/transports/streamable-http and server/*
 */
import { type Bytes, join } from "../message.ts";
import { META, MODERN_REVISION, RPC } from "../protocol.ts";
import { LISTS, type ListKind, type Reply } from "../upstream/upstream.ts";
import { answer } from "./answer.ts";
import type { Exchange, McpDeps } from "./endpoint.ts";
import { RpcError, resultReply } from "./rpc.ts";
import { createEventStream, EVENT_STREAM_HEADERS } from "./stream.ts";
import { type ListChange, tagged } from "./subscriptions.ts";
import { viewOf } from "./view.ts";

/** How long a client may keep a list; it may hear of a change sooner. */
const LIST_TTL_MS = 30_000;

/** Methods that only the legacy era has. */
const GONE = new Set([
	"initialize",
	"ping",
	"logging/setLevel",
	"resources/subscribe",
	"resources/unsubscribe",
	"tasks/get",
	"tasks/result",
	"tasks/list",
	"tasks/cancel",
]);

/** Which list a method asks for. */
export const LIST_OF: ReadonlyMap<string, ListKind> = new Map(
	(Object.keys(LISTS) as ListKind[]).map((kind) => [LISTS[kind].method, kind]),
);

/** Answers one modern request. */
export async function modern(
	deps: McpDeps,
	exchange: Exchange,
): Promise<Response> {
	const { method } = exchange.envelope;
	if (GONE.has(method))
		throw new RpcError(RPC.methodNotFound, `unknown method: ${method}`, {
			status: 404,
		});
	if (method === "subscriptions/listen") return listen(deps, exchange);
	const controller = new AbortController();
	exchange.request.signal.addEventListener("abort", () => controller.abort(), {
		once: true,
	});
	return answer({
		...exchange,
		run: (notify) =>
			deps.guarded(exchange, () =>
				reply(deps, exchange, controller.signal, notify),
			),
		statusOf,
		onGone: () => controller.abort(),
	});
}

async function reply(
	deps: McpDeps,
	{ envelope, params, view }: Exchange,
	signal: AbortSignal,
	onNotification: (message: Bytes) => void,
): Promise<Reply> {
	const { method } = envelope;
	if (method === "server/discover") return discover(deps, view);
	const kind = LIST_OF.get(method);
	if (!kind)
		return deps.router.request(view, {
			era: "modern",
			method,
			params,
			signal,
			onNotification,
		});
	refuseCursor(envelope.params);
	return {
		member: "result",
		body: join([
			`{"resultType":"complete","${LISTS[kind].member}":`,
			await deps.router.list(view, kind),
			`,"ttlMs":${LIST_TTL_MS},"cacheScope":"private","_meta":${serverMeta(deps.version)}}`,
		]),
	};
}

async function discover(deps: McpDeps, view: Exchange["view"]): Promise<Reply> {
	const { capabilities, instructions } = await deps.router.describe(view);
	return resultReply({
		resultType: "complete",
		supportedVersions: [MODERN_REVISION],
		capabilities,
		...(instructions === undefined ? {} : { instructions }),
		ttlMs: LIST_TTL_MS,
		cacheScope: "private",
		_meta: JSON.parse(serverMeta(deps.version)),
	});
}

/** A stream of changes: acknowledged first, with the part of the wish that will be heard. */
function listen(deps: McpDeps, exchange: Exchange): Response {
	const { envelope, id, view, patient } = exchange;
	const wished = envelope.params["notifications"];
	const wants = (name: string): boolean =>
		typeof wished === "object" &&
		wished !== null &&
		(wished as Record<string, unknown>)[name] === true;
	const lists = new Set(
		(["tools", "prompts", "resources"] as const).filter((list) =>
			wants(`${list}ListChanged`),
		),
	);
	patient();
	const stream = createEventStream();
	const honoured = Object.fromEntries(
		[...lists].map((list: ListChange) => [`${list}ListChanged`, true]),
	);
	stream.send(
		tagged(
			"notifications/subscriptions/acknowledged",
			id,
			`"notifications":${JSON.stringify(honoured)}`,
		),
	);
	const current = (): Exchange["view"] | null =>
		viewOf(deps.directory, view.caller, view.only?.slug ?? null);
	deps.subscriptions.add(
		stream,
		{ lists, logs: false, subscriptionId: id },
		current,
	);
	exchange.request.signal.addEventListener("abort", stream.end, { once: true });
	return new Response(stream.body, { headers: EVENT_STREAM_HEADERS });
}

/** Lists come whole, so no cursor of ours exists. */
export function refuseCursor(params: Readonly<Record<string, unknown>>): void {
	if (params["cursor"] !== undefined)
		throw new RpcError(RPC.invalidParams, "the cursor is not one of ours");
}

/** An unknown method is 404 here; a header or envelope at fault was refused before. */
function statusOf({ member, body }: Reply): number {
	if (member === "result" || !(body instanceof Uint8Array)) return 200;
	const { code } = JSON.parse(Buffer.from(body).toString("utf8")) as {
		code?: unknown;
	};
	if (code === RPC.methodNotFound) return 404;
	return code === RPC.missingClientCapability ? 400 : 200;
}

function serverMeta(version: string): string {
	return JSON.stringify({ [META.serverInfo]: { name: "sallyport", version } });
}

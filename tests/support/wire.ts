/**
 * MCP requests written by hand, for what no well-behaved client would send and for answers that an SDK would
 * reshape before a test could see them.
 */
import { HEADER, META, MODERN_REVISION } from "../../src/protocol.ts";

export type RpcMessage = {
	readonly id?: unknown;
	readonly method?: string;
	readonly params?: Record<string, unknown>;
	readonly result?: Record<string, unknown>;
	readonly error?: {
		readonly code: number;
		readonly message: string;
		readonly data?: unknown;
	};
};

export type WireAnswer = {
	readonly status: number;
	readonly headers: Headers;
	/** The body as it came. */
	readonly text: string;
	/** Every message in it, whether it was JSON or an event stream. */
	readonly messages: readonly RpcMessage[];
	/** The last message: the response. */
	readonly last: RpcMessage | undefined;
};

export type SendOptions = {
	/** Replaces headers; null takes one away. */
	readonly headers?: Readonly<Record<string, string | null>>;
	readonly signal?: AbortSignal;
	readonly method?: string;
};

/** Sends a body as it stands. */
export async function send(
	endpoint: string,
	token: string | null,
	body: string | Uint8Array<ArrayBuffer> | null,
	options: SendOptions = {},
): Promise<WireAnswer> {
	const headers = new Headers({
		"Content-Type": "application/json",
		Accept: "application/json, text/event-stream",
	});
	if (token !== null) headers.set("Authorization", `Bearer ${token}`);
	for (const [name, value] of Object.entries(options.headers ?? {}))
		if (value === null) headers.delete(name);
		else headers.set(name, value);
	const response = await fetch(endpoint, {
		method: options.method ?? "POST",
		body,
		headers,
		redirect: "manual",
		...(options.signal && { signal: options.signal }),
	});
	const text = await response.text();
	const messages = parseMessages(text, response.headers);
	return {
		status: response.status,
		headers: response.headers,
		text,
		messages,
		last: messages.at(-1),
	};
}

/** One modern request, with the envelope and the headers that 2026-07-28 asks for. */
export function sendModern(
	endpoint: string,
	token: string | null,
	method: string,
	params: Record<string, unknown> = {},
	options: SendOptions = {},
): Promise<WireAnswer> {
	const name = params["name"] ?? params["uri"];
	return send(endpoint, token, JSON.stringify(modernRequest(method, params)), {
		...options,
		headers: {
			[HEADER.protocolVersion]: MODERN_REVISION,
			[HEADER.method]: method,
			[HEADER.name]:
				["tools/call", "prompts/get", "resources/read"].includes(method) &&
				typeof name === "string"
					? name
					: null,
			...options.headers,
		},
	});
}

/** The body of a modern request. */
export function modernRequest(
	method: string,
	params: Record<string, unknown> = {},
): Record<string, unknown> {
	return {
		jsonrpc: "2.0",
		id: 1,
		method,
		params: {
			...params,
			_meta: {
				[META.protocolVersion]: MODERN_REVISION,
				[META.clientCapabilities]: {},
				[META.clientInfo]: { name: "wire", version: "1.0.0" },
				...(params["_meta"] as Record<string, unknown> | undefined),
			},
		},
	};
}

export type LegacySession = {
	readonly id: string;
	readonly request: (
		method: string,
		params?: Record<string, unknown>,
		options?: SendOptions,
	) => Promise<WireAnswer>;
};

/** Opens a legacy session, or takes up one that was opened before. */
export async function openLegacySession(
	endpoint: string,
	token: string,
	known?: string,
): Promise<LegacySession> {
	const id = known ?? (await initialize(endpoint, token));
	let last = 1;
	return {
		id,
		request: (method, params = {}, options = {}) =>
			send(
				endpoint,
				token,
				JSON.stringify({ jsonrpc: "2.0", id: ++last, method, params }),
				{
					...options,
					headers: {
						[HEADER.sessionId]: id,
						[HEADER.protocolVersion]: "2025-11-25",
						...options.headers,
					},
				},
			),
	};
}

async function initialize(endpoint: string, token: string): Promise<string> {
	const answer = await send(
		endpoint,
		token,
		JSON.stringify({
			jsonrpc: "2.0",
			id: 1,
			method: "initialize",
			params: {
				protocolVersion: "2025-11-25",
				capabilities: {},
				clientInfo: { name: "wire", version: "1.0.0" },
			},
		}),
	);
	const id = answer.headers.get(HEADER.sessionId);
	if (!id) throw new Error(`no session: ${answer.status} ${answer.text}`);
	await send(
		endpoint,
		token,
		'{"jsonrpc":"2.0","method":"notifications/initialized"}',
		{
			headers: { [HEADER.sessionId]: id },
		},
	);
	return id;
}

function parseMessages(text: string, headers: Headers): readonly RpcMessage[] {
	const type = headers.get("Content-Type") ?? "";
	if (type.startsWith("text/event-stream"))
		return text
			.split("\n\n")
			.map((event) =>
				event
					.split("\n")
					.filter((line) => line.startsWith("data:"))
					.map((line) => line.slice("data:".length).trimStart())
					.join("\n"),
			)
			.filter((data) => data !== "")
			.map((data) => JSON.parse(data) as RpcMessage);
	if (!type.startsWith("application/json") || text === "") return [];
	return [JSON.parse(text) as RpcMessage];
}

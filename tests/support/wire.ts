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
	const response = await request(endpoint, token, body, options);
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

function request(
	endpoint: string,
	token: string | null,
	body: string | Uint8Array<ArrayBuffer> | null,
	options: SendOptions,
): Promise<Response> {
	const headers = new Headers({
		"Content-Type": "application/json",
		Accept: "application/json, text/event-stream",
	});
	if (token !== null) headers.set("Authorization", `Bearer ${token}`);
	for (const [name, value] of Object.entries(options.headers ?? {}))
		if (value === null) headers.delete(name);
		else headers.set(name, value);
	return fetch(endpoint, {
		method: options.method ?? "POST",
		body,
		headers,
		redirect: "manual",
		// Bun's own client gives up when nothing comes for 360 s; how long one waits here is the test's to say.
		timeout: false,
		...(options.signal && { signal: options.signal }),
	});
}

/** One modern request, with the envelope and the headers that 2026-07-28 asks for. */
export function sendModern(
	endpoint: string,
	token: string | null,
	method: string,
	params: Record<string, unknown> = {},
	options: SendOptions = {},
): Promise<WireAnswer> {
	return send(endpoint, token, JSON.stringify(modernRequest(method, params)), {
		...options,
		headers: { ...modernHeaders(method, params), ...options.headers },
	});
}

function modernHeaders(
	method: string,
	params: Record<string, unknown>,
): Readonly<Record<string, string | null>> {
	const name = params[NAMED[method] ?? ""];
	return {
		[HEADER.protocolVersion]: MODERN_REVISION,
		[HEADER.method]: method,
		[HEADER.name]: typeof name === "string" ? name : null,
	};
}

/** Which of its params `Mcp-Name` repeats. */
const NAMED: Readonly<Record<string, string>> = {
	"tools/call": "name",
	"prompts/get": "name",
	"resources/read": "uri",
	"tasks/get": "taskId",
	"tasks/update": "taskId",
	"tasks/cancel": "taskId",
};

export type OpenStream = {
	/** The next message; null when the stream has ended or broken. */
	readonly next: () => Promise<RpcMessage | null>;
	/** The id of the last event, with or without a message; empty when none had one. */
	readonly lastEventId: () => string;
	readonly close: () => void;
};

/** One modern request whose answer is a stream, left open to be read message by message. */
export function openModern(
	endpoint: string,
	token: string,
	method: string,
	params: Record<string, unknown> = {},
): Promise<OpenStream> {
	return openStream(
		endpoint,
		token,
		JSON.stringify(modernRequest(method, params)),
		modernHeaders(method, params),
	);
}

/** One POST, or a GET when there is no body, whose answer is an event stream. */
export async function openStream(
	endpoint: string,
	token: string,
	body: string | null,
	headers: Readonly<Record<string, string | null>>,
): Promise<OpenStream> {
	const abort = new AbortController();
	const response = await request(endpoint, token, body, {
		headers,
		signal: abort.signal,
		method: body === null ? "GET" : "POST",
	});
	if (!response.headers.get("Content-Type")?.startsWith("text/event-stream"))
		throw new Error(`no stream: ${response.status} ${await response.text()}`);
	let last = "";
	const messages = streamed(response, (id) => {
		last = id;
	});
	return {
		lastEventId: () => last,
		close: () => abort.abort(),
		async next() {
			try {
				return (await messages.next()).value ?? null;
			} catch {
				return null; // broken is ended, to whoever reads
			}
		},
	};
}

async function* streamed(
	response: Response,
	onId: (id: string) => void,
): AsyncGenerator<RpcMessage, null> {
	const decoder = new TextDecoder();
	let rest = "";
	for await (const chunk of response.body ?? []) {
		rest += decoder.decode(chunk, { stream: true });
		const end = rest.lastIndexOf("\n\n");
		if (end < 0) continue;
		for (const event of rest.slice(0, end).split("\n\n")) {
			const id = /^id: ?(.*)$/m.exec(event)?.[1];
			if (id !== undefined) onId(id);
			yield* parseEvents(event);
		}
		rest = rest.slice(end + 2);
	}
	return null;
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
	/** What every request of it carries. */
	readonly headers: Readonly<Record<string, string>>;
	readonly request: (
		method: string,
		params?: Record<string, unknown>,
		options?: SendOptions,
	) => Promise<WireAnswer>;
	/** A request whose answer is a stream, left open. */
	readonly open: (
		method: string,
		params?: Record<string, unknown>,
	) => Promise<OpenStream>;
	/** Answers what the server asked. */
	readonly answer: (
		question: RpcMessage,
		result: Record<string, unknown>,
	) => Promise<WireAnswer>;
};

/** Opens a legacy session, or takes up one that was opened before. */
export async function openLegacySession(
	endpoint: string,
	token: string,
	known?: string,
	capabilities: Record<string, unknown> = {},
	revision = "2025-11-25",
): Promise<LegacySession> {
	const id =
		known ?? (await initialize(endpoint, token, capabilities, revision));
	const headers = {
		[HEADER.sessionId]: id,
		[HEADER.protocolVersion]: revision,
	};
	let last = 1;
	const bodyOf = (method: string, params: Record<string, unknown>): string =>
		JSON.stringify({ jsonrpc: "2.0", id: ++last, method, params });
	return {
		id,
		headers,
		request: (method, params = {}, options = {}) =>
			send(endpoint, token, bodyOf(method, params), {
				...options,
				headers: { ...headers, ...options.headers },
			}),
		open: (method, params = {}) =>
			openStream(endpoint, token, bodyOf(method, params), headers),
		answer: ({ id }, result) =>
			send(endpoint, token, JSON.stringify({ jsonrpc: "2.0", id, result }), {
				headers,
			}),
	};
}

async function initialize(
	endpoint: string,
	token: string,
	capabilities: Record<string, unknown>,
	revision: string,
): Promise<string> {
	const answer = await send(
		endpoint,
		token,
		JSON.stringify({
			jsonrpc: "2.0",
			id: 1,
			method: "initialize",
			params: {
				protocolVersion: revision,
				capabilities,
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
	if (type.startsWith("text/event-stream")) return parseEvents(text);
	if (!type.startsWith("application/json") || text === "") return [];
	return [JSON.parse(text) as RpcMessage];
}

/** The messages of an event stream that has ended. */
export function parseEvents(text: string): readonly RpcMessage[] {
	return text
		.split("\n\n")
		.map((event) =>
			event
				.split("\n")
				.filter((line) => line.startsWith("data:"))
				.map((line) => line.slice("data:".length).trimStart())
				.join("\n"),
		)
		.filter((data) => data !== "") // heartbeats, and events that only say where the stream is
		.map((data) => JSON.parse(data) as RpcMessage);
}

/**
 * An HTTP server that a test scripts answer by answer, and that keeps what it was asked byte for byte.
 */

export type Asked = {
	readonly verb: string;
	readonly headers: Headers;
	readonly body: string;
	/** The JSON-RPC id and method, if the body has them. */
	readonly id: unknown;
	readonly method: string | undefined;
};

export type ScriptedServer = {
	readonly url: string;
	readonly asked: Asked[];
	readonly stop: () => void;
};

/** Serves on a free port. What the script does not answer (undefined) is 405. */
export function startScripted(
	script: (
		asked: Asked,
	) => Response | undefined | Promise<Response | undefined>,
): ScriptedServer {
	const asked: Asked[] = [];
	const server = Bun.serve({
		hostname: "127.0.0.1",
		port: 0,
		idleTimeout: 0,
		fetch: async (request) => {
			const body = await request.text();
			const message = body === "" ? {} : JSON.parse(body);
			const one: Asked = {
				verb: request.method,
				headers: request.headers,
				body,
				id: message.id,
				method: message.method,
			};
			asked.push(one);
			return (await script(one)) ?? new Response(null, { status: 405 });
		},
	});
	return {
		url: `http://127.0.0.1:${server.port}/mcp`,
		asked,
		stop: () => void server.stop(true),
	};
}

/** A JSON answer with this raw result. */
export function result(asked: Asked, raw: string): Response {
	return json(
		`{"jsonrpc":"2.0","id":${JSON.stringify(asked.id)},"result":${raw}}`,
	);
}

export function json(body: string, status = 200): Response {
	return new Response(body, {
		status,
		headers: { "content-type": "application/json" },
	});
}

/** An event stream that sends these texts and ends. */
export function events(...parts: readonly string[]): Response {
	return new Response(parts.join(""), {
		headers: { "content-type": "text/event-stream" },
	});
}

/** What every legacy server answers before anything else is asked; undefined for the rest. */
export function legacyStart(
	asked: Asked,
	options: { readonly sessionId?: string; readonly capabilities?: string } = {},
): Response | undefined {
	if (asked.method === "server/discover") return json("{}", 400);
	if (asked.method?.startsWith("notifications/"))
		return new Response(null, { status: 202 });
	if (asked.method !== "initialize") return undefined;
	const response = result(
		asked,
		`{"protocolVersion":"2025-06-18","capabilities":${options.capabilities ?? '{"tools":{}}'},"serverInfo":{"name":"scripted","version":"1"}}`,
	);
	if (options.sessionId)
		response.headers.set("mcp-session-id", options.sessionId);
	return response;
}

/** What a modern server answers to `server/discover`; undefined for the rest. */
export function modernStart(asked: Asked): Response | undefined {
	return asked.method === "server/discover"
		? result(
				asked,
				'{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"public"}',
			)
		: undefined;
}

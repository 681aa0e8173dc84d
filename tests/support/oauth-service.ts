/**
 * A service that wants OAuth, on loopback: an MCP server (2025-11-25, one tool that tells whose token it was called with)
 * and the authorization server it points to, by default one that follows the specifications. Everything it is asked is
 * kept; any path can be made to answer otherwise.
 */
import { createHash } from "node:crypto";

export type Heard = {
	readonly path: string;
	readonly query: URLSearchParams;
	readonly headers: Headers;
	readonly body: string;
	/** The body as a form. */
	readonly form: URLSearchParams;
};

type Answer = (
	heard: Heard,
) => Response | undefined | Promise<Response | undefined>;

export type OAuthService = {
	readonly origin: string;
	/** The MCP endpoint. */
	readonly url: string;
	readonly heard: readonly Heard[];
	/** What was asked of a path. */
	readonly at: (path: string) => readonly Heard[];
	/** Answers a path otherwise, until told otherwise again; undefined goes on as usual. */
	readonly on: (path: string, answer: Answer) => void;
	/** Every access token that was given and not ended. */
	readonly tokens: Set<string>;
	/** Ends every access token; refresh tokens stay. */
	readonly expire: () => void;
	/** Ends every refresh token. */
	readonly forget: () => void;
	readonly stop: () => void;
};

export type OAuthServiceOptions = {
	/** Seconds; nothing is said of it if absent. */
	readonly expiresIn?: number | string;
	readonly refreshes?: boolean;
	/** How it calls itself; its address if absent. */
	readonly host?: string;
	readonly scope?: string;
	/** What the metadata says beside, or instead: undefined takes a member away. */
	readonly metadata?: Readonly<Record<string, unknown>>;
	/** What comes back with the code, beside it and the state. */
	readonly answer?: (origin: string) => Readonly<Record<string, string>>;
};

export function startOAuthService(
	options: OAuthServiceOptions = {},
): OAuthService {
	const heard: Heard[] = [];
	const otherwise = new Map<string, Answer>();
	const tokens = new Set<string>();
	const refreshes = new Set<string>();
	const challenges = new Map<string, string>();
	let count = 0;

	const give = (): Response => {
		count++;
		const access = `access-${origin.split(":").at(-1)}-${count}`;
		tokens.add(access);
		const refresh = `refresh-${origin.split(":").at(-1)}-${count}`;
		if (options.refreshes) refreshes.add(refresh);
		return Response.json({
			access_token: access,
			token_type: "Bearer",
			...(options.expiresIn === undefined
				? {}
				: { expires_in: options.expiresIn }),
			...(options.refreshes ? { refresh_token: refresh } : {}),
		});
	};
	const token = ({ form }: Heard): Response => {
		if (form.get("grant_type") === "refresh_token") {
			const given = form.get("refresh_token") ?? "";
			// Rotated: each is good once.
			return refreshes.delete(given) ? give() : refusal("invalid_grant");
		}
		const challenge = challenges.get(form.get("code") ?? "");
		challenges.delete(form.get("code") ?? "");
		const proof = createHash("sha256")
			.update(form.get("code_verifier") ?? "")
			.digest("base64url");
		return challenge === proof ? give() : refusal("invalid_grant");
	};
	const authorize = ({ query }: Heard): Response => {
		const code = `code-${++count}`;
		challenges.set(code, query.get("code_challenge") ?? "");
		const back = new URL(query.get("redirect_uri") ?? "");
		const answer = {
			code,
			state: query.get("state") ?? "",
			...options.answer?.(origin),
		};
		for (const [name, value] of Object.entries(answer))
			back.searchParams.set(name, value);
		return Response.redirect(back.href, 302);
	};
	const mcp = ({ headers, body }: Heard): Response => {
		const bearer = (headers.get("authorization") ?? "").replace("Bearer ", "");
		if (!tokens.has(bearer))
			return new Response(null, {
				status: 401,
				headers: {
					"www-authenticate": `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"${options.scope ? `, scope="${options.scope}"` : ""}`,
				},
			});
		if (body === "") return new Response(null, { status: 405 });
		return speak(JSON.parse(body), bearer);
	};
	const usual: Readonly<Record<string, Answer>> = {
		"/.well-known/oauth-protected-resource/mcp": () =>
			Response.json({
				resource: `${origin}/mcp`,
				authorization_servers: [origin],
			}),
		"/.well-known/oauth-authorization-server": () =>
			Response.json({
				issuer: origin,
				authorization_endpoint: `${origin}/authorize`,
				token_endpoint: `${origin}/token`,
				registration_endpoint: `${origin}/register`,
				revocation_endpoint: `${origin}/revoke`,
				response_types_supported: ["code"],
				code_challenge_methods_supported: ["S256"],
				token_endpoint_auth_methods_supported: ["none"],
				...options.metadata,
			}),
		"/register": () =>
			Response.json({ client_id: `client-${++count}` }, { status: 201 }),
		"/authorize": authorize,
		"/token": token,
		"/revoke": () => new Response(null, { status: 200 }),
		"/mcp": mcp,
	};

	const server = Bun.serve({
		hostname: "127.0.0.1",
		port: 0,
		fetch: async (request) => {
			const { pathname, searchParams } = new URL(request.url);
			const body = await request.text();
			const one: Heard = {
				path: pathname,
				query: searchParams,
				headers: request.headers,
				body,
				form: new URLSearchParams(body),
			};
			heard.push(one);
			return (
				(await otherwise.get(pathname)?.(one)) ??
				(await usual[pathname]?.(one)) ??
				new Response("not here", { status: 404 })
			);
		},
	});
	const origin = `http://${options.host ?? "127.0.0.1"}:${server.port}`;

	return {
		origin,
		url: `${origin}/mcp`,
		heard,
		at: (path) => heard.filter((one) => one.path === path),
		on: (path, answer) => void otherwise.set(path, answer),
		tokens,
		expire: () => tokens.clear(),
		forget: () => refreshes.clear(),
		stop: () => void server.stop(true),
	};
}

/** An error of RFC 6749 5.2. */
export function refusal(error: string, description?: string): Response {
	return Response.json(
		{ error, ...(description && { error_description: description }) },
		{ status: 400 },
	);
}

/** A legacy MCP server of one tool, `whose`. */
function speak(
	{ id, method }: { readonly id?: unknown; readonly method: string },
	bearer: string,
): Response {
	if (id === undefined) return new Response(null, { status: 202 });
	const results: Readonly<Record<string, unknown>> = {
		initialize: {
			protocolVersion: "2025-11-25",
			capabilities: { tools: {} },
			serverInfo: { name: "service", version: "1" },
		},
		"tools/list": {
			tools: [{ name: "whose", inputSchema: { type: "object" } }],
		},
		"tools/call": { content: [{ type: "text", text: bearer }] },
	};
	return method in results
		? Response.json({ jsonrpc: "2.0", id, result: results[method] })
		: Response.json({
				jsonrpc: "2.0",
				id,
				error: { code: -32601, message: "unknown method" },
			});
}

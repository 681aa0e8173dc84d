/**
 * Replays a recording against a running gateway, over HTTP: discovery, registration, a person's real forms, tokens,
 * the first messages, a tool call, a refresh and a call with what came of it. Where the client would stop, this throws
 * and says why.
 *
 * Learned names: `issuer`, `endpoint`, `port`, `state`, `codex_id` and `revision` from the start; `resource_metadata`
 * and `scope` from a challenge; `resource` from its document; `scopes_supported` from the server's.
 */
import { createHash, randomBytes } from "node:crypto";
import { HEADER, META } from "../../../src/protocol.ts";
import type { Browser } from "../browser.ts";
import type { Reach } from "../reach.ts";
import { parseEvents, type RpcMessage } from "../wire.ts";
import type { Identity, Parameters, Probe, Recording } from "./recording.ts";

/** A gateway to connect to. */
export type Stage = {
	readonly url: string;
	readonly cli: (args: readonly string[]) => Promise<string>;
	/** The client's way there, from an address of its own. */
	readonly reach: Reach;
	/** The browser of a person who says yes. */
	readonly browser: Browser;
	/** A tool that repeats its argument `text`. */
	readonly tool: string;
};

export type Replayed = {
	/** What the tool said, before and after the refresh. */
	readonly said: readonly string[];
	readonly clientId: string;
	/** Where the browser was sent with the answer. */
	readonly sentTo: URL;
	/** What was granted in the end. */
	readonly scope: string;
};

type Learned = Record<string, string>;

type Server = {
	readonly authorization_endpoint: string;
	readonly token_endpoint: string;
	readonly registration_endpoint: string;
	readonly client_id_metadata_document_supported?: boolean;
	readonly token_endpoint_auth_methods_supported: readonly string[];
	readonly code_challenge_methods_supported: readonly string[];
};

type Registered = {
	readonly clientId: string;
	readonly secret: string | null;
};

type Tokens = {
	readonly access_token: string;
	readonly refresh_token: string;
	readonly token_type: string;
	readonly expires_in: number;
	readonly scope: string;
};

/** Plays one client through. @throws Error where it would stop */
export async function replay(
	recording: Recording,
	stage: Stage,
): Promise<Replayed> {
	const learned: Learned = begin(recording, stage);
	const server = await discover(recording, stage, learned);
	const client = await identify(recording, stage, learned, server);
	const { code, verifier, sentTo } = await askPerson(
		recording,
		stage,
		learned,
		server,
		client,
	);
	const first = await redeem(recording, stage, learned, server, client, {
		code,
		code_verifier: verifier,
	});
	const said = [await converse(recording, stage, learned, first.access_token)];
	const second = await refreshOnce(
		recording,
		stage,
		learned,
		server,
		client,
		first,
	);
	said.push(await converse(recording, stage, learned, second.access_token));
	if (recording.refresh.stale)
		said.push(
			await forgiveStale(
				recording,
				stage,
				learned,
				server,
				client,
				first,
				second,
			),
		);
	return { said, clientId: client.clientId, sentTo, scope: second.scope };
}

function begin(recording: Recording, stage: Stage): Learned {
	const endpoint = stage.url + recording.endpoint;
	return {
		issuer: stage.url,
		endpoint,
		revision: recording.mcp.revision,
		port: String(20_000 + (randomBytes(2).readUInt16BE() % 20_000)),
		state: randomBytes(16).toString("base64url"),
		// openai/codex: nine bytes of the hash of the server's address.
		codex_id: createHash("sha256")
			.update(endpoint)
			.digest()
			.subarray(0, 9)
			.toString("base64url"),
	};
}

/** Puts what was learned in the place of `{name}`; null when it was not learned. */
function fill(text: string, learned: Learned): string | null {
	let whole = true;
	const filled = text.replace(/\{(\w+)\}/g, (_, name: string) => {
		if (learned[name] === undefined) whole = false;
		return learned[name] ?? "";
	});
	return whole ? filled : null;
}

function fillAll(parameters: Parameters, learned: Learned): Parameters {
	return Object.fromEntries(
		Object.entries(parameters).flatMap(([name, text]) => {
			const value = fill(text, learned);
			return value === null ? [] : [[name, value]];
		}),
	);
}

/** The same, anywhere in a JSON value. */
function fillDeep(value: unknown, learned: Learned): unknown {
	return JSON.parse(
		JSON.stringify(value, (_, member: unknown) =>
			typeof member === "string" ? (fill(member, learned) ?? "") : member,
		),
	);
}

async function discover(
	recording: Recording,
	stage: Stage,
	learned: Learned,
): Promise<Server> {
	// What a client does that finds no metadata (2025-03-26, 2.3.3).
	let server: Server = {
		authorization_endpoint: `${stage.url}/authorize`,
		token_endpoint: `${stage.url}/token`,
		registration_endpoint: `${stage.url}/register`,
		token_endpoint_auth_methods_supported: ["none"],
		code_challenge_methods_supported: ["S256"],
	};
	for (const probe of recording.discovery) {
		const response = await ask(recording, stage, learned, probe);
		if (response.status !== probe.status)
			throw new Error(
				`${probe.send} was answered ${response.status}: ${await response.text()}`,
			);
		if (probe.headers?.["Origin"] !== undefined)
			requireReadable(response, probe);
		if (probe.reads === "challenge") readChallenge(response, learned);
		else await requireJson(response, probe);
		if (probe.reads === "resource")
			readResource(probe, learned, (await response.json()) as ResourceDocument);
		if (probe.reads === "server") {
			server = (await response.json()) as Server;
			readServer(server, learned);
		}
	}
	return server;
}

function ask(
	recording: Recording,
	stage: Stage,
	learned: Learned,
	probe: Probe,
): Promise<Response> {
	const [method = "", place = ""] = probe.send.split(" ");
	const url = fill(place, learned);
	if (url === null) throw new Error(`${probe.send}: it was not told where`);
	const isMcp = url === learned["endpoint"];
	const headers = new Headers(fillAll(probe.headers ?? {}, learned));
	headers.set("User-Agent", agentOf(recording, isMcp));
	if (probe.body !== undefined) {
		headers.set("Content-Type", "application/json");
		headers.set("Accept", "application/json, text/event-stream");
	}
	const body =
		probe.body === "initialize" ? firstMessage(recording) : probe.body;
	return stage.reach(url, {
		method,
		headers,
		redirect: "manual",
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
}

function agentOf({ agent, mcpAgent }: Recording, isMcp: boolean): string {
	return isMcp ? (mcpAgent ?? agent) : agent;
}

async function requireJson(response: Response, probe: Probe): Promise<void> {
	const type = response.headers.get("Content-Type") ?? "";
	if (response.status === 200 && !type.startsWith("application/json"))
		throw new Error(`${probe.send} was answered with ${type}`);
}

/** What a page of another origin may read. */
function requireReadable(response: Response, probe: Probe): void {
	if (response.headers.get("Access-Control-Allow-Origin") !== "*")
		throw new Error(`${probe.send}: a page may not read the answer`);
	if (
		probe.send.startsWith("OPTIONS") &&
		!/mcp-protocol-version/i.test(
			response.headers.get("Access-Control-Allow-Headers") ?? "",
		)
	)
		throw new Error(`${probe.send}: a page may not send its revision`);
}

function readChallenge(response: Response, learned: Learned): void {
	const header = response.headers.get("WWW-Authenticate") ?? "";
	// The SDKs parse the first scheme only.
	if (!header.startsWith("Bearer "))
		throw new Error(`the challenge does not begin with Bearer: ${header}`);
	const member = (name: string): string | undefined =>
		new RegExp(`\\b${name}="([^"]*)"`).exec(header)?.[1];
	const metadata = member("resource_metadata");
	if (!metadata || !URL.canParse(metadata))
		throw new Error(`the challenge names no document: ${header}`);
	learned["resource_metadata"] = metadata;
	const scope = member("scope");
	if (scope !== undefined) learned["scope"] = scope;
}

type ResourceDocument = {
	readonly resource: string;
	readonly authorization_servers: readonly string[];
};

function readResource(
	probe: Probe,
	learned: Learned,
	document: ResourceDocument,
): void {
	const pasted = new URL(learned["endpoint"] ?? "");
	const named = new URL(document.resource);
	const fits = {
		"same URL": named.toString() === pasted.toString(),
		"same origin and path":
			named.origin === pasted.origin && named.pathname === pasted.pathname,
		prefix:
			named.origin === pasted.origin &&
			(pasted.pathname.startsWith(named.pathname) ||
				// `/` is an alias: its document describes `/mcp` unless the client asked for its own.
				pasted.pathname === "/"),
	}[probe.resource ?? "prefix"];
	if (!fits)
		throw new Error(
			`the resource ${document.resource} is not what was pasted, ${pasted}`,
		);
	if (document.authorization_servers[0] !== learned["issuer"])
		throw new Error("the resource names another authorization server");
	learned["resource"] = document.resource;
}

function readServer(server: Server, learned: Learned): void {
	// Claude stops without it (anthropics/claude-ai-mcp 786).
	if (!server.code_challenge_methods_supported.includes("S256"))
		throw new Error("the metadata does not offer S256");
	for (const name of ["authorization_endpoint", "token_endpoint"] as const)
		if (new URL(server[name]).origin !== learned["issuer"])
			throw new Error(`${name} is on another origin`);
	const scopes = (server as { scopes_supported?: readonly string[] })
		.scopes_supported;
	if (scopes) learned["scopes_supported"] = scopes.join(" ");
}

async function identify(
	recording: Recording,
	stage: Stage,
	learned: Learned,
	server: Server,
): Promise<Registered> {
	const { identity } = recording;
	if (identity.kind === "document") {
		// A client takes its document only where both are offered, and then has nothing to fall back to.
		if (
			server.client_id_metadata_document_supported !== true ||
			!server.token_endpoint_auth_methods_supported.includes("none")
		)
			throw new Error("the metadata does not offer client documents");
		return { clientId: fill(identity.url, learned) ?? "", secret: null };
	}
	if (identity.kind === "made") return made(identity, stage);
	let registered: Registered | null = null;
	for (let time = 0; time < (identity.times ?? 1); time++)
		registered = await register(recording, identity, stage, learned, server);
	if (!registered) throw new Error("it did not register");
	if (identity.waits)
		await stage.cli(["clients", "approve", registered.clientId]);
	return registered;
}

async function made(
	identity: Identity & { readonly kind: "made" },
	stage: Stage,
): Promise<Registered> {
	const output = await stage.cli([
		...["clients", "add", identity.name, "--json"],
		...identity.redirectUris.flatMap((uri) => ["--redirect-uri", uri]),
		...(identity.secret ? ["--secret"] : []),
	]);
	const { id, secret } = JSON.parse(output) as { id: string; secret?: string };
	return { clientId: id, secret: secret ?? null };
}

async function register(
	recording: Recording,
	identity: Identity & { readonly kind: "registered" },
	stage: Stage,
	learned: Learned,
	server: Server,
): Promise<Registered> {
	const response = await stage.reach(server.registration_endpoint, {
		method: "POST",
		headers: {
			"Content-Type": "application/json",
			Accept: "application/json",
			"User-Agent": recording.agent,
		},
		body: JSON.stringify(fillDeep(identity.body, learned)),
		redirect: "manual",
	});
	const text = await response.text();
	if (response.status !== 201)
		throw new Error(
			`its registration was answered ${response.status}: ${text}`,
		);
	const answer = JSON.parse(text) as {
		client_id: string;
		client_secret?: string;
		redirect_uris: readonly string[];
		token_endpoint_auth_method: string;
	};
	for (const uri of identity.accepted)
		if (!answer.redirect_uris.includes(fill(uri, learned) ?? ""))
			throw new Error(`${uri} was not accepted: ${text}`);
	if (
		answer.token_endpoint_auth_method !==
		(identity.body["token_endpoint_auth_method"] ?? "client_secret_basic")
	)
		throw new Error(`it would have to prove itself otherwise: ${text}`);
	return {
		clientId: answer.client_id,
		secret: answer.client_secret ?? null,
	};
}

async function askPerson(
	recording: Recording,
	stage: Stage,
	learned: Learned,
	server: Server,
	client: Registered,
): Promise<{
	readonly code: string;
	readonly verifier: string;
	readonly sentTo: URL;
}> {
	const verifier = randomBytes(32).toString("base64url");
	const redirectUri = fill(recording.redirectUri, learned) ?? "";
	const extra = fillAll(recording.authorize, learned);
	const url = new URL(server.authorization_endpoint);
	url.search = new URLSearchParams({
		response_type: "code",
		client_id: client.clientId,
		redirect_uri: redirectUri,
		code_challenge: createHash("sha256").update(verifier).digest("base64url"),
		code_challenge_method: "S256",
		...extra,
	}).toString();
	const sentTo = await stage.browser.authorize(url, redirectUri);
	const { searchParams } = sentTo;
	const code = searchParams.get("code");
	if (code === null) throw new Error(`it got no code: ${sentTo.search}`);
	if (searchParams.get("state") !== (extra["state"] ?? null))
		throw new Error("its state did not come back as it was");
	if (searchParams.get("iss") !== learned["issuer"])
		throw new Error("the answer is not from the issuer it asked");
	return { code, verifier, sentTo };
}

async function redeem(
	recording: Recording,
	stage: Stage,
	learned: Learned,
	server: Server,
	client: Registered,
	proof: Parameters,
): Promise<Tokens> {
	const { token, redirectUri } = recording;
	const answers = await Promise.all(
		Array.from({ length: token.times ?? 1 }, () =>
			requestTokens(recording, stage, server, client, {
				grant_type: "authorization_code",
				...proof,
				redirect_uri: fill(redirectUri, learned) ?? "",
				...fillAll(token.parameters, learned),
			}),
		),
	);
	const [first, ...others] = answers.map(requireTokens);
	if (!first) throw new Error("it asked for no tokens");
	for (const other of others)
		if (other.access_token !== first.access_token)
			throw new Error("the same request was answered with other tokens");
	return first;
}

async function refreshOnce(
	recording: Recording,
	stage: Stage,
	learned: Learned,
	server: Server,
	client: Registered,
	tokens: Tokens,
): Promise<Tokens> {
	return requireTokens(
		await requestTokens(recording, stage, server, client, {
			grant_type: "refresh_token",
			refresh_token: tokens.refresh_token,
			...fillAll(recording.refresh.parameters, learned),
		}),
	);
}

/** Another process of the client comes with the first token once more, and the sign-in outlives it. */
async function forgiveStale(
	recording: Recording,
	stage: Stage,
	learned: Learned,
	server: Server,
	client: Registered,
	first: Tokens,
	second: Tokens,
): Promise<string> {
	const again = (tokens: Tokens): Promise<Tokens> =>
		refreshOnce(recording, stage, learned, server, client, tokens);
	const third = await again(second);
	await again(first).catch(() => null);
	const fourth = await again(third);
	return converse(recording, stage, learned, fourth.access_token);
}

type Answer = { readonly status: number; readonly text: string };

async function requestTokens(
	recording: Recording,
	stage: Stage,
	server: Server,
	client: Registered,
	parameters: Parameters,
): Promise<Answer> {
	const { auth } = recording.token;
	const body = new URLSearchParams(parameters);
	const headers = new Headers({
		"Content-Type": "application/x-www-form-urlencoded",
		Accept: "application/json",
		"User-Agent": recording.agent,
	});
	if (auth === "client_secret_basic") {
		const pair = [client.clientId, client.secret ?? ""].map(encodeURIComponent);
		headers.set("Authorization", `Basic ${btoa(pair.join(":"))}`);
	} else body.set("client_id", client.clientId);
	if (auth === "client_secret_post")
		body.set("client_secret", client.secret ?? "");
	const response = await stage.reach(server.token_endpoint, {
		method: "POST",
		headers,
		body: body.toString(),
		redirect: "manual",
	});
	const type = response.headers.get("Content-Type");
	if (type !== "application/json")
		throw new Error(`the token endpoint answered with ${type}`);
	return { status: response.status, text: await response.text() };
}

function requireTokens({ status, text }: Answer): Tokens {
	const tokens = JSON.parse(text) as Tokens;
	const isWhole =
		status === 200 &&
		tokens.token_type === "Bearer" &&
		typeof tokens.expires_in === "number" &&
		typeof tokens.refresh_token === "string";
	if (!isWhole) throw new Error(`its tokens were answered ${status}: ${text}`);
	return tokens;
}

/** The first messages of the client's era, and a tool call. @returns what the tool said */
async function converse(
	recording: Recording,
	stage: Stage,
	learned: Learned,
	token: string,
): Promise<string> {
	const send = sender(recording, stage, learned, token);
	const text = `from ${recording.client}`;
	const call = { name: stage.tool, arguments: { text } };
	if (recording.mcp.revision !== "2026-07-28") await open(recording, send);
	const listed = await send("tools/list", {});
	const tools = listed.result?.["tools"] as readonly { name: string }[];
	if (!tools?.some(({ name }) => name === stage.tool))
		throw new Error(`it does not find the tool: ${JSON.stringify(listed)}`);
	const { result } = await send("tools/call", call);
	const content = result?.["content"] as readonly { text: string }[];
	return content?.[0]?.text ?? JSON.stringify(result);
}

type Send = ((
	method: string,
	params: Record<string, unknown> | null,
) => Promise<RpcMessage>) & {
	session: string | null;
	stream: () => Promise<number>;
};

async function open({ mcp }: Recording, send: Send): Promise<void> {
	const opened = await send("initialize", {
		protocolVersion: mcp.revision,
		capabilities: mcp.capabilities,
		clientInfo: mcp.clientInfo,
	});
	if (opened.result?.["protocolVersion"] !== mcp.revision)
		throw new Error(`another revision: ${JSON.stringify(opened)}`);
	await send("notifications/initialized", null);
	if (mcp.stream && (await send.stream()) !== 200)
		throw new Error("its stream was not opened");
}

function sender(
	recording: Recording,
	stage: Stage,
	learned: Learned,
	token: string,
): Send {
	const endpoint = learned["endpoint"] ?? "";
	const { revision } = recording.mcp;
	const isModern = revision === "2026-07-28";
	let id = 0;
	const headersOf = (method: string, name: unknown): Headers => {
		const headers = new Headers({
			Authorization: `Bearer ${token}`,
			"Content-Type": "application/json",
			Accept: "application/json, text/event-stream",
			"User-Agent": agentOf(recording, true),
		});
		if (send.session !== null) headers.set(HEADER.sessionId, send.session);
		if (isModern || send.session !== null)
			headers.set(HEADER.protocolVersion, revision);
		if (isModern) headers.set(HEADER.method, method);
		if (isModern && typeof name === "string") headers.set(HEADER.name, name);
		return headers;
	};
	const send = async (
		method: string,
		params: Record<string, unknown> | null,
	): Promise<RpcMessage> => {
		const response = await stage.reach(endpoint, {
			method: "POST",
			headers: headersOf(method, params?.["name"]),
			redirect: "manual",
			body: JSON.stringify({
				jsonrpc: "2.0",
				...(params === null ? {} : { id: ++id }),
				method,
				...(params === null
					? {}
					: {
							params: isModern
								? { ...params, _meta: metaOf(recording) }
								: params,
						}),
			}),
		});
		send.session = response.headers.get(HEADER.sessionId) ?? send.session;
		const text = await response.text();
		if (response.status >= 300)
			throw new Error(`${method} was answered ${response.status}: ${text}`);
		if (text === "") return {};
		const isStream = response.headers
			.get("Content-Type")
			?.startsWith("text/event-stream");
		return (isStream ? parseEvents(text).at(-1) : JSON.parse(text)) ?? {};
	};
	send.session = null as string | null;
	send.stream = async (): Promise<number> => {
		const abort = new AbortController();
		const headers = headersOf("", null);
		headers.set("Accept", "text/event-stream");
		const { status } = await stage.reach(endpoint, {
			headers,
			signal: abort.signal,
		});
		abort.abort();
		return status;
	};
	return send;
}

function metaOf({ mcp }: Recording): Record<string, unknown> {
	return {
		[META.protocolVersion]: mcp.revision,
		[META.clientCapabilities]: mcp.capabilities,
		[META.clientInfo]: mcp.clientInfo,
	};
}

function firstMessage(recording: Recording): Record<string, unknown> {
	const { revision, capabilities, clientInfo } = recording.mcp;
	return {
		jsonrpc: "2.0",
		id: 0,
		method: "initialize",
		params: { protocolVersion: revision, capabilities, clientInfo },
	};
}

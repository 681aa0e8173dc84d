/**
 * An authorization server for tests: the real handlers over `:memory:`, a clock that stands until it is moved, and a
 * browser and a client that speak to it without a network.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEgress, type Egress } from "../../src/egress.ts";
import { createLog } from "../../src/log.ts";
import { createPins, type Pins } from "../../src/mcp/pins.ts";
import { createShapes } from "../../src/mcp/shape.ts";
import { createDirectory } from "../../src/mcp/view.ts";
import type { OAuthDeps } from "../../src/oauth/authorization-server.ts";
import { type Bearer, createBearer } from "../../src/oauth/bearer.ts";
import { createClientDocuments } from "../../src/oauth/client-documents.ts";
import { oauthRoutes } from "../../src/oauth/routes.ts";
import type { Notice } from "../../src/ops/expiry.ts";
import { createLease, type Lease } from "../../src/ops/leases.ts";
import { createOwner } from "../../src/ops/setup.ts";
import type { Shelves } from "../../src/ops/tools.ts";
import { createPasswords } from "../../src/people/passwords.ts";
import { createProvider } from "../../src/people/provider.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import {
	createTimelineRecorder,
	type TimelineRecorder,
} from "../../src/store/timeline.ts";
import { createKeyring, openVault, type Vault } from "../../src/vault.ts";
import { pageRoutes } from "../../src/web/pages.ts";
import { testConnections } from "../support/connections.ts";
import { createDesk } from "../support/desk.ts";

export const OWNER = {
	email: "owner@example.org",
	password: "correct horse battery",
};
export const REDIRECT = "http://localhost:8787/callback";
export const VERIFIER = "v".repeat(43);
export const CHALLENGE = challengeOf(VERIFIER);

export function challengeOf(verifier: string): string {
	return createHash("sha256").update(verifier).digest("base64url");
}

/** Where the browser and the client below send their requests; the attack tests give a running gateway. */
export type Place = {
	readonly issuer: string;
	/** One request, to wherever it is routed; redirects are not followed. */
	readonly send: (path: string, init?: RequestInit) => Promise<Response>;
};

export type Authority = Place & {
	readonly db: Database;
	readonly vault: Vault;
	readonly bearer: Bearer;
	readonly timeline: TimelineRecorder;
	readonly deps: OAuthDeps;
	readonly lease: Lease;
	readonly log: string[];
	readonly advance: (seconds: number) => void;
	readonly now: () => number;
	readonly stop: () => void;
};

/** Shelves with no server on them. */
function emptyShelves(deps: OAuthDeps): Shelves & { readonly pins: Pins } {
	const pins = createPins(deps);
	const nobody = (): never => {
		throw new Error("there is no server here");
	};
	return {
		directory: createDirectory(deps.db),
		shapes: createShapes(pins),
		pins,
		upstreams: {
			forUser: nobody,
			drop: async () => {},
			live: () => [],
			changes: () => 0,
			close: async () => {},
		},
	};
}

/** The endpoints of servers; nobody here may use the last. */
const PARTS = ["/mcp/memory", "/mcp/files", "/mcp/closed"];

export async function openAuthority(
	options: {
		readonly issuer?: string;
		/** The gateway's own origin, where the issuer is a door beside it. */
		readonly publicUrl?: string;
		readonly egress?: Egress["fetch"];
		readonly owner?: boolean;
		/** What administrators have to know. */
		readonly notices?: readonly Notice[];
		readonly address?: () => string;
		/** One that was killed: what it had committed goes on here, and nothing else of it. */
		readonly killed?: Authority;
	} = {},
): Promise<Authority> {
	const issuer = options.issuer ?? "https://gw.example";
	let now = options.killed?.now() ?? 1_800_000_000;
	const clock = { now: () => now, nowMs: () => now * 1000 };
	const db = options.killed
		? openImage(options.killed.db.serialize())
		: openDatabase(":memory:");
	const kek = new Uint8Array(32).fill(7);
	const vault =
		options.killed?.vault ?? openVault(kek, createKeyring(kek, now));
	const bearer = createBearer({ db, vault, clock });
	const timeline = createTimelineRecorder({ db, clock });
	const log: string[] = [];
	const passwords = createPasswords("testing");
	const lease = createLease();
	let visitor = 0;
	const around = {
		db,
		clock,
		log: createLog({
			level: "debug",
			format: "json",
			write: (line) => log.push(line),
		}),
		egress: {
			fetch:
				options.egress ??
				(() => Promise.reject(new Error("nothing may be fetched here"))),
		},
	};
	const deps: OAuthDeps = {
		...around,
		vault,
		issuer,
		documents: createClientDocuments(around),
		isEndpoint: (path) => [...PARTS, "/mcp/reading"].includes(path),
		isPart: (path) => PARTS.includes(path),
		// A new address each time, unless a test is about addresses.
		clientAddress:
			options.address ??
			(() =>
				`10.${(++visitor >> 16) & 255}.${(visitor >> 8) & 255}.${visitor & 255}`),
		invalidate: () => bearer.invalidate(),
		isUnused: timeline.isUnused,
		note: (request, step) =>
			timeline.note(
				{
					address: "10.0.0.1",
					agent: request.headers.get("User-Agent") ?? "",
				},
				step,
			),
	};
	if (options.owner !== false && !options.killed)
		await createOwner({ ...deps, passwords }, OWNER);
	const routes = [
		...oauthRoutes(deps),
		...pageRoutes({
			...deps,
			...emptyShelves(deps),
			serversChanged: () => {},
			lease,
			passwords,
			connections: testConnections({
				db,
				vault,
				clock,
				log: deps.log,
				origin: options.publicUrl ?? issuer,
			}),
			onSecret: () => {},
			listSlugs: () => ["files", "memory"],
			toolsOf: (slug) =>
				slug === "files"
					? { count: 3, changing: ["write_file", "Delete <all>"] }
					: null,
			dropUpstreams: () => {},
			provider: createProvider({
				...deps,
				// An identity provider of a test is on this machine.
				egress: createEgress({ allowPrivate: ["127.0.0.0/8"] }),
			}),
			flushTimeline: timeline.flush,
			examine: async () => [
				{
					code: "disk",
					severity: "error",
					text: "no room is left",
					remedy: "make room",
				},
			],
			listNotices: () => options.notices ?? [],
			findToolset: (slug) =>
				slug === "reading"
					? {
							slug,
							title: "Only <reading>",
							servers: [
								{ slug: "files", toolCount: 2 },
								{ slug: "memory", toolCount: null },
							],
						}
					: null,
			desk: createDesk(deps),
		}),
	];
	return {
		issuer,
		db,
		vault,
		bearer,
		deps,
		lease,
		log,
		advance: (seconds) => {
			now += seconds;
		},
		now: () => now,
		timeline,
		stop: () => {
			bearer.stop();
			timeline.close();
		},
		send: async (path, init = {}) => {
			const request = new Request(new URL(path, issuer), {
				...init,
				redirect: "manual",
			});
			const { pathname } = new URL(request.url);
			for (const route of routes) {
				if (route.method !== "ALL" && route.method !== request.method) continue;
				const params = match(route.path, pathname);
				if (params)
					return await route.handler(request, params, {
						requestId: "req_test",
					});
			}
			return new Response("no route", { status: 404 });
		},
	};
}

/** A store as it is on disk at one moment. The file is gone as soon as it is open. */
function openImage(image: Uint8Array): Database {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-image-"));
	writeFileSync(join(folder, "image.db"), image);
	const db = openDatabase(join(folder, "image.db"));
	rmSync(folder, { recursive: true });
	return db;
}

function match(
	pattern: string,
	pathname: string,
): Record<string, string> | null {
	if (pattern.endsWith("/*"))
		return pathname.startsWith(pattern.slice(0, -1)) ? {} : null;
	const [wanted, given] = [pattern.split("/"), pathname.split("/")];
	if (wanted.length !== given.length) return null;
	const params: Record<string, string> = {};
	for (const [at, part] of wanted.entries())
		if (part.startsWith(":")) params[part.slice(1)] = given[at] ?? "";
		else if (part !== given[at]) return null;
	return params;
}

/** A browser: keeps cookies, and sends what a browser sends with a form. */
export type Browser = {
	readonly get: (path: string, headers?: HeadersInit) => Promise<Response>;
	readonly post: (
		path: string,
		fields: Readonly<Record<string, string>>,
		headers?: Readonly<Record<string, string>>,
	) => Promise<Response>;
	readonly cookies: Map<string, string>;
};

export function openBrowser(authority: Place): Browser {
	const cookies = new Map<string, string>();
	const send = async (path: string, init: RequestInit): Promise<Response> => {
		const headers = new Headers(init.headers);
		if (cookies.size > 0)
			headers.set(
				"Cookie",
				[...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
			);
		const response = await authority.send(path, { ...init, headers });
		for (const cookie of response.headers.getSetCookie()) {
			const [name = "", value = ""] = (cookie.split(";")[0] ?? "").split("=");
			if (/Max-Age=0(;|$)/.test(cookie)) cookies.delete(name);
			else cookies.set(name, value);
		}
		return response;
	};
	return {
		cookies,
		get: (path, headers = {}) => send(path, { headers }),
		post: (path, fields, headers) =>
			send(path, {
				method: "POST",
				body: new URLSearchParams(fields),
				headers: headers ?? {
					"Sec-Fetch-Site": "same-origin",
					// What browsers write on the forms of a page without a referrer.
					Origin: "null",
				},
			}),
	};
}

export function csrfOf(html: string): string {
	return /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? "";
}

/** What the consent form would send as it came: its token, and every box that is ticked. */
export function formOf(html: string): Record<string, string> {
	const boxes = html.matchAll(/<input type="checkbox" name="([^"]+)" checked/g);
	return {
		csrf: csrfOf(html),
		...Object.fromEntries([...boxes].map(([, name = ""]) => [name, "on"])),
	};
}

export async function signIn(
	browser: Browser,
	person: { readonly email: string; readonly password: string } = OWNER,
): Promise<Response> {
	const csrf = csrfOf(await (await browser.get("/login")).text());
	return browser.post("/login", { ...person, csrf });
}

export type Client = {
	readonly client_id: string;
	readonly client_secret?: string;
};

export async function register(
	authority: Place,
	metadata: Readonly<Record<string, unknown>> = {},
): Promise<Client> {
	const response = await authority.send("/register", {
		method: "POST",
		headers: { "Content-Type": "application/json" },
		body: JSON.stringify({
			client_name: "A client",
			redirect_uris: [REDIRECT],
			token_endpoint_auth_method: "none",
			...metadata,
		}),
	});
	if (response.status !== 201)
		throw new Error(`${response.status} ${await response.text()}`);
	return (await response.json()) as Client;
}

/** The query of an authorization request; null takes a parameter away. */
export function authorizeQuery(
	client: Client,
	changes: Readonly<Record<string, string | null>> = {},
): string {
	const query = new URLSearchParams();
	const parameters = {
		client_id: client.client_id,
		redirect_uri: REDIRECT,
		response_type: "code",
		code_challenge: CHALLENGE,
		code_challenge_method: "S256",
		state: "s t&te",
		...changes,
	};
	for (const [name, value] of Object.entries(parameters))
		if (value !== null) query.set(name, value);
	return `?${query}`;
}

/** Signs in if needed, allows, and returns where the browser was sent. */
export async function allow(
	authority: Place,
	query: string,
	browser: Browser = openBrowser(authority),
	decision: "allow" | "deny" = "allow",
): Promise<URL> {
	if (browser.cookies.size === 0) await signIn(browser);
	const page = await browser.get(`/authorize${query}`);
	const html = await page.text();
	if (page.status !== 200) throw new Error(`${page.status} ${html}`);
	const sent = await browser.post(`/authorize${query}`, {
		...formOf(html),
		decision,
	});
	if (sent.status !== 303)
		throw new Error(`${sent.status} ${await sent.text()}`);
	return new URL(sent.headers.get("Location") ?? "");
}

export async function codeFor(
	authority: Place,
	client: Client,
	changes: Readonly<Record<string, string | null>> = {},
): Promise<string> {
	const sent = await allow(authority, authorizeQuery(client, changes));
	return sent.searchParams.get("code") ?? "";
}

export type TokenAnswer = {
	readonly status: number;
	readonly headers: Headers;
	readonly error?: string;
	readonly access_token: string;
	readonly refresh_token: string;
	readonly expires_in: number;
	readonly scope: string;
	readonly token_type: string;
};

/** One request at the token endpoint; null takes a field away. */
export async function requestToken(
	authority: Place,
	fields: Readonly<Record<string, string | null>>,
	headers: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
	const body = new URLSearchParams();
	for (const [name, value] of Object.entries(fields))
		if (value !== null) body.set(name, value);
	const response = await authority.send("/token", {
		method: "POST",
		body,
		headers,
	});
	return {
		status: response.status,
		headers: response.headers,
		...((await response.json()) as Omit<TokenAnswer, "status" | "headers">),
	};
}

export function redeem(
	authority: Place,
	client: Client,
	code: string,
	changes: Readonly<Record<string, string | null>> = {},
): Promise<TokenAnswer> {
	return requestToken(authority, {
		grant_type: "authorization_code",
		client_id: client.client_id,
		code,
		code_verifier: VERIFIER,
		redirect_uri: REDIRECT,
		...changes,
	});
}

export function refresh(
	authority: Place,
	client: Client,
	token: string,
	changes: Readonly<Record<string, string | null>> = {},
): Promise<TokenAnswer> {
	return requestToken(authority, {
		grant_type: "refresh_token",
		client_id: client.client_id,
		refresh_token: token,
		...changes,
	});
}

/** Registers, allows and redeems. */
export async function signInClient(
	authority: Place,
	changes: Readonly<Record<string, string | null>> = {},
): Promise<{ readonly client: Client; readonly tokens: TokenAnswer }> {
	const client = await register(authority);
	const code = await codeFor(authority, client, changes);
	return { client, tokens: await redeem(authority, client, code) };
}

/** The status with which a token is judged at an endpoint. */
export function judge(
	authority: Authority,
	token: string | null,
	path = "/mcp",
	resource = path,
): ReturnType<Bearer["judge"]> {
	return authority.bearer.judge(
		new Request(authority.issuer + path, {
			method: "POST",
			headers: token === null ? {} : { Authorization: `Bearer ${token}` },
		}),
		authority.issuer + resource,
	);
}

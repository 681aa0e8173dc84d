/** Tokens of connections over time: carried, renewed once for all, refused, lost, and given up. */
import {
	afterEach,
	beforeEach,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { systemClock } from "../../src/clock.ts";
import {
	type Connection,
	findConnection,
	isConnected,
	releaseRefreshLease,
	renewConnection,
	takeRefreshLease,
} from "../../src/store/connections.ts";
import { createLogin } from "../../src/store/logins.ts";
import { listNotices } from "../../src/store/notices.ts";
import { findService } from "../../src/store/server-services.ts";
import {
	findServer,
	type Server,
	updateServer,
} from "../../src/store/servers.ts";
import { NeedsPerson } from "../../src/upstream/needs-person.ts";
import { sealTokens } from "../../src/upstream/sealed-tokens.ts";
import { sha256 } from "../fixtures/repertoire.ts";
import {
	type OAuthService,
	type OAuthServiceOptions,
	startOAuthService,
} from "../support/oauth-service.ts";
import { fixtureCommand } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { callTool, type Pool, startPool } from "../support/upstreams.ts";

setDefaultTimeout(30_000);

let later = 0;
const CLOCK = {
	now: () => systemClock.now() + later,
	nowMs: () => systemClock.nowMs() + later * 1000,
};
let pool: Pool;
let service: OAuthService;
let userId: string;

beforeEach(() => {
	later = 0;
	pool = startPool({ clock: CLOCK });
	userId = pool.userIds[0];
	for (const who of pool.userIds)
		createLogin(
			pool.db,
			Buffer.from(`login of ${who}`),
			{
				...{ userId: who, method: "password", address: "", agent: "" },
				expiresAt: CLOCK.now() + 86_400,
			},
			CLOCK.now(),
		);
});

afterEach(async () => {
	await pool.close();
	service.stop();
});

/** Puts a service behind the pool, and learns from its first refusal that its users sign in. */
async function put(options: OAuthServiceOptions): Promise<void> {
	service = startOAuthService(options);
	const server = pool.add("linear", {
		kind: "http",
		url: service.url,
		mode: "auto",
		headers: {},
	});
	await expect(pool.upstreams.forUser(server, userId).facts()).rejects.toThrow(
		"linear needs you to sign in there first",
	);
}

function server(): Server {
	return findServer(pool.db, "linear") as Server;
}

async function signIn(who = userId): Promise<void> {
	const loginHash = Buffer.from(`login of ${who}`);
	const visitor = { userId: who, loginHash };
	const onward = await pool.connections.begin(server(), visitor);
	const back = await fetch(onward, { redirect: "manual" });
	await pool.connections.finish(
		server(),
		visitor,
		new URL(back.headers.get("Location") ?? "").searchParams,
	);
}

function whose(who = userId): Promise<string> {
	return callTool(pool.upstreams.forUser(server(), who), "whose");
}

function connection(): Connection {
	return findConnection(pool.db, server().id, userId) as Connection;
}

function refreshes(): number {
	return service
		.at("/token")
		.filter(({ form }) => form.get("grant_type") === "refresh_token").length;
}

test("each user's calls carry their own token, and a user who has not signed in has none", async () => {
	await put({});
	await signIn();
	const [ada, bob] = pool.userIds;
	expect(() => pool.upstreams.forUser(server(), bob)).toThrow(NeedsPerson);
	await signIn(bob);
	const tokens = await Promise.all([whose(ada), whose(bob)]);
	expect(new Set(tokens).size).toBe(2);
	for (const token of tokens) expect(service.tokens.has(token)).toBe(true);
});

test("a token is renewed at four fifths of its life, once for all who call", async () => {
	await put({ expiresIn: 1000, refreshes: true });
	await signIn();
	const first = await whose();
	later = 799;
	expect(await whose()).toBe(first);
	expect(refreshes()).toBe(0);
	later = 801;
	const renewed = await Promise.all([whose(), whose(), whose(), whose()]);
	expect(new Set(renewed).size).toBe(1);
	expect(renewed[0]).not.toBe(first);
	expect(refreshes()).toBe(1);
});

test("a token that is refused in the middle is renewed once, and the call goes on", async () => {
	await put({ refreshes: true });
	await signIn();
	const first = await whose();
	service.expire();
	const second = await whose();
	expect(second).not.toBe(first);
	expect(refreshes()).toBe(1);
});

test("a refresh token that is refused twice ends the connection, with a notice", async () => {
	await put({ expiresIn: 1000, refreshes: true });
	await signIn();
	await whose();
	service.forget();
	service.expire();
	later = 801;
	await expect(whose()).rejects.toThrow(
		"linear needs you to sign in there again",
	);
	expect(refreshes()).toBe(2);
	expect(isConnected(pool.db, server().id, userId)).toBe(false);
	expect(
		pool.logged.filter((line) => line.includes("connection lost")),
	).toHaveLength(1);
	expect(
		pool.db
			.query("SELECT count(*) AS n FROM audit WHERE action = 'connection.lost'")
			.get(),
	).toEqual({ n: 1 });
	expect(listNotices(pool.db, userId)).toMatchObject([
		{ kind: "connection lost", detail: "linear" },
	]);
	// Parked: nobody is asked again until the person comes.
	await Bun.sleep(0);
	const before = service.heard.length;
	await expect(Promise.resolve().then(() => whose())).rejects.toThrow(
		NeedsPerson,
	);
	expect(service.heard.length).toBe(before);
	await signIn();
	expect(await whose()).toStartWith("access-");
});

test("a refresh token that another process has used meanwhile ends nothing: theirs is taken", async () => {
	await put({ expiresIn: 1000, refreshes: true });
	await signIn();
	await whose();
	later = 801;
	const known = connection();
	expect(
		takeRefreshLease(
			pool.db,
			known.id,
			"another",
			CLOCK.now(),
			CLOCK.now() + 60,
		),
	).toBe(true);
	const waiting = whose();
	service.tokens.add("access-of-another");
	renewConnection(
		pool.db,
		known,
		{
			refreshable: 1,
			granted: "",
			expiresAt: CLOCK.now() + 1000,
			refreshAt: CLOCK.now() + 800,
		},
		CLOCK.now(),
		(place) =>
			sealTokens(pool.vault, place, {
				accessToken: "access-of-another",
				refreshToken: "refresh-of-another",
				clientId: "client",
			}),
	);
	releaseRefreshLease(pool.db, known.id, "another");
	expect(await waiting).toBe("access-of-another");
	expect(refreshes()).toBe(0);
});

test("a service that fails to renew ends nothing: a token that is still good is used", async () => {
	await put({ expiresIn: 1000, refreshes: true });
	await signIn();
	const first = await whose();
	service.on("/token", () => new Response("busy", { status: 503 }));
	later = 801;
	expect(await whose()).toBe(first);
	expect(connection().lostAt).toBeNull();
	const tries = service.at("/token").length;
	expect(await whose()).toBe(first);
	expect(service.at("/token").length).toBe(tries);
});

test("a connection that nobody uses is renewed before its service forgets it", async () => {
	await put({ expiresIn: 1000, refreshes: true });
	await signIn();
	later = 19 * 86_400;
	await pool.connections.tend();
	expect(refreshes()).toBe(0);
	later = 21 * 86_400;
	await pool.connections.tend();
	expect(refreshes()).toBe(1);
	await pool.connections.tend();
	expect(refreshes()).toBe(1);
});

test("a program that was started with a token is started anew with the next one", async () => {
	service = startOAuthService({});
	let count = 0;
	service.on("/login/oauth/authorize", ({ query }) => {
		const back = new URL(query.get("redirect_uri") ?? "");
		back.searchParams.set("code", "c");
		back.searchParams.set("state", query.get("state") ?? "");
		return Response.redirect(back.href, 302);
	});
	service.on("/login/oauth/access_token", () =>
		Response.json({
			access_token: `gho_${++count}`,
			token_type: "bearer",
			refresh_token: "ghr",
			expires_in: count === 1 ? 2 : 3600,
		}),
	);
	const [command = "", ...args] = fixtureCommand("env", "stdio");
	pool.add("linear", { kind: "command", command, args, env: {} }, [
		{
			...{ name: "TOKEN", target: "TOKEN", injection: "env" as const },
			...{ personal: true, optional: false },
		},
	]);
	await pool.connections.configure(
		server(),
		{
			...{ provider: "github", issuer: service.origin, slot: "TOKEN" },
			clientId: "app",
		},
		undefined,
		userId,
	);
	await signIn();
	const variables = async (): Promise<string> =>
		callTool(pool.upstreams.forUser(server(), userId), "environment");
	expect(await variables()).toContain(sha256("gho_1"));
	await until("the new token is given", async () =>
		(await variables()).includes(sha256("gho_2")),
	);
});

test("a server that refuses without a word of signing in is looked at once, not at every call", async () => {
	service = startOAuthService({});
	// Its handshake needs no token, and its calls want one that nobody can get.
	service.tokens.add("");
	for (const name of [
		"oauth-protected-resource/mcp",
		"oauth-authorization-server",
	])
		service.on(
			`/.well-known/${name}`,
			() => new Response(null, { status: 404 }),
		);
	service.on("/mcp", ({ body }) =>
		body.includes("tools/call")
			? new Response(null, { status: 401 })
			: undefined,
	);
	const upstream = pool.upstream("silent", {
		...{ kind: "http", url: service.url, mode: "auto", headers: {} },
	});
	for (let calls = 0; calls < 3; calls++)
		await expect(callTool(upstream, "whose")).rejects.toThrow(
			"refused our credentials (401)",
		);
	const looks = service.heard.filter(({ path }) => path.includes("well-known"));
	expect(new Set(looks.map(({ path }) => path)).size).toBe(looks.length);
	expect(looks.length).toBeGreaterThan(0);
});

test("a server that is moved to another origin takes no token along", async () => {
	await put({});
	await signIn();
	updateServer(
		pool.db,
		"linear",
		{
			transport: {
				kind: "http",
				url: "https://elsewhere.example/mcp",
				mode: "auto",
				headers: {},
			},
		},
		CLOCK.now(),
	);
	expect(findConnection(pool.db, server().id, userId)).toBeNull();
	expect(findService(pool.db, server().id)).toBeNull();
});

test("nothing that was given is in clear in the store", async () => {
	await put({ expiresIn: 1000, refreshes: true });
	await signIn();
	const token = await whose();
	const rows = pool.db.query("SELECT * FROM connections").all();
	const text = rows
		.flatMap((row) => Object.values(row as Record<string, unknown>))
		.map((value) =>
			value instanceof Uint8Array
				? Buffer.from(value).toString("latin1")
				: String(value),
		)
		.join("\n");
	expect(text).not.toContain(token);
	expect(text).not.toContain("refresh-");
	expect(pool.logged.join("\n")).not.toContain(token);
});

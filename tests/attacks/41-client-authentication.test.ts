/** D. How a client proves itself (research/oauth.md 5, 41–48). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mintCredential } from "../../src/mint.ts";
import { type Client, register } from "../oauth/authority.ts";
import { expectError, openTarget, type Target } from "./target.ts";

setDefaultTimeout(30_000);

const FORM = "application/x-www-form-urlencoded";

let target: Target;
let open: Client;
let closed: Client & { readonly client_secret: string };

beforeAll(async () => {
	target = await openTarget();
	open = await register(target);
	const registered = await register(target, {
		token_endpoint_auth_method: "client_secret_basic",
	});
	closed = { ...registered, client_secret: registered.client_secret ?? "" };
});
afterAll(() => target?.stop());

function ask(
	fields: Readonly<Record<string, string>>,
	headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
	return target.send("/token", {
		method: "POST",
		headers,
		body: new URLSearchParams({
			grant_type: "refresh_token",
			refresh_token: mintCredential("refresh"),
			...fields,
		}),
	});
}

function basic(id: string, secret: string): { readonly Authorization: string } {
	return { Authorization: `Basic ${btoa(`${id}:${secret}`)}` };
}

/** Proven, and refused only for the made-up refresh token. */
async function expectProven(response: Response, what?: string): Promise<void> {
	await expectError(response, 400, "invalid_grant", what);
}

async function expectUnproven(
	response: Response,
	challenge: boolean,
	what?: string,
): Promise<void> {
	expect(response.headers.get("WWW-Authenticate"), what).toBe(
		challenge ? 'Basic realm="sallyport"' : null,
	);
	await expectError(response, 401, "invalid_client", what);
}

test("41: credentials in header and body together", async () => {
	const { client_id, client_secret } = closed;
	await expectUnproven(
		await ask({ client_secret }, basic(client_id, client_secret)),
		true,
	);
	await expectProven(await ask({}, basic(client_id, client_secret)));
	await expectProven(await ask({ client_id, client_secret }));
});

test("42: a public client with a secret, a confidential one without", async () => {
	await expectUnproven(
		await ask({ client_id: open.client_id, client_secret: "x" }),
		false,
	);
	await expectUnproven(await ask({}, basic(open.client_id, "x")), true);
	await expectUnproven(await ask({ client_id: closed.client_id }), false);
	await expectUnproven(await ask({}, basic(closed.client_id, "")), true);
	await expectProven(await ask({ client_id: open.client_id }));
});

test("43: a header that is not quite Basic", async () => {
	for (const header of [
		"Basic",
		"Basic ",
		"Basic !!!!",
		`Basic ${btoa("nocolon")}`,
		`Basic ${btoa(":")}`,
		`Basic ${btoa("a%ZZ:b")}`,
		`Basic ${btoa("\xff\xfe:b")}`,
		`Bearer ${mintCredential("access")}`,
		`Digest ${btoa("a:b")}`,
	])
		await expectUnproven(
			await ask({}, { Authorization: header }),
			true,
			header,
		);
	const { client_id, client_secret } = closed;
	const encoded = btoa(`${client_id}:${client_secret}`);
	await expectProven(await ask({}, { Authorization: `basic ${encoded}` }));
	// RFC 6749 2.3.1: both parts are form-encoded.
	const escaped = `${client_id.replace("_", "%5F")}:${client_secret}`;
	await expectProven(
		await ask({}, { Authorization: `Basic ${btoa(escaped)}` }),
	);
});

test("44: guessing a secret is slowed down", async () => {
	const { client_id } = await register(target, {
		token_endpoint_auth_method: "client_secret_post",
	});
	const headers = { "X-Forwarded-For": "192.0.2.44" };
	const statuses: number[] = [];
	for (let tries = 0; tries < 70; tries++) {
		const answer = await ask(
			{ client_id, client_secret: mintCredential("clientSecret") },
			headers,
		);
		statuses.push(answer.status);
		if (answer.status === 429)
			expect(Number(answer.headers.get("Retry-After"))).toBeGreaterThan(0);
		await answer.body?.cancel();
	}
	expect(statuses.slice(0, 50)).toEqual(Array.from({ length: 50 }, () => 401));
	expect(statuses.at(-1)).toBe(429);
});

test("45: an unknown client and a wrong secret look the same", async () => {
	const secret = mintCredential("clientSecret");
	const read = async (client_id: string): Promise<unknown> => {
		const answer = await ask({ client_id, client_secret: secret });
		return [answer.status, await answer.json()];
	};
	expect(await read("cli_unknown")).toEqual(await read(closed.client_id));
});

test("46: another media type", async () => {
	const body = `grant_type=refresh_token&client_id=${open.client_id}&refresh_token=x`;
	for (const type of [
		`application/json, ${FORM}`,
		`${FORM}, application/json`,
		"",
		"multipart/form-data; boundary=x",
		"application/json",
		"text/plain",
		`${FORM}; charset=utf-16`,
		`${FORM}; charset=`,
		`${FORM}x`,
	]) {
		const answer = await target.send("/token", {
			method: "POST",
			headers: { "Content-Type": type },
			body: new TextEncoder().encode(body),
		});
		await expectError(answer, [400, 415], "invalid_request", type);
	}
	for (const type of [`${FORM};charset=UTF-8`, FORM.toUpperCase()]) {
		const answer = await target.send("/token", {
			method: "POST",
			headers: { "Content-Type": type },
			body: new TextEncoder().encode(body),
		});
		await expectProven(answer, type);
	}
});

test("47: a parameter that stands twice", async () => {
	const twice = (extra: string): Promise<Response> =>
		target.send("/token", {
			method: "POST",
			headers: { "Content-Type": FORM },
			body: `grant_type=refresh_token&client_id=${open.client_id}&refresh_token=x&${extra}`,
		});
	await expectError(
		await twice(`client_id=${open.client_id}`),
		400,
		"invalid_request",
	);
	await expectError(await twice("refresh_token=y"), 400, "invalid_request");
	const resource = encodeURIComponent(`${target.issuer}/mcp`);
	await expectError(
		await twice(`resource=${resource}&resource=${resource}`),
		400,
		"invalid_target",
	);
});

test("48: a megabyte, ten thousand parameters, names of the language", async () => {
	const { client_id } = open;
	await expectError(
		await ask({ client_id, x: "x".repeat(1024 * 1024) }),
		[400, 413],
		"invalid_request",
	);
	const many = Object.fromEntries(
		Array.from({ length: 10_000 }, (_, at) => [`p${at}`, ""]),
	);
	await expectError(
		await ask({ client_id, ...many }),
		[400, 413],
		"invalid_request",
	);
	for (const path of ["/token", "/revoke"]) {
		const answer = await target.send(path, {
			method: "POST",
			headers: { "Content-Type": FORM },
			body: `__proto__=x&constructor=y&client_id=${client_id}&grant_type=__proto__&token=constructor`,
		});
		expect([200, 400], path).toContain(answer.status);
	}
	const registered = await target.send("/register", {
		method: "POST",
		headers: { "Content-Type": "application/json" },
		body: `{"__proto__":{"redirect_uris":["http://localhost/cb"]},"constructor":{}}`,
	});
	await expectError(registered, 400, "invalid_redirect_uri");
	expect(({} as Record<string, unknown>)["redirect_uris"]).toBeUndefined();
});

/** I. Revocation and introspection (research/oauth.md 5, 117 and 118). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mintCredential } from "../../src/mint.ts";
import {
	type Client,
	refresh,
	register,
	requestToken,
	signInClient,
} from "../oauth/authority.ts";
import { openTarget, type Target } from "./target.ts";

setDefaultTimeout(30_000);

let target: Target;

beforeAll(async () => {
	target = await openTarget();
});
afterAll(() => target?.stop());

function post(
	path: string,
	client: Client,
	fields: Readonly<Record<string, string>>,
): Promise<Response> {
	return target.send(path, {
		method: "POST",
		body: new URLSearchParams({ ...client, ...fields }),
	});
}

function only({ client_id }: Client): Client {
	return { client_id };
}

test("117: revoking what is another's, made up, huge or wrongly hinted", async () => {
	const { tokens } = await signInClient(target);
	const other = only(await register(target));
	for (const fields of [
		{ token: tokens.access_token },
		{ token: tokens.refresh_token },
		{ token: "garbage" },
		{ token: mintCredential("access") },
		{ token: "x".repeat(10_000) },
		{ token: tokens.refresh_token, token_type_hint: "access_token" },
		{ token: tokens.access_token, token_type_hint: "nonsense" },
	]) {
		const answer = await post("/revoke", other, fields);
		expect(answer.status).toBe(200);
		expect(await answer.text()).toBe("{}");
	}
	expect(await target.use(tokens.access_token)).toBe(200);
});

// RFC 7009 2.1
test("117: revoking one's own: an access token alone, a refresh token with its grant, whatever the hint", async () => {
	const { client, tokens } = await signInClient(target);
	await post("/revoke", only(client), {
		token: tokens.access_token,
		token_type_hint: "refresh_token",
	});
	expect(await target.use(tokens.access_token)).toBe(401);
	const next = await refresh(target, client, tokens.refresh_token);
	expect(await target.use(next.access_token)).toBe(200);
	await post("/revoke", only(client), { token: next.refresh_token });
	expect(await target.use(next.access_token)).toBe(401);
	expect((await refresh(target, client, next.refresh_token)).error).toBe(
		"invalid_grant",
	);
});

async function make(...flags: readonly string[]): Promise<Required<Client>> {
	const made = JSON.parse(
		await target.gateway.cli([
			...["clients", "add", "looker", "--secret", "--json"],
			...flags,
		]),
	);
	return { client_id: made.id, client_secret: made.secret };
}

test("118: introspection is not there until someone may use it, and then shows only what is theirs", async () => {
	const own = await signInClient(target, {
		resource: `${target.issuer}/mcp/a`,
	});
	const { access_token } = own.tokens;
	const none = await post("/introspect", only(own.client), {
		token: access_token,
	});
	expect(none.status).toBe(404);

	const looker = await make("--introspect", "a");
	const shown = await post("/introspect", looker, { token: access_token });
	expect(await shown.json()).toMatchObject({ active: true, scope: "mcp:a" });

	const foreign = await signInClient(target, {
		resource: `${target.issuer}/mcp/ab`,
	});
	for (const token of [
		foreign.tokens.access_token,
		own.tokens.refresh_token,
		"garbage",
	]) {
		const answer = await post("/introspect", looker, { token });
		expect(await answer.json()).toEqual({ active: false });
	}
	const bare = await make("--user", target.gateway.owner.email);
	for (const client of [
		only(own.client),
		bare,
		{ ...looker, client_secret: mintCredential("clientSecret") },
	]) {
		const answer = await post("/introspect", client, { token: access_token });
		expect(answer.status).toBe(401);
	}
});

test("a client that acts alone cannot become someone else", async () => {
	const member = await target.gateway.addUser("ada@example.org");
	const client = await make("--user", member.email);
	const tokens = await requestToken(target, {
		grant_type: "client_credentials",
		...client,
	});
	expect(await target.use(tokens.access_token)).toBe(200);
	expect(tokens.refresh_token).toBeUndefined();
	const registered = await register(target, {
		token_endpoint_auth_method: "client_secret_post",
	});
	const refused = await requestToken(target, {
		grant_type: "client_credentials",
		client_id: registered.client_id,
		client_secret: registered.client_secret ?? "",
		username: target.gateway.owner.email,
	});
	expect(refused.error).toBe("unauthorized_client");
});

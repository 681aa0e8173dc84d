/** The doctor over the real authorization server: each step that really happens is on the timeline, and no secret is. */
import { afterEach, expect, test } from "bun:test";
import { type Diagnosis, listDiagnoses } from "../../src/ops/diagnoses.ts";
import { createInvite } from "../../src/ops/setup.ts";
import { findUserByEmail } from "../../src/store/users.ts";
import {
	type Authority,
	allow,
	authorizeQuery,
	OWNER,
	openAuthority,
	openBrowser,
	redeem,
	refresh,
	register,
	signIn,
} from "../oauth/authority.ts";

let authority: Authority;
afterEach(() => authority?.stop());

function diagnoses(
	of: Parameters<typeof listDiagnoses>[2] = {},
): readonly Diagnosis[] {
	authority.timeline.flush();
	return listDiagnoses(authority.db, authority.now() + 120, of);
}

function walked({ steps }: Diagnosis): string {
	return steps
		.map(({ step, outcome }) =>
			outcome === "ok" ? step : `${step} ${outcome}`,
		)
		.join(", ");
}

test("a whole sign-in is one attempt with every step, and no code, token or verifier in it", async () => {
	authority = await openAuthority();
	await authority.send("/.well-known/oauth-protected-resource/mcp");
	await authority.send("/.well-known/oauth-authorization-server");
	const client = await register(authority, { client_name: "Cursor" });
	const browser = openBrowser(authority);
	const query = authorizeQuery(client);
	await browser.get(`/authorize${query}`);
	await signIn(browser);
	const sent = await allow(authority, query, browser);
	const code = sent.searchParams.get("code") ?? "";
	const tokens = await redeem(authority, client, code);
	await refresh(authority, client, tokens.refresh_token);
	const [diagnosis, ...others] = diagnoses();
	expect(others).toEqual([]);
	expect(diagnosis && walked(diagnosis)).toBe(
		"metadata, metadata, registration, authorize, login waiting, authorize, login, consent waiting, consent, code, token, refresh",
	);
	expect(diagnosis?.name).toBe("Cursor");
	expect(diagnosis?.verdict.state).toBe("connected");
	const kept = JSON.stringify(
		authority.db.query("SELECT * FROM timeline").all(),
	);
	for (const secret of [
		code,
		tokens.access_token,
		tokens.refresh_token,
		"vvvvvvvv",
		"s t&te",
	])
		expect(kept).not.toContain(secret);
});

test("what is refused says exactly why to whoever runs the gateway, and not to the client", async () => {
	authority = await openAuthority();
	const client = await register(authority);
	const sent = await allow(authority, authorizeQuery(client));
	const answer = await redeem(
		authority,
		client,
		sent.searchParams.get("code") ?? "",
		{
			code_verifier: "w".repeat(43),
		},
	);
	expect(JSON.stringify(answer)).not.toContain("verifier");
	const [diagnosis] = diagnoses();
	expect(diagnosis?.steps.at(-1)).toMatchObject({
		step: "token",
		outcome: "refused",
		detail: "wrong verifier",
	});
	expect(diagnosis?.verdict.state).toBe("refused");
});

test("a redirect URI that was not registered is told with the client it belongs to", async () => {
	authority = await openAuthority();
	const client = await register(authority);
	await authority.send(
		`/authorize${authorizeQuery(client, { redirect_uri: "https://other.example/cb" })}`,
	);
	const [diagnosis] = diagnoses();
	expect(diagnosis?.clientId).toBe(client.client_id);
	expect(diagnosis?.verdict.text).toContain(
		"another address than it registered",
	);
});

test("a document that cannot be read is told with its reason; a bundled copy stands in", async () => {
	authority = await openAuthority();
	for (const id of [
		"https://app.example/client.json",
		"https://zed.dev/oauth/client-metadata.json",
	])
		await authority.send(
			`/authorize${authorizeQuery({ client_id: id }, { redirect_uri: "http://127.0.0.1:1/callback" })}`,
		);
	const [zed] = diagnoses({ client: "zed" });
	expect(zed?.steps[0]).toMatchObject({ step: "document", outcome: "ok" });
	expect(zed?.steps[0]?.detail).toContain("nothing may be fetched here");
	expect(zed?.verdict.state).toBe("waiting");
	const [app] = diagnoses({ client: "https://app.example/client.json" });
	expect(app && walked(app)).toBe("document refused, authorize refused");
});

test("a client whose callback nobody knows waits, and the doctor says for whom", async () => {
	authority = await openAuthority();
	await register(authority, {
		client_name: "LibreChat",
		redirect_uris: ["https://chat.example.org/api/mcp/gw/oauth/callback"],
	});
	const [diagnosis] = diagnoses({ client: "librechat" });
	expect(diagnosis?.verdict.state).toBe("waiting");
	expect(diagnosis?.verdict.notes.join()).toContain("clients approve");
});

test("a person sees their own attempts on the page, an administrator everyone's", async () => {
	authority = await openAuthority();
	const deps = { ...authority.deps, publicUrl: authority.issuer };
	createInvite(deps, { email: "member@example.org", role: "member" });
	await authority.send("/.well-known/oauth-protected-resource/mcp");
	const client = await register(authority, { client_name: "<b>Zed</b>" });
	const owner = openBrowser(authority);
	await signIn(owner);
	await allow(authority, authorizeQuery(client), owner);
	const html = await (await owner.get("/doctor")).text();
	expect(html).toContain("<bdi>&lt;b>Zed");
	expect(html).toContain("The question to a person");
	const ownerId = findUserByEmail(authority.db, OWNER.email)?.id ?? "";
	expect(diagnoses({ userId: ownerId })).toHaveLength(1);
	const memberId =
		findUserByEmail(authority.db, "member@example.org")?.id ?? "";
	expect(diagnoses({ userId: memberId })).toEqual([]);
	const examined = await (await owner.get("/doctor/gateway")).text();
	expect(examined).toContain("No room is left.");
	const nobody = await openBrowser(authority).get("/doctor/gateway");
	expect(nobody.headers.get("Location")).toBe(
		"/login?next=%2Fdoctor%2Fgateway",
	);
	const absent = await (await owner.get("/doctor?client=grok")).text();
	expect(absent).toContain("Nothing of Grok has arrived");
	const stranger = await openBrowser(authority).get("/doctor");
	expect(stranger.headers.get("Location")).toBe("/login?next=%2Fdoctor");
});

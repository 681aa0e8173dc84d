/**
 * An OpenID provider for tests, written on `jose` from the specifications: it describes itself, asks nobody, checks
 * what a provider must check, and signs ID tokens. It can be told to be wrong in one way at a time.
 *
 * @see OpenID Connect Core 1.0 3.1, Discovery 1.0 3, RFC 7636 4.6
 */
import { createHash, randomUUID } from "node:crypto";
import {
	exportJWK,
	generateKeyPair,
	type JWTPayload,
	SignJWT,
	UnsecuredJWT,
} from "jose";

/** What the next sign-in is given, and how it is wrong. */
export type Manner = {
	readonly subject: string;
	readonly email: string;
	readonly isVerified: boolean;
	/** Members of the ID token that replace the right ones; undefined takes one away. */
	readonly claims: Readonly<Record<string, unknown>>;
	readonly algorithm: "right" | "none" | "another key";
	/** `iss` of the answer, if it is not its own. */
	readonly answerIssuer: string | undefined;
	/** The issuer that it says it is. */
	readonly saysIssuer: string | undefined;
};

export type FakeProvider = {
	readonly issuer: string;
	readonly clientId: string;
	readonly clientSecret: string;
	/** Changes how it behaves from now on; what is not named goes back to what is right. */
	readonly behave: (manner?: Partial<Manner>) => void;
	/** Does what a browser would at the authorization endpoint; returns where it is sent. */
	readonly visit: (location: string) => Promise<URL>;
	/** What was asked at the authorization endpoint last. */
	readonly asked: () => URLSearchParams;
	readonly stop: () => Promise<void>;
};

const RIGHT: Manner = {
	subject: "subject-1",
	email: "owner@example.org",
	isVerified: true,
	claims: {},
	algorithm: "right",
	answerIssuer: undefined,
	saysIssuer: undefined,
};

type Pending = {
	readonly query: URLSearchParams;
	readonly manner: Manner;
};

export async function startFakeProvider(
	now: () => number = () => Math.floor(Date.now() / 1000),
): Promise<FakeProvider> {
	const keys = await generateKeyPair("RS256");
	const others = await generateKeyPair("RS256");
	const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "RS256" };
	const pending = new Map<string, Pending>();
	let manner = RIGHT;
	let asked = new URLSearchParams();
	const clientId = "sallyport";
	const clientSecret = "a-secret:of the/provider+1".replace(" ", "%");

	const server: ReturnType<typeof Bun.serve> = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		routes: {
			"/.well-known/openid-configuration": () =>
				Response.json({
					issuer: manner.saysIssuer ?? issuer,
					authorization_endpoint: `${issuer}/authorize`,
					token_endpoint: `${issuer}/token`,
					jwks_uri: `${issuer}/jwks`,
					response_types_supported: ["code"],
					subject_types_supported: ["public"],
					id_token_signing_alg_values_supported: ["RS256"],
					authorization_response_iss_parameter_supported: true,
				}),
			"/jwks": () => Response.json({ keys: [jwk] }),
			"/authorize": (request) => authorize(new URL(request.url).searchParams),
			"/token": { POST: redeem },
		},
	});
	const issuer: string = `http://127.0.0.1:${server.port}`;

	function authorize(query: URLSearchParams): Response {
		asked = query;
		const wrong =
			query.get("response_type") !== "code" ||
			query.get("client_id") !== clientId ||
			!(query.get("scope") ?? "").split(" ").includes("openid") ||
			query.get("code_challenge_method") !== "S256";
		if (wrong) return new Response("bad request", { status: 400 });
		const code = randomUUID();
		pending.set(code, { query, manner });
		const back = new URL(query.get("redirect_uri") ?? "");
		back.searchParams.set("code", code);
		back.searchParams.set("state", query.get("state") ?? "");
		back.searchParams.set("iss", manner.answerIssuer ?? issuer);
		return Response.redirect(back.href, 302);
	}

	async function redeem(request: Request): Promise<Response> {
		const form = new URLSearchParams(await request.text());
		const code = form.get("code") ?? "";
		const visit = pending.get(code);
		pending.delete(code);
		const basic = Buffer.from(
			(request.headers.get("authorization") ?? "").replace(/^Basic /, ""),
			"base64",
		).toString();
		// RFC 6749 2.3.1: both are form-encoded before they are joined.
		const [id = "", secret = ""] = basic.split(":").map(decodeURIComponent);
		const challenge = createHash("sha256")
			.update(form.get("code_verifier") ?? "")
			.digest("base64url");
		if (
			!visit ||
			id !== clientId ||
			secret !== clientSecret ||
			challenge !== visit.query.get("code_challenge") ||
			form.get("redirect_uri") !== visit.query.get("redirect_uri")
		)
			return Response.json({ error: "invalid_grant" }, { status: 400 });
		return Response.json({
			access_token: "not-used",
			token_type: "Bearer",
			expires_in: 60,
			id_token: await idToken(visit),
		});
	}

	async function idToken({ query, manner }: Pending): Promise<string> {
		const payload: JWTPayload = {
			iss: issuer,
			sub: manner.subject,
			aud: clientId,
			nonce: query.get("nonce"),
			iat: now(),
			exp: now() + 300,
			auth_time: now(),
			email: manner.email,
			email_verified: manner.isVerified,
			...manner.claims,
		};
		for (const [name, value] of Object.entries(payload))
			if (value === undefined) delete payload[name];
		if (manner.algorithm === "none") return new UnsecuredJWT(payload).encode();
		return new SignJWT(payload)
			.setProtectedHeader({ alg: "RS256", kid: "k1" })
			.sign(manner.algorithm === "right" ? keys.privateKey : others.privateKey);
	}

	return {
		issuer,
		clientId,
		clientSecret,
		behave: (changes = {}) => {
			manner = { ...RIGHT, ...changes };
		},
		visit: async (location) => {
			const response = await fetch(location, { redirect: "manual" });
			return new URL(response.headers.get("Location") ?? "", location);
		},
		asked: () => asked,
		stop: () => server.stop(true),
	};
}

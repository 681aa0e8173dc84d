/**
 * Dynamic Client Registration: `POST /register`. Anyone may register; it gives a client nothing but the right to ask
 * a signed-in person. What bounds it: the administrator's mode, who may be answered
 * (redirect URIs), how often, and how long an unused client lives.
 *
 * @see RFC 7591
 */
import { mintCredential, mintId } from "../mint.ts";
import { putClient, trimUnusedClients } from "../store/clients.ts";
import { type OAuthDeps, UNUSED_CLIENTS_MAX } from "./authorization-server.ts";
import { parseClientMetadata } from "./client-metadata.ts";
import { createLimiter, type Limiter, networkOf } from "./limits.ts";
import { OAuthError, tooMany } from "./oauth-error.ts";
import { readText } from "./parameters.ts";
import { type RegistrationMode, readClientPolicy } from "./policy.ts";
import { answer, json, noting } from "./responses.ts";

const METADATA_BYTES_MAX = 16 * 1024;
const PER_ADDRESS = { count: 20, seconds: 3600 } as const;
const ALTOGETHER = { count: 200, seconds: 24 * 3600 } as const;

/** The counters of one process. */
type RegistrationLimits = {
	readonly perAddress: Limiter;
	readonly altogether: Limiter;
};

/** Fresh counters. */
export function createRegistrationLimits(
	deps: Pick<OAuthDeps, "clock">,
): RegistrationLimits {
	return {
		perAddress: createLimiter(deps.clock, PER_ADDRESS),
		altogether: createLimiter(deps.clock, ALTOGETHER),
	};
}

/**
 * Registers a client: 201 with the metadata that takes effect, and a secret unless it is public.
 * Members we do not use (`client_id`, `scope`, `jwks_uri`, `software_statement` …) have no effect.
 */
export function register(
	deps: OAuthDeps,
	limits: RegistrationLimits,
	request: Request,
): Promise<Response> {
	return answer(request, "POST", () =>
		noting(
			deps,
			request,
			"registration",
			() => null,
			() => admit(deps, limits, request),
		),
	);
}

async function admit(
	deps: OAuthDeps,
	limits: RegistrationLimits,
	request: Request,
): Promise<Response> {
	const wait = limits.perAddress.take(networkOf(deps.clientAddress(request)));
	if (wait > 0) throw tooMany(wait);
	const { metadata, approved } = judgeRegistration(
		readClientPolicy(deps.db).registration,
		await readMetadata(request),
	);
	const waitAltogether = limits.altogether.take("");
	if (waitAltogether > 0) throw tooMany(waitAltogether);
	const id = mintId("cli");
	const now = deps.clock.now();
	const secret =
		metadata.authMethod === "none" ? null : mintCredential("clientSecret");
	putClient(deps.db, {
		...metadata,
		id,
		kind: "registered",
		secretHash: secret === null ? null : deps.vault.mac(secret),
		jwks: null,
		userId: null,
		introspects: [],
		createdAt: now,
		approvedAt: approved ? now : null,
		expiresAt: null,
	});
	trimUnusedClients(deps.db, UNUSED_CLIENTS_MAX);
	deps.note(request, {
		step: "registration",
		outcome: approved ? "ok" : "waiting",
		clientId: id,
	});
	deps.log.info("client registered", {
		client_id: id,
		outcome: approved ? "accepted" : "waits for an administrator",
	});
	return json(
		{
			client_id: id,
			client_id_issued_at: now,
			...(secret === null
				? {}
				: { client_secret: secret, client_secret_expires_at: 0 }),
			...(metadata.name === "" ? {} : { client_name: metadata.name }),
			redirect_uris: metadata.redirectUris,
			grant_types: ["authorization_code", "refresh_token"],
			response_types: ["code"],
			token_endpoint_auth_method: metadata.authMethod,
		},
		{ status: 201 },
	);
}

/**
 * What of a registration is accepted, and whether it may ask people at once.
 * In mode `known` a client keeps its good redirect URIs; only when it has none does it wait, with those it has.
 * @throws OAuthError `access_denied` (403) when nobody may register
 */
function judgeRegistration(
	mode: RegistrationMode,
	body: unknown,
): {
	readonly metadata: ReturnType<typeof parseClientMetadata>;
	readonly approved: boolean;
} {
	if (mode === "off")
		throw new OAuthError(
			"access_denied",
			"clients cannot register here: an administrator adds them",
			{ status: 403 },
		);
	if (mode !== "known")
		return {
			metadata: parseClientMetadata(body, "registered", "any"),
			approved: mode === "open",
		};
	try {
		return {
			metadata: parseClientMetadata(body, "registered", "known"),
			approved: true,
		};
	} catch (error) {
		if (!(error instanceof OAuthError)) throw error;
		return {
			metadata: parseClientMetadata(body, "registered", "any"),
			approved: false,
		};
	}
}

async function readMetadata(request: Request): Promise<unknown> {
	const type = request.headers.get("Content-Type") ?? "";
	if (!/^application\/json\s*(;[^,]*)?$/i.test(type))
		throw new OAuthError(
			"invalid_client_metadata",
			"the body must be application/json",
			{ status: 415 },
		);
	const text = await readText(request, METADATA_BYTES_MAX);
	try {
		return JSON.parse(text);
	} catch {
		throw new OAuthError("invalid_client_metadata", "the body is not JSON");
	}
}

/**
 * Client ID Metadata Documents: a client whose id is the URL of a document about itself.
 * The URL is judged before anything is fetched; the fetch goes through egress, which judges the address; the document
 * is believed for as long as it says, within bounds, and then read again. A failure is remembered briefly in memory
 * and never in the store. Concurrent needs of one document share one fetch. For a few known vendors a bundled copy
 * stands in when theirs cannot be read.
 *
 * @see draft-ietf-oauth-client-id-metadata-document, MCP 2026-07-28 authorization "Client ID Metadata Documents"
 */
import { describeError } from "../errors.ts";
import {
	type Client,
	findClient,
	putClient,
	trimUnusedClients,
} from "../store/clients.ts";
import { type OAuthDeps, UNUSED_CLIENTS_MAX } from "./authorization-server.ts";
import { parseClientMetadata } from "./client-metadata.ts";
import { knownDocument } from "./known-documents.ts";
import { createLimiter } from "./limits.ts";
import { readText } from "./parameters.ts";
import { readClientPolicy } from "./policy.ts";

const URL_LENGTH_MAX = 512;
const DOCUMENT_BYTES_MAX = 5 * 1024;
const FETCH_TIMEOUT_MS = 5000;
const FETCHES_MAX = 16;
const PER_ORIGIN = { count: 30, seconds: 60 } as const;
const KEPT_SECONDS = { min: 60, max: 24 * 3600, unsaid: 3600 } as const;
const FAILURE_SECONDS = 60;
/** How long a bundled copy stands in before the live document is tried again. */
const BUNDLED_SECONDS = 10 * 60;
const FAILURES_MAX = 500;

export type ClientDocuments = {
	/**
	 * The client that this URL describes; null when it describes none, whatever the reason (which is logged).
	 * @param told hears how it was found, if it had to be looked for
	 */
	readonly find: (
		url: string,
		told?: (finding: DocumentFinding) => void,
	) => Promise<Client | null>;
};

/** How a document was found: read, as the bundled copy because it could not be read, or not at all. */
export type DocumentFinding =
	| { readonly how: "read" }
	| { readonly how: "bundled" | "refused"; readonly reason: string };

/** Whether a client id is meant as the URL of a document. */
export function isDocumentId(clientId: string): boolean {
	return /^https?:/i.test(clientId);
}

/** Whether we would fetch a document from this URL at all. */
export function isDocumentUrl(text: string): boolean {
	if (text.length > URL_LENGTH_MAX || !URL.canParse(text)) return false;
	const url = new URL(text);
	return (
		// What a parser would change is refused: dot segments, control characters, upper case, non-ASCII hosts, a port 443.
		url.href === text &&
		url.protocol === "https:" &&
		url.port === "" &&
		url.username === "" &&
		url.password === "" &&
		!text.includes("@") &&
		!text.includes("#") &&
		url.pathname !== "/" &&
		!/%2e/i.test(url.pathname) &&
		/^(?=.*[a-z])[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(url.hostname) &&
		!/(^|\.)localhost$/.test(url.hostname)
	);
}

/** The documents known to one process: its failures and fetches under way; what was read is in the store. */
export function createClientDocuments(
	deps: Pick<OAuthDeps, "db" | "clock" | "egress" | "log">,
): ClientDocuments {
	const failedUntil = new Map<string, number>();
	const underWay = new Map<string, Promise<Found>>();
	const perOrigin = createLimiter(deps.clock, PER_ORIGIN);

	async function read(url: string): Promise<Found> {
		try {
			const client = await fetchDocument(deps, url);
			putClient(deps.db, client);
			trimUnusedClients(deps.db, UNUSED_CLIENTS_MAX);
			return { client, finding: { how: "read" } };
		} catch (error) {
			const reason = describeError(error);
			deps.log.warn("client document refused", { url, reason });
			const bundled = bundledClient(deps, url);
			if (bundled)
				return { client: bundled, finding: { how: "bundled", reason } };
			failedUntil.delete(url);
			failedUntil.set(url, deps.clock.now() + FAILURE_SECONDS);
			for (const oldest of failedUntil.keys()) {
				if (failedUntil.size <= FAILURES_MAX) break;
				failedUntil.delete(oldest);
			}
			return { client: null, finding: { how: "refused", reason } };
		} finally {
			underWay.delete(url);
		}
	}

	return {
		find: async (url, told = () => {}) => {
			const refuse = (reason: string): null => {
				told({ how: "refused", reason });
				return null;
			};
			if (!isDocumentUrl(url)) return refuse("not a URL that may be fetched");
			if (!readClientPolicy(deps.db).documents)
				return refuse("client documents are switched off");
			const now = deps.clock.now();
			const known = findClient(deps.db, url);
			if (known && (known.expiresAt ?? 0) > now) return known;
			if ((failedUntil.get(url) ?? 0) > now)
				return refuse("could not be read a moment ago");
			const shared = underWay.get(url);
			if (shared) return tell(await shared, told);
			if (
				underWay.size >= FETCHES_MAX ||
				perOrigin.take(new URL(url).origin) > 0
			)
				return tell(crowdedOut(deps, url), told);
			const reading = read(url);
			underWay.set(url, reading);
			return tell(await reading, told);
		},
	};
}

/** What looking for a document came to. */
type Found = {
	readonly client: Client | null;
	readonly finding: DocumentFinding;
};

function tell(
	{ client, finding }: Found,
	told: (finding: DocumentFinding) => void,
): Client | null {
	told(finding);
	return client;
}

function crowdedOut(
	deps: Pick<OAuthDeps, "db" | "clock" | "log">,
	url: string,
): Found {
	const client = bundledClient(deps, url);
	const reason = "too many documents are being read";
	return {
		client,
		finding: { how: client === null ? "refused" : "bundled", reason },
	};
}

/** Fetches and judges one document. @throws anything: it is no client then */
async function fetchDocument(
	deps: Pick<OAuthDeps, "clock" | "egress">,
	url: string,
): Promise<Client> {
	const response = await deps.egress.fetch(url, {
		headers: { Accept: "application/json" },
		timeoutMs: FETCH_TIMEOUT_MS,
		// Also ends a body that drips.
		signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
	});
	if (response.status !== 200) {
		await response.body?.cancel();
		throw new Error(`the document answers ${response.status}`);
	}
	const document: unknown = JSON.parse(
		await readText(response, DOCUMENT_BYTES_MAX),
	);
	refuseSecrets(document);
	if ((document as { client_id?: unknown }).client_id !== url)
		throw new Error("the document names another client_id");
	return clientOf(
		url,
		document,
		deps.clock.now(),
		keptSeconds(response.headers.get("Cache-Control")),
	);
}

function clientOf(
	url: string,
	document: unknown,
	now: number,
	ttlSeconds: number,
): Client {
	return {
		...parseClientMetadata(document, "document", "any"),
		id: url,
		kind: "document",
		secretHash: null,
		jwks: null,
		userId: null,
		introspects: [],
		createdAt: now,
		approvedAt: now,
		expiresAt: now + ttlSeconds,
	};
}

/** A known vendor's client by the copy of its document that we bring along, for a short while. */
function bundledClient(
	deps: Pick<OAuthDeps, "db" | "clock" | "log">,
	url: string,
): Client | null {
	const document = knownDocument(url);
	if (!document) return null;
	const client = clientOf(url, document, deps.clock.now(), BUNDLED_SECONDS);
	putClient(deps.db, client);
	deps.log.warn("bundled client document used", { url });
	return client;
}

/** A document is public: a secret in it, or a method that needs a shared one, is a mistake that must not work. */
function refuseSecrets(document: unknown): void {
	if (typeof document !== "object" || document === null)
		throw new Error("the document is not a JSON object");
	const method = (document as { token_endpoint_auth_method?: unknown })
		.token_endpoint_auth_method;
	if (typeof method === "string" && method.startsWith("client_secret"))
		throw new Error("the document asks for a shared secret");
	if ("client_secret" in document || "client_secret_expires_at" in document)
		throw new Error("the document contains a secret");
	const jwks = (document as { jwks?: { keys?: unknown } | null }).jwks;
	const keys: unknown = jwks?.keys;
	if (
		Array.isArray(keys) &&
		keys.some(
			(key) =>
				typeof key === "object" && key !== null && ("d" in key || "k" in key),
		)
	)
		throw new Error("the document contains a private key");
}

function keptSeconds(cacheControl: string | null): number {
	const said = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,9})/i.exec(cacheControl ?? "");
	const wanted = /no-store|no-cache/i.test(cacheControl ?? "")
		? 0
		: Number(said?.[1] ?? KEPT_SECONDS.unsaid);
	return Math.min(Math.max(wanted, KEPT_SECONDS.min), KEPT_SECONDS.max);
}

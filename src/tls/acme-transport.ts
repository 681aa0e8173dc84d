/**
 * One ACME server: its directory, its nonces, and requests that end in an answer or in an `AcmeError`.
 *
 * Every request has a time and a size; what may pass by itself (a bad nonce, a lost connection, a server that is busy
 * for seconds) is tried again a few times; what the CA wants waited for longer is handed back as data. It knows
 * signatures and problems, not accounts or orders.
 *
 * @see RFC 8555 6 (transport), 7.1.1 (directory), 7.2 (nonces)
 */
import { type Clock, delay } from "../clock.ts";
import type { Egress } from "../egress.ts";
import { SallyportError } from "../errors.ts";
import { VERSION } from "../version.ts";
import {
	AcmeError,
	ownProblem,
	parseProblem,
	parseRetryAfter,
	problemOf,
} from "./acme-problem.ts";
import type { Signer } from "./signing.ts";

export type Directory = {
	readonly newNonce: string;
	readonly newAccount: string;
	readonly newOrder: string;
	/** RFC 9773; null when the CA gives no renewal information. */
	readonly renewalInfo: string | null;
	/** The names of the profiles it offers. */
	readonly profiles: readonly string[];
};

export type Answer = {
	readonly status: number;
	/** The parsed JSON; null when the answer was none. */
	readonly body: Readonly<Record<string, unknown>> | null;
	readonly text: string;
	readonly location: string | null;
	readonly retryAfterSeconds: number | null;
};

/** Who signs a request: an account by its URL, or a key that has none yet. */
export type Sender = {
	readonly signer: Signer;
	readonly accountUrl: string | null;
};

export type Transport = {
	readonly directory: () => Promise<Directory>;
	readonly get: (url: string) => Promise<Answer>;
	/** `payload` null is a POST-as-GET. @throws AcmeError */
	readonly post: (
		url: string,
		payload: object | null,
		sender: Sender,
	) => Promise<Answer>;
};

export type TransportLimits = {
	readonly timeoutMs: number;
	/** How long to wait before each further try; its length is how many there are. */
	readonly retryDelaysMs: readonly number[];
};

const LIMITS: TransportLimits = {
	timeoutMs: 30_000,
	retryDelaysMs: [1000, 3000],
};
const BAD_NONCES_MAX = 15;
const ANSWER_BYTES_MAX = 256 * 1024;
/** A `Retry-After` of a busy server that is short enough to be waited for here. */
const PATIENCE_SECONDS = 10;
const DIRECTORY_LIFE_SECONDS = 3600;

/**
 * The requests to one ACME server.
 * @throws AcmeError when the directory is not an https URL (RFC 8555 6.1)
 */
export function createTransport(
	deps: {
		readonly egress: Egress;
		readonly clock: Clock;
		/** Ends every request and every wait. */
		readonly signal: AbortSignal;
	},
	directoryUrl: string,
	limits: TransportLimits = LIMITS,
): Transport {
	const { egress, clock } = deps;
	let nonce: string | null = null;
	let known: { readonly directory: Directory; readonly at: number } | null =
		null;

	const send = async (
		url: string,
		method: string,
		body?: string,
	): Promise<Answer> => {
		if (!url.startsWith("https://"))
			throw ownProblem("malformedAnswer", `${url} is not an https URL`);
		const signal = AbortSignal.any([
			deps.signal,
			AbortSignal.timeout(limits.timeoutMs),
		]);
		try {
			const response = await egress.fetch(url, {
				method,
				headers: {
					"user-agent": `sallyport/${VERSION}`,
					"accept-language": "en",
					...(body !== undefined && {
						"content-type": "application/jose+json",
					}),
				},
				...(body !== undefined && { body }),
				timeoutMs: limits.timeoutMs,
				signal,
			});
			nonce = response.headers.get("replay-nonce") ?? nonce;
			return judge(response, await readText(response), clock.now());
		} catch (error) {
			if (error instanceof AcmeError) throw error;
			if (deps.signal.aborted)
				throw ownProblem("cancelled", "the gateway is stopping");
			throw signal.aborted
				? ownProblem("timeout", "the CA did not answer in time")
				: error;
		}
	};

	/** Tries again what may pass by itself; the last failure is the answer. */
	const persist = async (attempt: () => Promise<Answer>): Promise<Answer> => {
		for (const waitMs of limits.retryDelaysMs) {
			try {
				return await attempt();
			} catch (error) {
				const waitSeconds = passing(error);
				if (waitSeconds === null) throw error;
				await delay(Math.max(waitMs, waitSeconds * 1000), deps.signal);
			}
		}
		return attempt();
	};

	const directory = async (): Promise<Directory> => {
		if (known && clock.now() - known.at < DIRECTORY_LIFE_SECONDS)
			return known.directory;
		const { body } = await persist(() => send(directoryUrl, "GET"));
		known = { directory: parseDirectory(body), at: clock.now() };
		return known.directory;
	};

	const takeNonce = async (): Promise<string> => {
		if (nonce === null) await send((await directory()).newNonce, "HEAD");
		const taken = nonce;
		nonce = null;
		if (taken === null)
			throw ownProblem("malformedAnswer", "the CA gave no nonce");
		return taken;
	};

	const postOnce = async (
		url: string,
		payload: object | null,
		{ signer, accountUrl }: Sender,
	): Promise<Answer> => {
		for (let tries = 1; ; tries++) {
			const signed = signer.sign(url, payload, {
				nonce: await takeNonce(),
				accountUrl,
			});
			try {
				return await send(url, "POST", signed);
			} catch (error) {
				// RFC 8555 6.5: the answer to a bad nonce brings a good one.
				const isBadNonce =
					error instanceof AcmeError && error.problem.type === "badNonce";
				if (!isBadNonce || tries >= BAD_NONCES_MAX) throw error;
			}
		}
	};

	return {
		directory,
		get: (url) => persist(() => send(url, "GET")),
		post: (url, payload, sender) =>
			persist(() => postOnce(url, payload, sender)),
	};
}

/** How many seconds to wait before a failure may have passed; null when it will not pass soon. */
function passing(error: unknown): number | null {
	const { type, retryAfterSeconds } = problemOf(error);
	if (retryAfterSeconds !== null)
		return type === "rateLimited" || retryAfterSeconds > PATIENCE_SECONDS
			? null
			: retryAfterSeconds;
	const busy =
		error instanceof AcmeError && error.status !== null && error.status >= 500;
	return busy || ["unreachable", "timeout", "malformedAnswer"].includes(type)
		? 0
		: null;
}

function judge(response: Response, text: string, now: number): Answer {
	const { status, headers } = response;
	const retryAfterSeconds = parseRetryAfter(headers.get("retry-after"), now);
	const isJson = /\bjson\b/.test(headers.get("content-type") ?? "");
	const body = isJson && text !== "" ? parseObject(text) : null;
	if (status >= 400) throw parseProblem(body, status, retryAfterSeconds);
	if (status >= 300)
		throw ownProblem(
			"malformedAnswer",
			`the CA answered ${status}, a redirect that ACME does not have`,
		);
	if (isJson && text !== "" && body === null)
		throw ownProblem("malformedAnswer", "the CA's answer is not whole JSON");
	return {
		status,
		body,
		text,
		location: headers.get("location"),
		retryAfterSeconds,
	};
}

function parseObject(text: string): Record<string, unknown> | null {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null ? { ...value } : null;
	} catch {
		return null; // cut off or no JSON: the caller says which request it was
	}
}

function parseDirectory(body: Answer["body"]): Directory {
	const url = (name: string): string | null => {
		const value = body?.[name];
		return typeof value === "string" ? value : null;
	};
	const [newNonce, newAccount, newOrder] = [
		url("newNonce"),
		url("newAccount"),
		url("newOrder"),
	];
	if (newNonce === null || newAccount === null || newOrder === null)
		throw ownProblem("malformedAnswer", "this URL is not an ACME directory");
	const meta = body?.["meta"];
	const profiles =
		typeof meta === "object" && meta !== null && "profiles" in meta
			? meta.profiles
			: null;
	return {
		newNonce,
		newAccount,
		newOrder,
		renewalInfo: url("renewalInfo"),
		profiles:
			typeof profiles === "object" && profiles !== null
				? Object.keys(profiles)
				: [],
	};
}

async function readText(response: Response): Promise<string> {
	const chunks: Uint8Array[] = [];
	let bytes = 0;
	try {
		for await (const chunk of response.body ?? []) {
			bytes += chunk.byteLength;
			if (bytes > ANSWER_BYTES_MAX)
				throw ownProblem("malformedAnswer", "the CA's answer is too long");
			chunks.push(chunk);
		}
	} catch (error) {
		if (error instanceof AcmeError) throw error;
		throw new SallyportError("upstream", "the connection to the CA was lost", {
			cause: error,
		});
	}
	return Buffer.concat(chunks).toString("utf8");
}

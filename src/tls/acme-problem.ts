/**
 * What went wrong with an order, as data: the CA's words, what kind of failure it is, and how long the CA asks to
 * wait; and for each kind, what the person who runs the gateway can do.
 *
 * The CA's words are text from outside: they are cut to a length and to one line, and go to people, never to code.
 *
 * @see RFC 8555 6.7 (problem documents, subproblems), RFC 8555 6.6 and RFC 9110 10.2.3 (Retry-After)
 */
import { SallyportError } from "../errors.ts";

export type AcmeProblem = {
	/** The last word of `urn:ietf:params:acme:error:…`, or one of ours: see `ownProblem`. */
	readonly type: string;
	/** The CA's words, or ours when the CA said nothing. */
	readonly detail: string;
	/** The name it is about, when the CA says so. */
	readonly identifier: string | null;
	/** How long the CA asks to wait. */
	readonly retryAfterSeconds: number | null;
};

/** A failure between us and the CA. Never leaves `tls/`: at its border it becomes a value. */
export class AcmeError extends Error {
	readonly problem: AcmeProblem;
	readonly status: number | null;

	constructor(problem: AcmeProblem, status: number | null = null) {
		super(`${problem.type}: ${problem.detail}`);
		this.name = "AcmeError";
		this.problem = problem;
		this.status = status;
	}
}

const HTTP_DATE = /^[A-Z][a-z]{2,8}, /;
const NAMESPACE = "urn:ietf:params:acme:error:";
const DETAIL_LENGTH_MAX = 600;
const SUBPROBLEMS_MAX = 5;
/** A CA that asks for more is not believed: the order is tried again after this. */
const RETRY_AFTER_SECONDS_MAX = 7 * 86_400;

/** A failure in our words: `unreachable`, `malformedAnswer`, `timeout`, `noHttpChallenge`, `wrongCertificate`. */
export function ownProblem(
	type: string,
	detail: string,
	identifier: string | null = null,
): AcmeError {
	return new AcmeError({ type, detail, identifier, retryAfterSeconds: null });
}

/** Reads a problem document; whatever the CA sent, something sensible comes out. */
export function parseProblem(
	body: unknown,
	status: number | null,
	retryAfterSeconds: number | null,
): AcmeError {
	const problem = readProblem(body);
	const subproblems = list(problem["subproblems"])
		.slice(0, SUBPROBLEMS_MAX)
		.map(readProblem);
	const first = subproblems[0];
	// A compound problem says little itself: the first of its parts names the cause.
	const type =
		first && ["", "compound", "malformed"].includes(typeOf(problem))
			? typeOf(first)
			: typeOf(problem);
	const words = [problem, ...subproblems].map(wordsOf).filter(Boolean);
	return new AcmeError(
		{
			type: type || (status === 429 ? "rateLimited" : "serverInternal"),
			detail: oneLine(words.join("; ")) || `the CA answered ${status}`,
			identifier: identifierOf(problem) ?? (first ? identifierOf(first) : null),
			retryAfterSeconds,
		},
		status,
	);
}

/** Reads `Retry-After`: seconds, or a date. Null when there is none or it means nothing. */
export function parseRetryAfter(
	value: string | null,
	now: number,
): number | null {
	if (value === null) return null;
	const text = value.trim();
	const seconds = /^\d{1,9}$/.test(text)
		? Number(text)
		: HTTP_DATE.test(text)
			? Math.ceil(Date.parse(text) / 1000) - now
			: Number.NaN;
	if (!Number.isFinite(seconds)) return null;
	return Math.min(Math.max(seconds, 0), RETRY_AFTER_SECONDS_MAX);
}

/** Any failure of an order, as data. A bug stays a throw. */
export function problemOf(error: unknown): AcmeProblem {
	if (error instanceof AcmeError) return error.problem;
	if (error instanceof SallyportError)
		return ownProblem("unreachable", error.message).problem;
	throw error;
}

/** What to do about a failure, for the person who runs the gateway. @param names what the order was for */
export function remedyFor(problem: AcmeProblem, names: string): string {
	const name = problem.identifier ?? names;
	switch (problem.type) {
		case "connection":
			return `the CA could not connect to http://${name}/: open port 80 (TCP) in the firewall and forward it to this machine`;
		case "dns":
			return `check the DNS of ${name}: its A record (and its AAAA record, if there is one) must be the address of this machine`;
		case "unauthorized":
		case "incorrectResponse":
			return `something else answers on port 80 of ${name}: point its A and AAAA records at this machine, and let nothing else have port 80`;
		case "caa":
			return `a CAA record of ${name} forbids this CA: add one that allows it, or remove it`;
		case "rateLimited":
			return "wait until the time the CA named; the gateway tries again by itself";
		case "rejectedIdentifier":
		case "unsupportedIdentifier":
			return `this CA issues nothing for ${name}: use another name, or another CA with --acme-directory`;
		case "externalAccountRequired":
			return "this CA wants an account binding: set the key id and the key that it gave you";
		case "userActionRequired":
			return "the CA asks you to agree to something: follow the link in its words";
		case "invalidProfile":
			return "this CA does not know that profile: leave --acme-profile away, or name one of its own";
		case "unreachable":
			return "check that this machine can reach the internet, and the URL of --acme-directory";
		case "tls":
			return `https on ${name} failed: let port 80 answer without a redirect to another server`;
		case "noHttpChallenge":
			return `the CA does not prove ${name} over http: use a name without a wildcard, or another CA`;
		case "wrongCertificate":
			return "check the clock of this machine";
		default:
			return "nothing needs to be done: the gateway tries again by itself";
	}
}

type Document = Readonly<Record<string, unknown>>;

function readProblem(value: unknown): Document {
	return typeof value === "object" && value !== null ? { ...value } : {};
}

function typeOf(problem: Document): string {
	const type = problem["type"];
	if (typeof type !== "string" || !type.startsWith(NAMESPACE)) return "";
	return type.slice(NAMESPACE.length).replace(/[^A-Za-z]/g, "");
}

function wordsOf(problem: Document): string {
	const detail = problem["detail"];
	return typeof detail === "string" ? detail : "";
}

function identifierOf(problem: Document): string | null {
	const value = readProblem(problem["identifier"])["value"];
	return typeof value === "string" ? oneLine(value) : null;
}

function list(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}

function oneLine(text: string): string {
	return text
		.replace(/[\p{Cc}\s]+/gu, " ")
		.trim()
		.slice(0, DETAIL_LENGTH_MAX);
}

/**
 * The connection doctor: from an attempt to a verdict, in plain words. Where it stopped, what that means for this
 * client, what to do. Pure: it reads the timeline and what is known of clients, and asks nobody.
 */
import type { RecordedStep, StepName } from "../store/timeline.ts";
import type { KnownClient } from "./client-quirks.ts";
import { type Attempt, lastAt } from "./timeline.ts";

export type Verdict = {
	readonly state: "connected" | "under way" | "waiting" | "refused" | "silent";
	/** The step it stands at. */
	readonly step: StepName;
	/** What happened, and what it means. */
	readonly text: string;
	/** What to do; null: nothing. */
	readonly remedy: string | null;
	/** What is known to go wrong with this client here. */
	readonly notes: readonly string[];
};

/** Silence after which a client is not expected to go on by itself. */
const SILENCE_SECONDS = 60;

/**
 * What became of an attempt.
 * @param isUsed whether a grant was used since, as far as the store remembers
 */
export function judgeAttempt(
	attempt: Attempt,
	known: KnownClient | null,
	now: number,
	isUsed: (grantId: string) => boolean,
): Verdict {
	const last = decisiveStep(attempt.steps);
	const notes = (known?.notes ?? []).filter(
		({ at }) => at === null || at === last.step,
	);
	const verdict = (
		state: Verdict["state"],
		{ text, remedy }: Words,
	): Verdict => ({
		state,
		step: last.step,
		text,
		remedy,
		notes: state === "connected" ? [] : notes.map((note) => note.text),
	});
	const grantIds = attempt.steps.flatMap(({ grantId }) => grantId ?? []);
	if (last.outcome === "refused")
		return verdict("refused", refusalOf(last, known));
	if (last.outcome === "waiting") return verdict("waiting", WAITING[last.step]);
	if (last.step === "mcp" || last.step === "refresh" || grantIds.some(isUsed))
		return verdict("connected", {
			text:
				last.step === "refresh"
					? "It is connected, and renewed its tokens last."
					: "It is connected: it signed in and has called the gateway.",
			remedy: null,
		});
	return now - lastAt(attempt) < SILENCE_SECONDS
		? verdict("under way", {
				text: `It is under way: ${AFTER[last.step]} a moment ago.`,
				remedy: null,
			})
		: verdict("silent", {
				text: `${capital(AFTER[last.step])}, and then nothing more arrived. ${SILENT[last.step].text}`,
				remedy: SILENT[last.step].remedy,
			});
}

/** The verdict when nothing of a client ever arrived. */
export function judgeAbsence(
	name: string,
	known: KnownClient | null,
	publicUrl: string,
): { readonly text: string; readonly remedy: string } {
	const hosted = known?.place === "hosted";
	return {
		text: `Nothing of ${known?.name ?? name} has arrived in the last 30 days, not even its first request.`,
		remedy: hosted
			? `${known.name} calls from its vendor's machines: ${publicUrl} must be reachable from the internet, on port 443, with a publicly trusted certificate, and with no bot rule in front. Open ${publicUrl}/healthz from another network to see.`
			: `Look at the address in the client: it must be ${publicUrl}/mcp. Open ${publicUrl}/healthz on the machine where the client runs to see whether it gets through.`,
	};
}

type Words = { readonly text: string; readonly remedy: string | null };

/** The step that says how things stand: the last one that is more than a client looking around. */
function decisiveStep(steps: readonly RecordedStep[]): RecordedStep {
	const step = steps.findLast((one) => !isLookingAround(one)) ?? steps.at(-1);
	if (!step) throw new Error("an attempt has at least one step");
	return step;
}

/** Clients try several addresses for metadata, so one that is not there says nothing. */
function isLookingAround({ step, outcome }: RecordedStep): boolean {
	return (
		step === "metadata" ||
		(outcome === "ok" && (step === "challenge" || step === "document"))
	);
}

function refusalOf(step: RecordedStep, known: KnownClient | null): Words {
	const why = step.detail ?? "no reason was recorded";
	const exact = EXACT.find(
		(row) => row.step === step.step && row.detail.test(why),
	);
	if (exact) return exact;
	const general = REFUSED[step.step];
	return {
		text: `${general.text}: ${why}.`,
		remedy: general.remedy ?? again(known),
	};
}

function again(known: KnownClient | null): string {
	return `Remove this server from ${known?.name ?? "the client"} and add it anew.`;
}

function capital(text: string): string {
	return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** What happened when a step was the last. */
const AFTER: Readonly<Record<StepName, string>> = {
	challenge: "it called without a token and was told where to sign in",
	metadata: "it read how to sign in",
	registration: "it registered",
	document: "its own description was read",
	device: "it was given a code for a person to type",
	authorize: "the sign-in page was opened for it",
	login: "a person signed in for it",
	consent: "a person allowed it",
	code: "it was sent its code",
	token: "it got its tokens",
	mcp: "it called the gateway",
	refresh: "it renewed its tokens",
};

/** What it means when nothing follows a step, and what to do. */
const SILENT: Readonly<Record<StepName, Words>> = {
	challenge: {
		text: "It did not look for the sign-in: an old client that cannot sign in, one that wants a token in its configuration, or one that may not reach the gateway's other addresses.",
		remedy:
			"If the client has no sign-in, give it an API key: sallyport keys create. Otherwise look whether something in front of the gateway blocks /.well-known/.",
	},
	metadata: {
		text: "It did not register and opened no page: it found something it does not accept, or asks its person first.",
		remedy:
			"Look at the client for a question or an error, and connect again from there.",
	},
	registration: {
		text: "It did not open the sign-in page, or its person closed it.",
		remedy:
			"Connect again, and let the browser open. A registration that is not used is forgotten after a day.",
	},
	document: {
		text: "The sign-in page was not finished.",
		remedy: "Connect again from the client.",
	},
	device: {
		text: "Nobody typed the code, or it did not ask again within ten minutes.",
		remedy: "Start again on the device and type the new code.",
	},
	authorize: {
		text: "The page was left before anybody signed in.",
		remedy: "Connect again from the client and finish in the browser.",
	},
	login: {
		text: "Nobody decided on the page that asks.",
		remedy: "Connect again from the client and press Allow.",
	},
	consent: {
		text: "The browser did not go back to the client.",
		remedy: "Connect again from the client.",
	},
	code: {
		text: "The browser carried the code away, and the client never came for its tokens: the browser could not reach it, it gave up waiting, or it did not like the answer.",
		remedy:
			"Look at the last page in the browser: an error there says that the client does not listen. Then connect again.",
	},
	token: {
		text: "It can call and does not. Everything the gateway does for it is done.",
		remedy:
			"Restart the client, or remove this server from it and add it anew.",
	},
	mcp: { text: "It is connected.", remedy: null },
	refresh: { text: "It is connected.", remedy: null },
};

/** What it means when a person has the next move. */
const WAITING: Readonly<Record<StepName, Words>> = {
	...SILENT,
	registration: {
		text: "It registered with an address for its answers that is not known here, and waits until an administrator lets it in.",
		remedy: "Let it in under Clients, or with: sallyport clients approve ID",
	},
	authorize: {
		text: "It asked to sign somebody in, but no administrator has let it in yet.",
		remedy: "Let it in under Clients, or with: sallyport clients approve ID",
	},
	login: {
		text: "The page to sign in is open, and nobody has signed in yet.",
		remedy: "Sign in on that page, or connect again from the client.",
	},
	consent: {
		text: "The page that asks is open, and nobody has decided yet.",
		remedy: "Press Allow on that page, or connect again from the client.",
	},
	device: {
		text: "A code was opened on the page for devices, and nobody has decided yet.",
		remedy: "Press Allow on that page, or start again on the device.",
	},
};

const REFUSED: Readonly<Record<StepName, Words>> = {
	challenge: {
		text: "It called with a token that is not valid here",
		remedy:
			"Most clients sign in again by themselves now. If this one does not, disconnect and connect it.",
	},
	metadata: {
		text: "It looked for something that is not here",
		remedy:
			"Look at the address in the client: an endpoint is /mcp or /mcp/SLUG, with the name of a server that exists.",
	},
	registration: { text: "Its registration was refused", remedy: null },
	document: {
		text: "Its own description could not be used",
		remedy:
			"The gateway must reach the client's web site over https. Without outgoing https, switch these clients off, so that they register instead: sallyport clients policy --documents off",
	},
	device: { text: "Its device code was refused", remedy: null },
	authorize: {
		text: "Its request to sign somebody in was refused",
		remedy: null,
	},
	login: {
		text: "The sign-in failed",
		remedy: "Try again with the right password.",
	},
	consent: {
		text: "A person pressed Not now",
		remedy: "If that was a slip, connect again from the client.",
	},
	code: { text: "It was sent no code", remedy: null },
	token: { text: "It was refused its tokens", remedy: null },
	mcp: {
		text: "It signed in, and its first call failed",
		remedy:
			"The number is the status that it was answered with: 404 is a server that does not exist or that this person may not use, 406 a client that does not take the answer's form.",
	},
	refresh: { text: "It was refused new tokens", remedy: null },
};

/** Refusals that deserve their own words. */
const EXACT: readonly (Words & {
	readonly step: StepName;
	readonly detail: RegExp;
})[] = [
	{
		step: "consent",
		detail: /^no reason/,
		text: "A person pressed Not now.",
		remedy: "If that was a slip, connect again from the client.",
	},
	{
		step: "registration",
		detail: /clients cannot register here/,
		text: "It tried to register, and registration is switched off.",
		remedy:
			"Make it a client by hand with sallyport clients add, or allow registration: sallyport clients policy --registration known",
	},
	{
		step: "registration",
		detail: /too many requests/,
		text: "It registered too often: 20 times an hour from one address, or 200 times a day altogether.",
		remedy: "Wait an hour. If it goes on, the client is in a loop: restart it.",
	},
	{
		step: "registration",
		detail: /none of the redirect URIs/,
		text: "None of the addresses that it wants its answers at can be allowed: not https, not this computer, not an app that is known.",
		remedy:
			"Update the client. If its app link should be known, that is worth a report.",
	},
	{
		step: "authorize",
		detail: /did not register/,
		text: "It asked for its answer at another address than it registered, so nobody was asked.",
		remedy:
			"Remove this server from the client and add it anew, so that it registers with the address it uses now.",
	},
	{
		step: "authorize",
		detail: /not known here, or was forgotten/,
		text: "It uses a registration that is not here any more: it was revoked, or never used, or the gateway's data was replaced.",
		remedy:
			"Remove this server from the client and add it anew; signing in again alone makes it use the old registration.",
	},
	{
		step: "authorize",
		detail: /no such resource/,
		text: "It asked for a resource that is not served here. Its address, or the gateway's public URL, has changed since it was set up.",
		remedy:
			"Paste the address anew from the gateway's page; it must be the same letter for letter.",
	},
	{
		step: "authorize",
		detail: /code_challenge/,
		text: "It does not protect its code (PKCE with S256), which every client must.",
		remedy: "Update the client.",
	},
	{
		step: "token",
		detail: /^(replayed|expired)$/,
		text: "It redeemed its code too late or twice, so what it was given was taken back.",
		remedy:
			"Connect again. If it happens each time, the client repeats its requests: restart it.",
	},
	{
		step: "token",
		detail: /^wrong verifier$/,
		text: "The code was redeemed with another verifier than it was asked for with: two sign-ins of this client ran at the same time and crossed.",
		remedy: "End every copy of the client, start one, and connect again.",
	},
	{
		step: "token",
		detail: /did not prove itself/,
		text: "It did not prove itself: the client id is unknown, or its secret is wrong, or it sent one and should not.",
		remedy:
			"Compare the client id and secret in the client with what sallyport clients add showed; a public client's secret stays empty.",
	},
	{
		step: "refresh",
		detail: /^(reused|stale)$/,
		text: "It presented a refresh token of an earlier generation: several copies share one sign-in, or somebody else has it. When it was old enough to prove that, everything it was allowed ended.",
		remedy: "Sign in again from the client, in one copy only.",
	},
	{
		step: "refresh",
		detail: /^(unknown|ended|expired)$/,
		text: "What it was allowed has ended: it was revoked, unused for 30 days, or its person was disabled.",
		remedy: "Sign in again from the client.",
	},
];

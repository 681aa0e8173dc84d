/**
 * From steps to attempts: which steps belong to one try of one client to connect. Pure.
 *
 * Once a client has an id, its steps carry it. Before that there is only where a request came from: the network and
 * the program's name, within a window. A hosted client asks from several addresses under several names, so the
 * network counts coarsely, and names that are known to be one client's are one.
 */
import ipaddr from "ipaddr.js";
import type { RecordedStep } from "../store/timeline.ts";
import { vendorOfAgent } from "./client-quirks.ts";

/** The steps of one try, in the order they happened; at least one. */
export type Attempt = {
	/** Null: it never said who it is. */
	readonly clientId: string | null;
	readonly steps: readonly RecordedStep[];
};

/** A pause after which the next step of the same client is another try. */
const PAUSE_SECONDS = 15 * 60;
/** A second registration of the same program within this is the same try. */
const TWIN_SECONDS = 60;
/** Steps of one attempt that are kept, the newest. */
const STEPS_MAX = 100;

type Growing = {
	clientId: string | null;
	/** Every id that it registered. */
	readonly clientIds: Set<string>;
	readonly steps: RecordedStep[];
	/** Programs at networks, and networks, that its steps came from. */
	readonly programs: Set<string>;
	readonly networks: Set<string>;
};

/** A step, and where it came from as far as that tells clients apart. */
type Arrival = {
	readonly step: RecordedStep;
	readonly program: string;
	readonly network: string;
};

/** The attempts that these steps make, the one with the newest step first. @param steps oldest first */
export function attemptsOf(steps: readonly RecordedStep[]): readonly Attempt[] {
	const attempts: Growing[] = [];
	for (const step of steps) {
		const arrival = arrivalOf(step);
		const attempt = findAttempt(attempts, arrival) ?? begin(attempts, step);
		if (step.clientId !== null) {
			attempt.clientId = step.clientId;
			attempt.clientIds.add(step.clientId);
		}
		attempt.steps.push(step);
		attempt.programs.add(arrival.program);
		attempt.networks.add(arrival.network);
		if (step.clientId !== null && step.step !== "mcp")
			adopt(attempts, attempt, arrival);
		if (attempt.steps.length > STEPS_MAX) attempt.steps.shift();
	}
	return attempts
		.map(({ clientId, steps: own }) => ({ clientId, steps: own }))
		.sort((a, b) => lastAt(b) - lastAt(a));
}

/** When the last step of an attempt was taken. */
export function lastAt({ steps }: Pick<Attempt, "steps">): number {
	return steps.at(-1)?.at ?? 0;
}

function begin(attempts: Growing[], step: RecordedStep): Growing {
	const attempt: Growing = {
		clientId: step.clientId,
		clientIds: new Set(),
		steps: [],
		programs: new Set(),
		networks: new Set(),
	};
	attempts.push(attempt);
	return attempt;
}

function findAttempt(
	attempts: readonly Growing[],
	{ step, program }: Arrival,
): Growing | undefined {
	return attempts.findLast((attempt) => {
		if (step.at - lastAt(attempt) > PAUSE_SECONDS) return false;
		if (step.clientId !== null)
			return (
				(attempt.clientIds.has(step.clientId) && !isNewTry(attempt, step)) ||
				(attempt.programs.has(program) &&
					(attempt.clientId === null || isTwin(attempt, step)))
			);
		// Nobody's step after a client is done begins something new.
		return attempt.programs.has(program) && !isDone(attempt);
	});
}

/** Claude registers twice within seconds and uses one of the two. */
function isTwin(attempt: Growing, step: RecordedStep): boolean {
	return (
		step.step === "registration" &&
		attempt.steps.at(-1)?.step === "registration" &&
		step.at - lastAt(attempt) <= TWIN_SECONDS
	);
}

/** A client that was through and asks a person again tries anew. */
function isNewTry(attempt: Growing, step: RecordedStep): boolean {
	return (
		(step.step === "authorize" || step.step === "device") && isDone(attempt)
	);
}

function isDone({ steps }: Growing): boolean {
	return steps.some(({ step }) => step === "token" || step === "refresh");
}

/**
 * Steps that a client took before it had an id belong to it once the same program shows up with one: a client with a
 * document says who it is first in the browser, which is another program, and then at the token endpoint.
 */
function adopt(
	attempts: Growing[],
	attempt: Growing,
	{ step, program, network }: Arrival,
): void {
	const nameless = attempts.filter(
		(other) =>
			other !== attempt &&
			other.clientId === null &&
			step.at - lastAt(other) <= PAUSE_SECONDS,
	);
	const own = nameless.filter(({ programs }) => programs.has(program));
	// The page is opened on the machine, or in the household, of the client that asked for it.
	const nearby =
		step.step === "authorize"
			? nameless.findLast(({ networks }) => networks.has(network))
			: undefined;
	const orphans = own.length > 0 || !nearby ? own : [nearby];
	for (const orphan of orphans) {
		attempt.steps.push(...orphan.steps);
		for (const known of orphan.programs) attempt.programs.add(known);
		for (const known of orphan.networks) attempt.networks.add(known);
		attempts.splice(attempts.indexOf(orphan), 1);
	}
	if (orphans.length > 0) attempt.steps.sort((a, b) => a.at - b.at);
}

function arrivalOf(step: RecordedStep): Arrival {
	const network = networkOf(step.address);
	const name = vendorOfAgent(step.agent) ?? step.agent;
	return { step, network, program: `${name}@${network}` };
}

/** The /24 or /48: a hosted client's requests leave from neighbours. */
function networkOf(address: string): string {
	if (!ipaddr.isValid(address)) return address;
	const parsed = ipaddr.process(address);
	return parsed
		.toByteArray()
		.slice(0, parsed.kind() === "ipv4" ? 3 : 6)
		.join(".");
}

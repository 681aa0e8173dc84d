/**
 * The state of the gateway in one sentence, and the one thing to do next: what its owner sees first. Pure; the facts
 * are read elsewhere. Of certificates it says nothing: what has to be known of them is a notice (`expiry.ts`).
 */
import type { SetupStep } from "./setup-steps.ts";

export type OverviewFacts = {
	/** What is left to set up. */
	readonly setup: SetupStep | null;
	readonly servers: readonly {
		readonly slug: string;
		/** Why it does not work; null: it does, or it was not asked yet. */
		readonly error: string | null;
	}[];
	readonly backupFailure: string | null;
	/** Everything was stopped. */
	readonly isPanic: boolean;
	/** A server that is not as it was approved, and how many of its definitions wait. */
	readonly held: { readonly slug: string; readonly count: number } | null;
	readonly hasClient: boolean;
};

export type Overview = {
	readonly state: "good" | "attention";
	/** One sentence. */
	readonly text: string;
	/** What to do; null: nothing. */
	readonly next: { readonly label: string; readonly path: string } | null;
};

/** What is worst comes first, because there is only one sentence. */
export function summarise(facts: OverviewFacts): Overview {
	const { setup, servers, backupFailure } = facts;
	const failing = servers.filter(({ error }) => error !== null);
	const [first] = failing;
	if (facts.isPanic)
		return attention(
			"Everything was stopped, and every client is refused: on the gateway's machine, sallyport resume lets them in again",
			null,
		);
	if (first)
		return attention(
			failing.length === 1
				? `${first.slug} does not work: ${first.error}`
				: `${failing.length} of ${servers.length} servers do not work, ${first.slug} among them: ${first.error}`,
			{
				label: `Look at ${first.slug}`,
				path: `/setup/server/tools?slug=${first.slug}`,
			},
		);
	if (facts.held)
		return attention(
			`${facts.held.slug} is not as it was approved: ${facts.held.count === 1 ? "one of its definitions is" : `${facts.held.count} of its definitions are`} hidden until you decide`,
			{ label: "Look at it", path: `/tools/${facts.held.slug}/changes` },
		);
	if (backupFailure !== null)
		return attention(`The last backup failed: ${backupFailure}`, null);
	if (setup !== null)
		return attention("Setting up is not finished.", {
			label: "Go on with it",
			path: "/setup",
		});
	if (servers.length === 0)
		return attention("There is no server yet.", {
			label: "Add a server",
			path: "/setup/server",
		});
	const healthy =
		servers.length === 1
			? "The server is healthy"
			: `All ${servers.length} servers are healthy`;
	return facts.hasClient
		? { state: "good", text: `${healthy}.`, next: null }
		: {
				state: "good",
				text: `${healthy}, and no client has signed in yet.`,
				next: { label: "Connect a client", path: "/setup/client" },
			};
}

function attention(text: string, next: Overview["next"]): Overview {
	return {
		state: "attention",
		text: /[.!?]$/.test(text) ? text : `${text}.`,
		next,
	};
}

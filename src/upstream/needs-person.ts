/**
 * A failure that only the person whose call it is can end: by signing in to a service, or by giving a secret of their
 * own. It names the page on which they do; whoever can ask people asks them, and everyone else shows the link.
 */
import { SallyportError } from "../errors.ts";

export type Need = "sign in" | "sign in again" | "allow more" | "give secrets";

export class NeedsPerson extends SallyportError {
	readonly need: Need;
	/** The page; whoever opens it is asked who they are, so it gives nothing away. */
	readonly url: string;

	constructor(need: Need, message: string, url: string) {
		super("unavailable", message, { hint: `open ${url} and try again` });
		this.name = "NeedsPerson";
		this.need = need;
		this.url = url;
	}
}

const WORDS: Readonly<Record<Exclude<Need, "give secrets">, string>> = {
	"sign in": "needs you to sign in there first",
	"sign in again": "needs you to sign in there again",
	"allow more": "needs you to allow it more than you did",
};

/** The person must sign in to the service behind a server. */
export function signInNeeded(
	slug: string,
	need: Exclude<Need, "give secrets">,
	url: string,
): NeedsPerson {
	return new NeedsPerson(need, `${slug} ${WORDS[need]}`, url);
}

/**
 * Which scopes to ask for: what an administrator said, else what the server's challenge said, else all that the
 * server's metadata lists, else none. What was asked for once is asked for again when the server wants more.
 *
 * @see specification 2026-07-28, basic/authorization ("Scope Selection Strategy", "Step-Up Authorization Flow")
 */

const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/;
const SCOPES_MAX = 100;
const OFFLINE = "offline_access";

/** The scopes in a text, each once; what is not a scope is left out. */
export function parseScopes(text: string | null): readonly string[] {
	return [...new Set((text ?? "").split(" "))]
		.filter((scope) => SCOPE.test(scope))
		.slice(0, SCOPES_MAX);
}

/** Both, each scope once. */
export function unionScopes(
	a: readonly string[],
	b: readonly string[],
): readonly string[] {
	return [...new Set([...a, ...b])].slice(0, SCOPES_MAX);
}

/**
 * The scopes of a first sign-in.
 * `offline_access` is a wish to the authorization server and no right at the resource, so it is that server's metadata
 * that decides on it: asked for where it is listed, never where it is not.
 */
export function chooseScopes(from: {
	readonly given: string | null;
	readonly challenged: string | null;
	readonly resource: readonly string[] | null;
	readonly issuer: readonly string[] | null;
}): readonly string[] {
	if (from.given !== null) return parseScopes(from.given);
	const wanted =
		from.challenged === null
			? parseScopes(from.resource?.join(" ") ?? null)
			: parseScopes(from.challenged);
	if (wanted.length === 0) return [];
	if (from.issuer?.includes(OFFLINE)) return unionScopes(wanted, [OFFLINE]);
	return from.issuer === null
		? wanted
		: wanted.filter((scope) => scope !== OFFLINE);
}

/** Whether signing in again could bring what a server wants: something in it was not asked for yet. */
export function wantsMore(
	requested: readonly string[],
	challenged: readonly string[],
): boolean {
	return challenged.some((scope) => !requested.includes(scope));
}

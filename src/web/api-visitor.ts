/**
 * Who is signed in, for a request to `/api` that carries no key. A page of ours sends the token that it was given with
 * it, as `X-CSRF-Token`; what is allowed on that is the API's to say.
 */
import type { Role } from "../caller.ts";
import { createForms, type Forms, isOwnPost } from "./forms.ts";
import { findVisitor, isFresh, type Visitor } from "./visitor.ts";

type Deps = Parameters<typeof findVisitor>[0];

const ACTION = "api";

/** The token for a page that calls the API. */
export function issueApiToken(forms: Forms, visitor: Visitor): string {
	return forms.issue(visitor.binding, ACTION);
}

/** Judges the login of a request; null when nobody is signed in. */
export function createApiVisitor(deps: Deps): (request: Request) => {
	readonly userId: string;
	readonly role: Role;
	readonly isFresh: boolean;
	readonly isOwnPage: boolean;
} | null {
	const forms = createForms(deps);
	return (request) => {
		const visitor = findVisitor(deps, request);
		if (!visitor) return null;
		const { userId, role } = visitor.login;
		const token = request.headers.get("X-CSRF-Token");
		return {
			userId,
			role,
			isFresh: isFresh(deps, visitor),
			isOwnPage:
				isOwnPost(request, deps.issuer) &&
				forms.isValid(visitor.binding, ACTION, token),
		};
	};
}

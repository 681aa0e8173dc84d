/**
 * Who holds the API key of a request. It is read from the Authorization header and nowhere else; whatever is wrong
 * with it, the answer is the same.
 *
 * @see RFC 6750 2.1
 */
import { SallyportError } from "../errors.ts";
import { parseCredential } from "../mint.ts";
import { findApiKey, touchApiKeys } from "../store/api-keys.ts";
import type { Actor, ApiDeps } from "./route.ts";

/** The actor that the key speaks for. @throws SallyportError `unauthorized` */
export function actorOfKey(
	deps: Pick<ApiDeps, "db" | "vault" | "clock">,
	request: Request,
): Actor {
	const text = /^bearer +(\S+)$/i.exec(
		request.headers.get("authorization") ?? "",
	)?.[1];
	const key = text === undefined ? null : parseCredential("apiKey", text);
	const holder = key && findApiKey(deps.db, deps.vault.mac(key));
	if (!holder)
		throw new SallyportError(
			"unauthorized",
			"this needs an API key that works",
			{
				hint: "send Authorization: Bearer sp_ak_…; make a key with: sallyport keys create NAME",
			},
		);
	touchApiKeys(deps.db, new Map([[holder.id, deps.clock.now()]]));
	return { userId: holder.userId, role: holder.role, via: "key" };
}

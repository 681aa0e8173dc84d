/**
 * Where clients reach this gateway: its public URL, chosen in the browser or on the command line unless the machine's
 * configuration says otherwise. A public URL is for life: everything that names it (the issuer, every link, every
 * token's resource) is built with it, so moving is handed to whoever can build that anew.
 */
import { SallyportError } from "../errors.ts";
import { parseOrigin } from "../serving.ts";
import { recordAudit } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import { findSetting, setSetting } from "../store/instance.ts";
import type { Orders } from "../tls/certificates.ts";
import type { Front } from "../tls/front.ts";

const SETTING = "public_url";

/** Where a public URL is set, when that is not the database. */
export type FixedBy = "flag" | "environment" | "file";

export type GatewayAddress = {
	/** The origin clients use now. */
	readonly origin: () => string;
	/** Whether it is a public URL, and not only how the machine reaches itself. */
	readonly isNamed: () => boolean;
	/** Who says so outside of the database; null: it may be changed here. */
	readonly fixedBy: FixedBy | null;
	/** Whether clients speak https with us, with a proxy of ours, or not at all. */
	readonly security: "own" | "proxy" | "none";
	/** Certificates for names that are not the public URL yet; null where none are ordered by us. */
	readonly orders: Orders | null;
	/**
	 * Makes this the public URL, for now and after every restart. Clients that were signed in at another sign in again.
	 * @throws SallyportError `conflict` when it is set outside, `invalid` when it is no public URL or cannot be served
	 */
	readonly move: (publicUrl: string, actor: string) => void;
};

/** What people chose in the browser or by `setup-link`, by its name in the configuration file. */
export function storedSettings(db: Database): Readonly<Record<string, string>> {
	const publicUrl = findSetting(db, SETTING);
	return publicUrl === null ? {} : { [SETTING]: publicUrl };
}

/** @param deps.moved called when another origin is served from now on */
export function createAddress(deps: {
	readonly db: Database;
	readonly now: () => number;
	readonly front: Front;
	readonly fixedBy: FixedBy | null;
	readonly isBehindProxy: boolean;
	readonly moved: () => void;
}): GatewayAddress {
	const { db, front, fixedBy } = deps;
	const ownsTls = front.certificates.source !== "off";
	return {
		origin: front.origin,
		isNamed: front.isNamed,
		fixedBy,
		security: ownsTls ? "own" : deps.isBehindProxy ? "proxy" : "none",
		orders: front.certificates.orders,
		move: (text, actor) => {
			if (fixedBy !== null) throw fixedOutside(fixedBy);
			const publicUrl = requireOrigin(text);
			if (publicUrl === front.origin() && front.isNamed()) return;
			requireServable(publicUrl, ownsTls || deps.isBehindProxy);
			transaction(db, () => {
				setSetting(db, SETTING, publicUrl);
				recordAudit(
					db,
					{ actor, action: "gateway.move", object: publicUrl },
					deps.now(),
				);
			});
			front.move(publicUrl);
			deps.moved();
		},
	};
}

function requireOrigin(text: string): string {
	const origin = parseOrigin(text);
	if (origin !== null) return origin;
	throw new SallyportError("invalid", "there is no public URL");
}

/** The rule of `serving.ts`: nothing but loopback is served in clear. */
function requireServable(publicUrl: string, isSecured: boolean): void {
	if (isSecured && publicUrl.startsWith("https://")) return;
	throw new SallyportError(
		"invalid",
		isSecured
			? `${publicUrl} does not begin with https`
			: "this gateway serves this computer only, in clear",
		{
			hint: isSecured
				? "use https://…"
				: "serve with --tls acme for a certificate of its own, or with --trusted-proxy behind a proxy that has one",
		},
	);
}

function fixedOutside(by: FixedBy): SallyportError {
	const where = {
		flag: "by the flag --public-url",
		environment: "by the variable SALLYPORT_PUBLIC_URL",
		file: "in the configuration file",
	}[by];
	return new SallyportError("conflict", `the public URL is set ${where}`, {
		hint: "change it there and restart, or take it away there",
	});
}

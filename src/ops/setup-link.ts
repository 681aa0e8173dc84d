/**
 * The way in for whoever sets the gateway up: a one-time link at an origin that their browser trusts, if a CA can be
 * brought to issue for one. The gateway's own name comes first, if it leads here; then the machine's address, which
 * becomes its name when it has none. Where neither gets a certificate there is an SSH tunnel to its loopback, and a
 * fingerprint to compare.
 */
import { delay } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import type { Certificates, CertificateView } from "../tls/certificates.ts";
import type { Doors } from "../tls/front.ts";
import type { GatewayAddress } from "./address.ts";
import { createSetupToken, refuseClaimed, type SetupDeps } from "./setup.ts";
import { type Addresses, findDetour } from "./whereabouts.ts";

/** Where the gateway can be entered, and what is shown there. */
export type Approach = {
	readonly certificates: Certificates;
	readonly address: GatewayAddress;
	readonly doors: Doors;
	readonly addresses: Addresses;
};

export type SetupLink = {
	readonly setupUrl: string;
	/** Whether a browser opens it without a warning. */
	readonly trusted: boolean;
	/** The same through an SSH tunnel from its port to the same port of loopback; null where no tunnel is needed. */
	readonly tunnelUrl: string | null;
	/** SHA-256 of the certificate that is shown, to be compared; null where a browser trusts it, or there is none. */
	readonly fingerprint: string | null;
	/** What keeps the gateway's name from being used, and why a browser will warn if it does. */
	readonly failure: Refusal | null;
};

type Refusal = { readonly detail: string; readonly remedy: string };
type Entrance = Pick<SetupLink, "trusted" | "failure"> & {
	readonly origin: string;
};

/** How long somebody waits for a CA; the order goes on, and the next link finds what became of it. */
const PATIENCE_MS = 60_000;
/** Who moves the gateway to its address, in the audit trail. */
const ACTOR = "setup-link";

const LATE: Refusal = {
	detail: "the CA has not answered yet",
	remedy: "it is still being asked: wait a minute",
};
const NOWHERE: Refusal = {
	detail: "this machine has no public address of its own, so no CA was asked",
	remedy:
		"set public_url to https:// and the name, or the address, that leads here",
};

/** A fresh link; earlier ones stop working. @throws SallyportError `conflict` when the gateway has an owner */
export async function createSetupLink(
	deps: SetupDeps,
	approach: Approach,
): Promise<SetupLink> {
	refuseClaimed(deps.db);
	const { origin, trusted, failure } = await bringCertificate(approach);
	const token = createSetupToken(deps);
	const { tunnel } = approach.doors;
	const shown = trusted ? null : findShown(approach, origin);
	return {
		setupUrl: linkAt(origin, token),
		trusted,
		tunnelUrl: trusted || tunnel === null ? null : linkAt(tunnel, token),
		fingerprint: shown?.fingerprint ?? null,
		failure,
	};
}

/**
 * Tries for a certificate that browsers trust. Call it when the gateway starts without an owner, too: then there may
 * be one already when the link is asked for.
 */
export async function bringCertificate(approach: Approach): Promise<Entrance> {
	const { certificates, address, doors } = approach;
	if (certificates.source !== "acme") return judgeShown(approach);
	const name = address.isNamed() ? address.origin() : null;
	const late = delay(PATIENCE_MS).then(() => LATE);
	let first: Refusal | null = null;
	for (const origin of [name, doors.address]) {
		if (origin === null) continue;
		const failure = await Promise.race([tryFor(approach, origin), late]);
		if (failure === null) {
			if (!address.isNamed()) address.move(origin, ACTOR);
			return { origin, trusted: true, failure: first };
		}
		first ??= failure;
	}
	// Its address leads to it even where its name leads elsewhere.
	const last = doors.address ?? name ?? doors.tunnel ?? address.origin();
	return { origin: last, trusted: false, failure: first ?? NOWHERE };
}

async function tryFor(
	{ address, addresses }: Approach,
	origin: string,
): Promise<Refusal | null> {
	const host = hostOf(origin);
	try {
		const detour = await findDetour(host, addresses);
		if (detour !== null) return refusalOf(detour);
		return (await address.orders?.obtain(host)) ?? null;
	} catch (error) {
		if (error instanceof SallyportError) return refusalOf(error);
		throw error;
	}
}

/** Where nobody orders: files are what they are, and in clear it is this machine, or a proxy that people trust. */
function judgeShown(approach: Approach): Entrance {
	const origin = approach.address.origin();
	if (findShown(approach, origin)?.trusted ?? true)
		return { origin, trusted: true, failure: null };
	return {
		origin,
		trusted: false,
		failure: {
			detail: "the certificate is signed by itself",
			remedy: "compare its fingerprint, or put one that browsers trust there",
		},
	};
}

/** The certificate that a browser is shown at an origin. */
function findShown(
	{ certificates }: Approach,
	origin: string,
): CertificateView | null {
	const shown = certificates.list();
	const host = hostOf(origin);
	return shown.find(({ names }) => names.includes(host)) ?? shown[0] ?? null;
}

function refusalOf({ message, hint }: SallyportError): Refusal {
	return { detail: message, remedy: hint ?? "look into the log" };
}

function hostOf(origin: string): string {
	return new URL(origin).hostname.replace(/^\[|\]$/g, "");
}

function linkAt(origin: string, token: string): string {
	return `${origin}/setup#${token}`;
}

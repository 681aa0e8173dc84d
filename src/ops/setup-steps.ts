/**
 * What is left to set up: the next step of the wizard, computed from facts. No step is ever stored; what is stored is
 * what somebody decided ("not now", "the kit is saved"), because that is a fact that shows nowhere else. So a crash,
 * a second browser or a command line in between confuse nothing.
 */
import type { Database } from "../store/database.ts";
import { hasAnyGrant } from "../store/grants.ts";
import { clearSetting, findSetting, setSetting } from "../store/instance.ts";
import { listServers } from "../store/servers.ts";
import { hasOwner } from "../store/users.ts";
import type { Certificates } from "../tls/certificates.ts";
import type { GatewayAddress } from "./address.ts";

export const SETUP_STEPS = [
	"welcome",
	"owner",
	"address",
	"server",
	"client",
	"done",
] as const;

export type SetupStep = (typeof SETUP_STEPS)[number];

/** What is known of how far a gateway is set up. */
export type SetupFacts = {
	readonly hasOwner: boolean;
	readonly isKitSaved: boolean;
	/** Clients reach it under a name with a certificate that they trust, or somebody decided otherwise. */
	readonly isAddressed: boolean;
	readonly hasServer: boolean;
	readonly hasClient: boolean;
	readonly isFinished: boolean;
};

/** What somebody may decide. */
export type SetupDecision = "kit" | "address" | "server" | "client" | "done";

/** The first step that is not done; null when all are. */
export function nextSetupStep(facts: SetupFacts): SetupStep | null {
	if (!facts.hasOwner) return "welcome";
	if (!facts.isKitSaved) return "owner";
	if (facts.isFinished) return null;
	if (!facts.isAddressed) return "address";
	if (!facts.hasServer) return "server";
	if (!facts.hasClient) return "client";
	return "done";
}

/** Reads the facts. */
export function readSetupFacts(deps: {
	readonly db: Database;
	readonly address: GatewayAddress;
	readonly certificates: Certificates;
}): SetupFacts {
	const { db } = deps;
	const decided = (what: SetupDecision): boolean =>
		findSetting(db, settingOf(what)) !== null;
	return {
		hasOwner: hasOwner(db),
		isKitSaved: decided("kit"),
		isAddressed: decided("address") || isReachedByName(deps),
		hasServer: decided("server") || listServers(db).length > 0,
		hasClient: decided("client") || hasAnyGrant(db),
		isFinished: decided("done"),
	};
}

/** Keeps what somebody decided. */
export function decideSetup(
	db: Database,
	what: SetupDecision,
	now: number,
): void {
	setSetting(db, settingOf(what), String(now));
}

/** What somebody decided does not hold any more: the wizard asks again. */
export function undecideSetup(db: Database, what: SetupDecision): void {
	clearSetting(db, settingOf(what));
}

function settingOf(what: SetupDecision): string {
	return `setup_${what}_at`;
}

/** Whether clients are shown a name that they trust, by us or by the proxy before us; what was only decided does not count. */
export function isReachedByName({
	address,
	certificates,
}: {
	readonly address: GatewayAddress;
	readonly certificates: Certificates;
}): boolean {
	if (!address.isNamed()) return false;
	if (address.security === "proxy") return true;
	const { hostname } = new URL(address.origin());
	const isName = /[a-z]/i.test(hostname) && !hostname.startsWith("[");
	return (
		isName &&
		certificates
			.list()
			.some(({ names, trusted }) => trusted && names.includes(hostname))
	);
}

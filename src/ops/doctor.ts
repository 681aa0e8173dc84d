/**
 * The doctor: everything that can be found out about a gateway that does not do what it should, as findings. Of a
 * running gateway it asks the gateway; of one that does not run it opens the data, and what keeps it from opening
 * is a finding too.
 */
import type { Clock } from "../clock.ts";
import type { Egress } from "../egress.ts";
import { describeError, SallyportError } from "../errors.ts";
import { readClientPolicy } from "../oauth/policy.ts";
import { addressText } from "../serving.ts";
import { listOrderFailures } from "../store/certificate-orders.ts";
import type { Database } from "../store/database.ts";
import { listServers } from "../store/servers.ts";
import type { Certificates } from "../tls/certificates.ts";
import type { Upstreams } from "../upstream/upstream.ts";
import type { Backups } from "./backup-schedule.ts";
import { type Finding, ill, well, worstFirst } from "./finding.ts";
import { type MachineFacts, readMachine } from "./machine.ts";
import { judgeMachine } from "./machine-checks.ts";
import {
	judgeAddress,
	judgeBackups,
	judgeCertificates,
	judgeOutside,
	judgeServers,
} from "./service-checks.ts";
import { judgeStore } from "./store-checks.ts";
import { makeSupportBundle, type SupportBundle } from "./support-bundle.ts";
import { listAddresses } from "./whereabouts.ts";

/** Where a gateway keeps what, and where it listens. */
export type GatewayPlace = {
	readonly dataDir: string;
	readonly kekFile: string;
	readonly listen: readonly { readonly host: string; readonly port: number }[];
};

/** A running gateway, as the doctor sees it. */
export type Patient = {
	readonly db: Database;
	readonly clock: Clock;
	readonly place: GatewayPlace;
	readonly publicUrl: string;
	readonly certificates: Certificates;
	readonly upstreams: Pick<Upstreams, "live">;
	readonly backups: Backups;
	/** The way to clients' web sites. */
	readonly egress: Egress;
};

export type Doctor = {
	readonly examine: () => Promise<readonly Finding[]>;
	/** What may be handed to somebody who helps. */
	readonly makeBundle: () => Promise<SupportBundle>;
};

/** The doctor of a running gateway. @param patient.origins where each setting comes from */
export function createDoctor(
	patient: Patient & {
		readonly version: string;
		readonly origins: Readonly<Record<string, string>>;
	},
): Doctor {
	const { db, clock, version, origins } = patient;
	return {
		examine: () => examine(patient),
		makeBundle: async () =>
			makeSupportBundle({
				...{ version, origins, db },
				now: clock.now(),
				findings: await examine(patient),
			}),
	};
}

async function examine(patient: Patient): Promise<readonly Finding[]> {
	const { db, place } = patient;
	const now = patient.clock.now();
	const [outside, address] = await Promise.all([
		judgeOutside(patient.egress, readClientPolicy(db), now),
		judgeAddress(patient.publicUrl, listAddresses),
	]);
	return worstFirst([
		well("service", "the gateway runs and answers"),
		well("ports", `it listens on ${place.listen.map(addressText).join(", ")}`),
		...judgeMachine(readMachine(place)),
		...judgeStore(db, now),
		...judgeCertificates(patient.certificates, now),
		...judgeServers(listServers(db), patient.upstreams.live),
		judgeBackups(patient.backups),
		...outside,
		...address,
	]);
}

/** What examining a gateway that does not run needs of the rest of the program. */
export type Morgue = {
	readonly now: number;
	readonly place: GatewayPlace;
	/** Opens the data, alone. @throws SallyportError what would keep the gateway from starting */
	readonly open: () => { readonly db: Database; readonly close: () => void };
	/** Why an address cannot be listened on; null: it can. */
	readonly findObstacle: (host: string, port: number) => string | null;
};

/**
 * Examines a gateway that does not run. Nothing is made: without data there is nothing to open.
 * @param look is given the data while it is open, and null when it cannot be opened
 */
export function examineStopped<T>(
	morgue: Morgue,
	look: (findings: readonly Finding[], db: Database | null) => T,
): T {
	const machine = readMachine(morgue.place);
	const findings = [
		ill("warning", "service", "the gateway is not running", "sallyport serve"),
		...judgePorts(morgue),
		...judgeMachine(machine),
	];
	const opened = openQuietly(morgue, machine);
	if (opened === null) return look(worstFirst(findings), null);
	if ("code" in opened) return look(worstFirst([...findings, opened]), null);
	try {
		const found = [...findings, ...judgeData(opened.db, morgue.now)];
		return look(worstFirst(found), opened.db);
	} finally {
		opened.close();
	}
}

function judgePorts({ place, findObstacle }: Morgue): readonly Finding[] {
	return place.listen.map(({ host, port }) => {
		const obstacle = findObstacle(host, port);
		return obstacle === null
			? well("ports", `${addressText({ host, port })} is free to listen on`)
			: ill(
					"error",
					"ports",
					`${addressText({ host, port })} cannot be listened on: ${obstacle}`,
					port < 1024
						? "end what has it; below 1024 a service needs AmbientCapabilities=CAP_NET_BIND_SERVICE, as the installer sets it"
						: "end what has it, or choose another with --listen",
				);
	});
}

/** The data, or what keeps it from being opened; null when there is none yet, because opening would make it. */
function openQuietly(
	{ open }: Morgue,
	{ hasStore, kek }: MachineFacts,
): ReturnType<Morgue["open"]> | Finding | null {
	if (!hasStore || kek.problem !== null) return null;
	try {
		return open();
	} catch (error) {
		if (error instanceof SallyportError)
			return ill("error", "data", error.message, error.hint ?? null);
		if (!isDamage(error)) throw error;
		return ill(
			"error",
			"data",
			`the database cannot be opened: ${describeError(error)}`,
			"restore the last backup",
		);
	}
}

/** SQLite's word that a file is not what it should be. */
function isDamage(error: unknown): boolean {
	const code = (error as { readonly code?: unknown } | null)?.code;
	return typeof code === "string" && code.startsWith("SQLITE_");
}

function judgeData(db: Database, now: number): readonly Finding[] {
	return [
		well("data", "the data can be opened with the master key"),
		...judgeStore(db, now),
		...listOrderFailures(db).map(({ names, failure }) =>
			ill(
				"error",
				"certificate",
				`the last order for ${names} failed: ${failure.detail}`,
				failure.remedy,
			),
		),
	];
}

/**
 * What an operator hands to whoever helps them: the findings, and how the gateway is made up. It is put together from
 * what is known to be harmless, not cleaned of what is not: no secret, token, header, argument, environment, e-mail
 * address, IP address, or word of a server or client has a place in it.
 */
import { arch, platform, release } from "node:os";
import { readClientPolicy } from "../oauth/policy.ts";
import { listClients } from "../store/clients.ts";
import { countRows, type Database } from "../store/database.ts";
import { listServers, type Server } from "../store/servers.ts";
import type { RecordedStep } from "../store/timeline.ts";
import { vendorOfAgent } from "./client-quirks.ts";
import { type Diagnosis, listDiagnoses } from "./diagnoses.ts";
import type { Finding } from "./finding.ts";

const CONNECTIONS_MAX = 50;
/** The name and version of a program, and nothing else that it may say. */
const PROGRAM =
	/^[A-Za-z][A-Za-z0-9_.-]{0,40}(?:\/[0-9][A-Za-z0-9.-]{0,20})?(?=$|[ (;,])/;

export type SupportBundle = Readonly<Record<string, unknown>>;

/** @param of.db null: it could not be opened */
export function makeSupportBundle(of: {
	readonly version: string;
	readonly now: number;
	readonly findings: readonly Finding[];
	/** Where each setting comes from, by its name. Not what it is. */
	readonly origins: Readonly<Record<string, string>>;
	readonly db: Database | null;
}): SupportBundle {
	const { version, now, findings, origins, db } = of;
	return {
		sallyport: version,
		made_at: new Date(now * 1000).toISOString(),
		machine: {
			platform: platform(),
			arch: arch(),
			kernel: release(),
			bun: Bun.version,
		},
		findings,
		settings: origins,
		...(db === null
			? {}
			: {
					clients_policy: readClientPolicy(db),
					rows: countRows(db),
					servers: listServers(db).map(viewServer),
					clients: listClients(db).map(
						({ kind, authMethod, approvedAt, grants }) => ({
							kind,
							auth_method: authMethod,
							approved: approvedAt !== null,
							grants,
						}),
					),
					connections: listDiagnoses(db, now)
						.slice(0, CONNECTIONS_MAX)
						.map(viewConnection),
				}),
	};
}

function viewServer({
	slug,
	transport,
	enabled,
	slots,
}: Server): Readonly<Record<string, unknown>> {
	return {
		slug,
		transport: transport.kind,
		enabled,
		slots: slots.map(({ injection, personal, optional }) => ({
			injection,
			personal,
			optional,
		})),
	};
}

function viewConnection({
	clientId,
	name,
	verdict,
	steps,
}: Diagnosis): Readonly<Record<string, unknown>> {
	const places = new Map<string, string>();
	const placeOf = (address: string): string => {
		const known = places.get(address);
		if (known !== undefined) return known;
		const letter = `place ${places.size + 1}`;
		places.set(address, letter);
		return letter;
	};
	return {
		// Known by name to us, or not at all: what it calls itself is its own.
		client: steps.some(({ agent }) => vendorOfAgent(agent) === name)
			? name
			: kindOf(clientId),
		state: verdict.state,
		stands_at: verdict.step,
		steps: steps.map((step) => viewStep(step, placeOf)),
	};
}

function kindOf(clientId: string | null): string {
	if (clientId === null) return "never said who it is";
	return clientId.startsWith("https:")
		? "has a document of its own"
		: "registered";
}

function viewStep(
	{ at, step, outcome, detail, address, agent }: RecordedStep,
	placeOf: (address: string) => string,
): Readonly<Record<string, unknown>> {
	return {
		at,
		step,
		outcome,
		detail,
		from: placeOf(address),
		program: PROGRAM.exec(agent)?.[0] ?? "other",
	};
}

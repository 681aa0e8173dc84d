/**
 * What is done to a server that runs, from the command line or the browser alike: ended, so that its next call starts
 * it anew, and given other rules.
 */
import { SallyportError } from "../errors.ts";
import { recordAudit } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import {
	RESULT_BYTES,
	refuseDisabled,
	type Server,
	type ServerRules,
	updateServer,
} from "../store/servers.ts";
import type { Upstreams } from "../upstream/upstream.ts";
import type { Lease } from "./leases.ts";

type ServerDeps = {
	readonly db: Database;
	readonly clock: { readonly now: () => number };
	readonly upstreams: Upstreams;
	/** Whoever keeps server rows in memory forgets them, and clients hear that lists changed. */
	readonly serversChanged: () => void;
	readonly lease: Lease;
};

/** Ends what runs of a server with the settings that it had; the next call starts it anew. */
export async function startAnew(
	deps: Pick<ServerDeps, "upstreams" | "serversChanged">,
	{ id }: Pick<Server, "id">,
): Promise<void> {
	deps.serversChanged();
	await deps.upstreams.drop(id);
}

/**
 * The same because somebody wants it.
 * @returns how many processes and connections were ended
 * @throws SallyportError `conflict` when it is disabled: then nothing runs, and nothing will; or while it is being changed
 */
export async function restartServer(
	deps: ServerDeps,
	server: Server,
	actor: string,
): Promise<number> {
	using _lease = deps.lease(server.slug);
	refuseDisabled(server);
	const running = deps.upstreams
		.live(server.id)
		.filter((upstream) => ["starting", "ready"].includes(upstream.state()));
	recordAudit(
		deps.db,
		{ actor, action: "server.restart", object: server.slug },
		deps.clock.now(),
	);
	await startAnew(deps, server);
	return running.length;
}

/**
 * Gives a server other rules: what becomes of what it changes, and from which length on its results are paged.
 * @throws SallyportError `invalid` when the limit is none, `conflict` while it is being changed
 */
export async function changeRules(
	deps: ServerDeps,
	{ slug }: Server,
	rules: Pick<ServerRules, "pinning" | "resultBytesMax">,
	actor: string,
): Promise<void> {
	requireLimit(rules.resultBytesMax);
	using _lease = deps.lease(slug);
	const now = deps.clock.now();
	const detail = Object.keys(rules).join(",");
	const changed = transaction(deps.db, () => {
		recordAudit(
			deps.db,
			{ actor, action: "server.change", object: slug, detail },
			now,
		);
		return updateServer(deps.db, slug, rules, now);
	});
	await startAnew(deps, changed);
}

function requireLimit(bytes: number | null): void {
	if (bytes === null) return;
	const { least, most } = RESULT_BYTES;
	if (Number.isInteger(bytes) && bytes >= least && bytes <= most) return;
	throw new SallyportError(
		"invalid",
		`the longest result is a number of bytes from ${least} to ${most}`,
	);
}

/**
 * The red button: from one moment to the next no client gets anything, whatever it holds, until somebody resumes. What
 * clients were given is ended for good; API keys are refused meanwhile, and good again afterwards. It is kept in the
 * store, so that a restart or a restored backup does not end it.
 */
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { recordAudit } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import { findSetting, setSetting } from "../store/instance.ts";
import { listServers } from "../store/servers.ts";
import type { Upstreams } from "../upstream/upstream.ts";
import { endAllGrants } from "./clients.ts";

const SETTING = "panic_since";

export type Panic = {
	readonly isOn: () => boolean;
	/** @throws SallyportError `unavailable` while it is on */
	readonly refuse: () => void;
	/** Neither does anything when it is so already. */
	readonly begin: (actor: string) => void;
	readonly end: (actor: string) => void;
};

/** Since when every client is refused; null: none is. */
export function panicSince(db: Database): number | null {
	const since = findSetting(db, SETTING) ?? "";
	return since === "" ? null : Number(since);
}

/** @param deps.clock tells when it began */
export function createPanic({
	db,
	clock,
}: {
	readonly db: Database;
	readonly clock: Clock;
}): Panic {
	// Every request of a client asks.
	let isOn = panicSince(db) !== null;
	function turn(on: boolean, actor: string): void {
		if (isOn === on) return;
		const now = clock.now();
		transaction(db, () => {
			setSetting(db, SETTING, on ? String(now) : "");
			recordAudit(
				db,
				{ actor, action: on ? "gateway.panic" : "gateway.resume", object: "" },
				now,
			);
		});
		isOn = on;
	}
	return {
		isOn: () => isOn,
		refuse: () => {
			if (isOn)
				throw new SallyportError(
					"unavailable",
					"everything was stopped by an administrator",
					{ hint: "on the gateway's machine: sallyport resume" },
				);
		},
		begin: (actor) => turn(true, actor),
		end: (actor) => turn(false, actor),
	};
}

/**
 * Stops everything: refuses clients first, so that nothing new comes, then ends what they were given, then what runs.
 * @returns how many grants ended, and how many servers had something running
 */
export async function stopEverything(
	deps: {
		readonly db: Database;
		readonly clock: Clock;
		readonly panic: Panic;
		readonly upstreams: Pick<Upstreams, "live" | "drop">;
		readonly invalidate: () => void;
	},
	actor: string,
): Promise<{ readonly grants: number; readonly servers: number }> {
	deps.panic.begin(actor);
	const grants = endAllGrants(deps, null, actor);
	const running = listServers(deps.db).filter(
		({ id }) => deps.upstreams.live(id).length > 0,
	);
	await Promise.all(running.map(({ id }) => deps.upstreams.drop(id)));
	return { grants, servers: running.length };
}

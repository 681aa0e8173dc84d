/** Connections over a test's own store, for what is given them and signs nobody in: nothing leaves this machine. */
import type { Clock } from "../../src/clock.ts";
import type { Log } from "../../src/log.ts";
import type { Database } from "../../src/store/database.ts";
import {
	type Connections,
	type ConnectionsDeps,
	createConnections,
} from "../../src/upstream/connections.ts";
import type { Vault } from "../../src/vault.ts";

/** The private networks of a test. */
export const LOOPBACK = ["127.0.0.0/8", "::1/128"];

export function testConnections(
	deps: {
		readonly db: Database;
		readonly vault: Vault;
		readonly clock: Clock;
		readonly log: Log;
	} & Partial<ConnectionsDeps>,
): Connections {
	return createConnections({
		origin: "http://localhost",
		version: "0.0.0",
		allowPrivate: LOOPBACK,
		ownOrigins: [],
		documentUrl: () => Promise.resolve(null),
		onChange: () => {},
		onService: () => {},
		onConnected: () => {},
		...deps,
	});
}

/** What the wizard's pages act on, for tests of pages: nothing is ordered, installed or restored here. */
import { tmpdir } from "node:os";
import { createDns } from "../../src/dns.ts";
import { SallyportError } from "../../src/errors.ts";
import type { OAuthDeps } from "../../src/oauth/authorization-server.ts";
import { createBackups } from "../../src/ops/backup-schedule.ts";
import { createWorks } from "../../src/ops/work.ts";
import { createArrivals } from "../../src/people/arrivals.ts";
import { noCertificates } from "../../src/tls/certificates.ts";
import type { Desk } from "../../src/web/pages.ts";

export function createDesk(
	deps: Pick<OAuthDeps, "db" | "clock" | "log" | "issuer">,
	more: Partial<Desk> = {},
): Desk {
	const { db, clock, log, issuer } = deps;
	const refuse = async (): Promise<never> => {
		throw new SallyportError("unavailable", "not in this test");
	};
	return {
		address: {
			origin: () => issuer,
			isNamed: () => true,
			fixedBy: null,
			security: "own",
			orders: null,
			move: () => {},
		},
		certificates: noCertificates(),
		addresses: () => ["127.0.0.1"],
		dns: createDns(["127.0.0.1:9"]),
		works: createWorks({ clock, log }),
		arrivals: createArrivals(clock),
		backups: createBackups({
			...{ db, clock, log },
			place: {
				dataDir: tmpdir(),
				kek: new Uint8Array(32).fill(7),
				release: "1.2.3",
			},
		}),
		restore: refuse,
		callApi: refuse,
		listHealth: () => [],
		version: "1.2.3",
		...more,
	};
}

/**
 * After a restore the servers are known, and their packages are not there: they are installed again, each exactly as
 * its lock file says, one after the other. A server whose package cannot be fetched stays as it is, and says so when
 * it is called.
 */
import { describeError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Npm } from "../packages/npm.ts";
import type { Database } from "../store/database.ts";
import { findPackage } from "../store/packages.ts";
import { listServers } from "../store/servers.ts";

/** Installs what is missing. @returns the slugs whose packages are there again */
export async function reinstallPackages(deps: {
	readonly db: Database;
	readonly log: Log;
	readonly npm: Pick<Npm, "reinstall">;
}): Promise<readonly string[]> {
	const again: string[] = [];
	for (const { id, slug } of listServers(deps.db)) {
		const installed = findPackage(deps.db, id);
		if (!installed) continue;
		try {
			if (!(await deps.npm.reinstall(slug, installed))) continue;
			again.push(slug);
			deps.log.info("package installed again", { server: slug });
		} catch (error) {
			deps.log.warn("package not installed again", {
				server: slug,
				reason: describeError(error),
			});
		}
	}
	return again;
}

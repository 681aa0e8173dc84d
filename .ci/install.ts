/** Installs the locked dependencies, once for each lock file. Every task begins here. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "..");
/** Bun's own executable, whichever way it was fetched. */
export const BUN = process.execPath;
const STAMP = join(ROOT, "node_modules", ".installed");

export function install(): void {
	const lock = readFileSync(join(ROOT, "bun.lock"), "utf8");
	if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === lock) return;
	run(["install", "--frozen-lockfile"]);
	writeFileSync(STAMP, lock);
}

/** Runs Bun with these arguments and ends this process when it fails. */
export function run(
	args: readonly string[],
	environment: Record<string, string> = {},
): void {
	const { exitCode } = Bun.spawnSync([BUN, ...args], {
		cwd: ROOT,
		env: { ...process.env, ...environment },
		stdio: ["inherit", "inherit", "inherit"],
	});
	if (exitCode !== 0) process.exit(exitCode ?? 1);
}

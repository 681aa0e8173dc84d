/** Builds the executable and runs it with its data in `.sallyport` and one server to try, then prints the setup link. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./install.ts";

const EXECUTABLE = join(ROOT, "dist", "sallyport");
const DATA = join(ROOT, ".sallyport");
const EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31";
const READY_DEADLINE_MS = 20_000;

run([".ci/build.ts"]);
const service = Bun.spawn(
	[
		EXECUTABLE,
		"serve",
		"--data-dir",
		DATA,
		"--log-format",
		"pretty",
		...process.argv.slice(2),
	],
	{
		cwd: ROOT,
		stdio: ["ignore", "inherit", "inherit"],
	},
);
for (const signal of ["SIGINT", "SIGTERM"] as const)
	process.on(signal, () => service.kill(signal));

const cli = (...args: string[]): number =>
	Bun.spawnSync([EXECUTABLE, ...args, "--data-dir", DATA], {
		cwd: ROOT,
		stdio: ["ignore", "inherit", "inherit"],
	}).exitCode;
const known = (...args: string[]): boolean =>
	Bun.spawnSync([EXECUTABLE, ...args, "--data-dir", DATA], {
		cwd: ROOT,
		stdio: ["ignore", "ignore", "ignore"],
	}).exitCode === 0;

const deadline = performance.now() + READY_DEADLINE_MS;
while (!(existsSync(join(DATA, "admin.sock")) && known("version", "--json"))) {
	if (service.exitCode !== null || performance.now() > deadline)
		process.exit(service.exitCode ?? 1);
	await Bun.sleep(50);
}
if (!known("servers", "show", "everything"))
	cli("servers", "add", "everything", "--npm", EVERYTHING);
if (!known("setup-link")) console.log("sign in at http://localhost:8080");
else cli("setup-link");
process.exit(await service.exited);

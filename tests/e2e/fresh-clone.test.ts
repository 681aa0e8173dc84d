/**
 * The first minute: what git has, copied into an empty folder, and `npm start` there with Node and npm alone on the
 * PATH. Nothing of this checkout's `node_modules` or build is in reach.
 */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	rmSync,
	symlinkSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { descendantsOf, freePort, isAlive, run } from "../support/processes.ts";
import { describeWith, REPOSITORY, systemTool } from "../support/tools.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(300_000);

const START_TIMEOUT_MS = 240_000;
const folder = mkdtempSync(join(tmpdir(), "sallyport-clone-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every tracked file as it is now, so that a change is tested before it is committed. */
function copyTracked(to: string): void {
	const { stdout } = Bun.spawnSync(["git", "ls-files", "-z"], {
		cwd: REPOSITORY,
	});
	for (const name of stdout.toString().split("\0")) {
		const from = join(REPOSITORY, name);
		if (name === "" || !existsSync(from)) continue;
		mkdirSync(dirname(join(to, name)), { recursive: true });
		cpSync(from, join(to, name));
	}
}

/** A PATH on which there is Node, npm and the system, and no Bun. */
function nodeOnly(to: string): string {
	mkdirSync(to);
	for (const name of ["node", "npm", "npx"])
		symlinkSync(Bun.which(name) as string, join(to, name));
	return `${to}:/usr/bin:/bin`;
}

describeWith(
	[
		systemTool("git", "git"),
		systemTool("npm", "npm"),
		systemTool("node", "nodejs"),
	],
	"a fresh clone",
	() => {
		test("starts with one command, prints a setup link that opens, and serves with one server", async () => {
			const clone = join(folder, "clone");
			copyTracked(clone);
			const port = await freePort();
			const started = run(
				["npm", "start", "--", "--listen", `localhost:${port}`],
				{
					cwd: clone,
					// the package clients' own configuration (certificates, a mirror) lies in the home directory
					env: { PATH: nodeOnly(join(folder, "bin")), HOME: homedir() },
				},
			);
			try {
				const [link] = await started.printed(
					/http:\/\/localhost:\d+\/setup#sp_su_\S+/,
					START_TIMEOUT_MS,
				);
				const page = await fetch(link);
				expect(page.status).toBe(200);
				expect(await page.text()).toContain("step 1 of 6");
				expect(started.output()).toMatch(/everything added: \d+ tools/);
				const unsigned = await fetch(`http://localhost:${port}/mcp`, {
					method: "POST",
				});
				expect(unsigned.status).toBe(401);
				expect(existsSync(join(clone, ".sallyport", "sallyport.db"))).toBe(
					true,
				);
			} finally {
				// npm does not hand a signal on; a terminal's Ctrl-C reaches every process by itself.
				const running = descendantsOf(started.pid);
				for (const pid of running.toReversed()) process.kill(pid, "SIGTERM");
				await until("everything has ended", () => !running.some(isAlive));
				await started.stop();
			}
		});
	},
);

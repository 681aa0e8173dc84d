/**
 * Runs the tests and closes with one line: `N passed, N failed, N skipped`.
 *
 * `unit` runs all but e2e, `e2e` only e2e (against a fresh build), nothing runs both. The counts are read from the
 * runner's own JUnit report, so a test that did not run is not counted as passed.
 */
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUN, install, ROOT, run } from "./install.ts";

const ATTACKS = "./tests/attacks";
const E2E = ["./tests/e2e", "./tests/conformance", "./tests/chaos", ATTACKS];
const UNIT_TIMEOUT_MS = 30_000;
const E2E_TIMEOUT_MS = 180_000;

type Counts = { passed: number; failed: number; skipped: number };

/** Everything in tests/ but what needs the executable or a long time. */
function unitFolders(): readonly string[] {
	const entries = new Bun.Glob("*").scanSync({
		cwd: join(ROOT, "tests"),
		onlyFiles: false,
	});
	return [...entries]
		.filter(
			(name) =>
				![
					"attacks",
					"chaos",
					"conformance",
					"e2e",
					"fixtures",
					"support",
				].includes(name) && !name.endsWith(".md"),
		)
		.map((name) => `./tests/${name}`)
		.sort();
}

function runTests(
	paths: readonly string[],
	timeoutMs: number,
	filters: readonly string[],
	env: Readonly<Record<string, string>> = {},
): Counts {
	const report = join(tmpdir(), `sallyport-tests-${process.pid}.xml`);
	const { exitCode } = Bun.spawnSync(
		[
			BUN,
			"test",
			`--timeout=${timeoutMs}`,
			"--reporter=junit",
			`--reporter-outfile=${report}`,
			...paths,
			...filters,
		],
		{
			cwd: ROOT,
			env: { ...process.env, NODE_ENV: "test", ...env },
			stdio: ["ignore", "inherit", "inherit"],
		},
	);
	const counts = readReport(report);
	// A crash between tests fails no test by name, but must not pass.
	if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
	return counts;
}

function readReport(path: string): Counts {
	try {
		const head =
			/<testsuites[^>]*>/.exec(readFileSync(path, "utf8"))?.[0] ?? "";
		const number = (name: string): number =>
			Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
		const failed = number("failures") + number("errors");
		const skipped = number("skipped");
		return { passed: number("tests") - failed - skipped, failed, skipped };
	} catch {
		return { passed: 0, failed: 1, skipped: 0 }; // the runner died before it could report
	} finally {
		rmSync(path, { force: true });
	}
}

install();
const [what = "all", ...filters] = process.argv.slice(2);
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
function add(counts: Counts): void {
	total.passed += counts.passed;
	total.failed += counts.failed;
	total.skipped += counts.skipped;
}
if (what !== "e2e") add(runTests(unitFolders(), UNIT_TIMEOUT_MS, filters));
if (what !== "unit") {
	run([".ci/build.ts"]);
	add(runTests(E2E, E2E_TIMEOUT_MS, filters));
	add(runTests([ATTACKS], E2E_TIMEOUT_MS, filters, { ATTACK_EXECUTABLE: "1" }));
}
console.log(
	`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`,
);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);

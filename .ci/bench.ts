/**
 * Measures the built gateway beside a direct connection and a pass-through that does nothing, interleaved in one run,
 * and prints every goal of the design with the figure reached. `--quick` takes a few minutes, `--only P4,P5` some rows.
 *
 * Ratios of medians are what counts: absolute figures do not travel. "By CPU" is the ratio of the processor time a
 * call took, which holds on a shared machine too.
 */

import { isWanted, summarize } from "../tests/bench/bench.ts";
import { measureHttpCalls, measureStdioCalls } from "../tests/bench/calls.ts";
import { measureScale } from "../tests/bench/growth.ts";
import { measureLists } from "../tests/bench/lists.ts";
import { busiestLoad } from "../tests/bench/load.ts";
import { measureGrowth, measureRest } from "../tests/bench/memory.ts";
import { createGateway, stopAll } from "../tests/bench/processes.ts";
import { measureSignIn } from "../tests/bench/sign-in.ts";
import { measureStarts, measureWake } from "../tests/bench/starts.ts";
import { install, run } from "./install.ts";

const ROWS: readonly (readonly [
	names: readonly string[],
	work: () => Promise<void>,
])[] = [
	[["P1", "P3"], async () => measureHttpCalls(await createGateway())],
	[["P2"], async () => measureStdioCalls(await createGateway())],
	[["P4"], measureLists],
	[["P5"], measureRest],
	[["P6"], async () => measureGrowth(await createGateway())],
	[["P7"], measureStarts],
	[["P8"], measureWake],
	[["P9"], measureSignIn],
	[["P10"], measureScale],
];

install();
run([".ci/build.ts"]);
if (!Bun.which("wrk")) {
	console.error("wrk is missing: apt-get install wrk");
	process.exit(1);
}
let failed = false;
try {
	for (const [names, work] of ROWS) {
		if (!names.some(isWanted)) continue;
		try {
			await work();
		} catch (error) {
			failed = true;
			console.error(
				`${names.join(", ")} failed: ${error instanceof Error ? error.message : error}`,
			);
		} finally {
			stopAll();
		}
	}
	console.log(
		`\nthe load generator was busy ${(busiestLoad() * 100).toFixed(0)} % of one core at most`,
	);
	summarize();
} finally {
	stopAll();
}
process.exit(failed ? 1 : 0);

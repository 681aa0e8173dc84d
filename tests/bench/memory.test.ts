/** What the bench says of memory is what it counted. */
import { expect, test } from "bun:test";
import { costOfServers } from "./memory.ts";

const MB = 1024 * 1024;

test("what a server costs is said of those that were counted, which the first step's are not", () => {
	const quick = costOfServers([70 * MB, 74 * MB]);
	expect(quick.what).toContain("200 after 200 (74.0 MB in all)");
	expect(quick.each).toBe((4 * MB) / 200);
	const whole = costOfServers([70, 75, 80, 85, 90].map((mb) => mb * MB));
	expect(whole.what).toContain("800 after 200 (90.0 MB in all)");
	expect(whole.each).toBe((20 * MB) / 800);
});

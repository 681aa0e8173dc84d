import { expect, test } from "bun:test";
import { type OverviewFacts, summarise } from "../../src/ops/overview.ts";

const GOOD: OverviewFacts = {
	setup: null,
	servers: [
		{ slug: "a", error: null },
		{ slug: "b", error: null },
	],
	backupFailure: null,
	held: null,
	isPanic: false,
	hasClient: true,
};

test("when all is well it says so, and asks for nothing", () => {
	expect(summarise(GOOD)).toEqual({
		state: "good",
		text: "All 2 servers are healthy.",
		next: null,
	});
});

test.each<[string, Partial<OverviewFacts>, string, string | undefined]>([
	[
		"no client yet",
		{ hasClient: false },
		"no client has signed in",
		"/setup/client",
	],
	["setting up is not over", { setup: "client" }, "not finished", "/setup"],
	[
		"a panic",
		{ isPanic: true, servers: [] },
		"every client is refused",
		undefined,
	],
	["no server", { servers: [] }, "no server yet", "/setup/server"],
	[
		"a failing server",
		{ servers: [{ slug: "a", error: "exited" }], setup: "done" },
		"a does not work: exited.",
		"/setup/server/tools?slug=a",
	],
	[
		"a server that is not as it was approved",
		{ held: { slug: "a", count: 2 }, backupFailure: "no space" },
		"a is not as it was approved: 2 of its definitions are hidden until you decide.",
		"/tools/a/changes",
	],
	[
		"a failed backup",
		{ backupFailure: "no space" },
		"backup failed: no space",
		undefined,
	],
])("%s is the one sentence, with where to go", (_, change, words, path) => {
	const { text, next } = summarise({ ...GOOD, ...change });
	expect(text).toContain(words);
	expect(text.endsWith(".")).toBe(true);
	expect(next?.path).toBe(path);
});

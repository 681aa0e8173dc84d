import { expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { SallyportError } from "../../src/errors.ts";
import { createLog } from "../../src/log.ts";
import { createWorks, type Report } from "../../src/ops/work.ts";

function open() {
	const logged: string[] = [];
	const log = createLog({
		level: "info",
		format: "json",
		write: (line) => logged.push(line),
	});
	return { logged, works: createWorks({ clock: systemClock, log }) };
}

test("who looks late sees every line, and who waits gets the next one and the end", async () => {
	const { works } = open();
	let report: Report = () => {};
	const { promise, resolve } = Promise.withResolvers<boolean>();
	const work = works.start("a", (say) => {
		report = say;
		say("now", "one");
		return promise;
	});
	expect(works.start("a", async () => false)).toBe(work);
	expect(work.lines()).toMatchObject([{ kind: "now", text: "one" }]);
	const next = work.changed(1);
	report("done", "two", { copy: "x" });
	await next;
	expect(works.find("a")?.lines()).toMatchObject([
		{ text: "one" },
		{ kind: "done", text: "two", copy: "x" },
	]);
	const end = work.changed(2);
	resolve(true);
	await end;
	expect(work.state()).toBe("done");
	await work.changed(2);
	expect(works.start("a", async () => true)).not.toBe(work);
});

test("what fails says what happened and what to do; a bug says nothing of itself", async () => {
	const { works, logged } = open();
	const expected = works.start("a", async () => {
		throw new SallyportError("upstream", "the CA said no", { hint: "wait" });
	});
	const bug = works.start("b", async () => {
		throw new Error("secret detail");
	});
	await Promise.all([expected.changed(0), bug.changed(0)]);
	expect(expected.lines()).toMatchObject([
		{ kind: "bad", text: "The CA said no.", remedy: "Wait." },
	]);
	expect(expected.state()).toBe("failed");
	expect(JSON.stringify(bug.lines())).not.toContain("secret");
	expect(logged.join()).toContain("work failed");
});

test("the works and their lines are bounded", async () => {
	const { works } = open();
	for (let n = 0; n < 60; n++)
		await works.start(String(n), async () => true).changed(0);
	expect(works.find("0")).toBeNull();
	expect(works.find("59")).not.toBeNull();
	const chatty = works.start("chatty", async (say) => {
		for (let n = 0; n < 1000; n++) say("note", String(n));
		return true;
	});
	await chatty.changed(500);
	expect(chatty.lines()).toHaveLength(500);
});

/** Completion, by the shells themselves. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runToEnd } from "../support/processes.ts";
import { describeWith, REPOSITORY, systemTool } from "../support/tools.ts";

async function script(shell: string): Promise<string> {
	const { code, stdout, stderr } = await runToEnd([
		process.execPath,
		join(REPOSITORY, "src/main.ts"),
		...["completion", shell],
	]);
	expect(stderr).toBe("");
	expect(code).toBe(0);
	return stdout;
}

const bash = systemTool("bash", "bash");
const fish = systemTool("fish", "fish");
const zsh = systemTool("zsh", "zsh");

describeWith([bash], "bash", () => {
	test.each<[readonly string[], readonly string[], readonly string[]]>([
		[["serv"], ["serve", "servers"], ["vault"]],
		[["servers", "a"], ["add"], ["remove"]],
		[["servers", "add", "notes", "--np"], ["--npm"], ["--url"]],
		[["certificate", ""], ["show", "renew"], ["serve"]],
		[["serve", "--acme-e"], ["--acme-email", "--acme-eab-kid"], ["--listen"]],
		[["version", "--j"], ["--json"], ["--help"]],
	])("after %j it offers %j", async (typed, offered, others) => {
		const words = ["sallyport", ...typed];
		const { stdout, stderr } = await runToEnd([
			...[bash.path as string, "-c"],
			`eval "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sallyport; printf '%s\n' "\${COMPREPLY[@]}"`,
			...["bash", await script("bash"), ...words],
		]);
		expect(stderr).toBe("");
		const found = stdout.trim().split("\n");
		expect(found).toEqual(expect.arrayContaining([...offered]));
		for (const other of others) expect(found).not.toContain(other);
	});
});

describeWith([fish], "fish", () => {
	test.each<[string, string]>([
		["sallyport serv", "servers"],
		["sallyport servers a", "add"],
		["sallyport servers add --np", "--npm"],
		["sallyport certificate r", "renew"],
	])("after %p it offers %p", async (typed, offered) => {
		const home = mkdtempSync(join(tmpdir(), "sallyport-fish-"));
		writeFileSync(join(home, "sallyport.fish"), await script("fish"));
		const { stdout, stderr } = await runToEnd(
			[
				...[fish.path as string, "--no-config", "-c"],
				`source ${home}/sallyport.fish; complete -C '${typed}'`,
			],
			{ env: { HOME: home } },
		);
		rmSync(home, { recursive: true, force: true });
		expect(stderr).toBe("");
		expect(stdout.split("\n").map((line) => line.split("\t")[0])).toContain(
			offered,
		);
	});
});

describeWith([zsh], "zsh", () => {
	test("it reads what was made for it, and knows who completes", async () => {
		const { stdout, stderr } = await runToEnd([
			...[zsh.path as string, "-f", "-c"],
			'autoload -U compinit && compinit -u -D; eval "$1"; print $_comps[sallyport]',
			...["zsh", await script("zsh")],
		]);
		expect(stderr).toBe("");
		expect(stdout).toContain("_sallyport");
	});
});

test("a shell that is not known is refused with those that are", async () => {
	const { code, stderr } = await runToEnd([
		process.execPath,
		join(REPOSITORY, "src/main.ts"),
		...["completion", "tcsh"],
	]);
	expect(code).toBe(2);
	expect(stderr).toContain("use bash, zsh or fish");
});

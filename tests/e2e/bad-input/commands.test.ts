/**
 * Bad commands: each names its exit code and what is said (contract.md 2), on standard error alone.
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { type Gateway, startGateway } from "../../support/gateway.ts";
import { fixtureCommand, stdioFlags } from "../../support/processes.ts";

setDefaultTimeout(60_000);

const HOW = stdioFlags(fixtureCommand("modern", "stdio"));

let gateway: Gateway;

beforeAll(async () => {
	gateway = await startGateway();
	await gateway.cli(["servers", "add", "good", ...HOW]);
}, 120_000);

afterAll(async () => {
	await gateway?.stop();
});

describe("the command line refuses", () => {
	const cases: readonly {
		readonly what: string;
		readonly args: readonly string[];
		readonly code: number;
		readonly says: RegExp;
		readonly hint: RegExp;
	}[] = [
		{
			what: "a slug that is taken",
			args: ["servers", "add", "good", ...HOW],
			code: 5,
			says: /good/,
			hint: /hint: /,
		},
		{
			what: "a slug with an underscore",
			args: ["servers", "add", "not_good", ...HOW],
			code: 2,
			says: /a-z, 0-9 and -/,
			hint: /hint: |letter/,
		},
		{
			what: "a slug in capitals",
			args: ["servers", "add", "GOOD", ...HOW],
			code: 2,
			says: /a-z, 0-9 and -/,
			hint: /hint: |letter/,
		},
		{
			what: "a slug of 33 letters",
			args: ["servers", "add", "a".repeat(33), ...HOW],
			code: 2,
			says: /1 to 32/,
			hint: /hint: |letter/,
		},
		{
			what: "a server that is not there",
			args: ["servers", "show", "nobody"],
			code: 3,
			says: /nobody/,
			hint: /hint: .*servers list/,
		},
		{
			what: "a server with two ways to reach it",
			args: [
				"servers",
				"add",
				"both",
				"--url",
				"http://127.0.0.1:1/mcp",
				"--npm",
				"x@1.0.0",
			],
			code: 2,
			says: /one/,
			hint: /hint: /,
		},
		{
			what: "a secret as a plain value",
			args: [
				"servers",
				"add",
				"leaky",
				"--command",
				"true",
				"--env",
				"API_KEY=abc",
			],
			code: 2,
			says: /API_KEY looks like a secret/,
			hint: /--slot/,
		},
		{
			what: "a verb that is not there, and suggests the nearest",
			args: ["servers", "lits"],
			code: 2,
			says: /lits/,
			hint: /list/,
		},
	];
	for (const { what, args: line, code, says, hint } of cases)
		test(what, async () => {
			const result = await gateway.tryCli(line);
			expect(result.code).toBe(code);
			expect(result.stdout).toBe("");
			expect(result.stderr).toStartWith("sallyport: error: ");
			expect(result.stderr).toMatch(says);
			expect(result.stderr).toMatch(hint);
		});
});

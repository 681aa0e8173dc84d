import { expect, test } from "bun:test";
import type { NameRecords } from "../../src/dns.ts";
import { checkName, isReady } from "../../src/ops/name-checks.ts";

const OWN = ["81.2.69.9", "2a01:4f8::9", "10.0.0.5", "127.0.0.1"];
const NAME = "gate.example.org";
const CA = "letsencrypt.org";

/** `A good, CAA bad`: each record and its verdict. */
function judge(
	records: Partial<NameRecords>,
	own = OWN,
	ca: string | null = CA,
): string {
	const checks = checkName(
		NAME,
		{ a: [], aaaa: [], caa: [], ...records },
		own,
		ca,
	);
	for (const { verdict, remedy } of checks)
		expect(verdict === "bad", remedy ?? "no remedy").toBe(remedy !== null);
	return checks.map(({ record, verdict }) => `${record} ${verdict}`).join(", ");
}

const issue = (value: string) => ({ tag: "issue", value });

test.each<[string, string, Partial<NameRecords>]>([
	["leads here", "A good, CAA good", { a: ["81.2.69.9"] }],
	["has no address", "A bad, CAA good", {}],
	["leads elsewhere", "A bad, CAA good", { a: ["81.2.69.7"] }],
	[
		"leads here and elsewhere",
		"A bad, CAA good",
		{ a: ["81.2.69.9", "81.2.69.7"] },
	],
	[
		"leads here by both families, however IPv6 is spelled",
		"A good, AAAA good, CAA good",
		{ a: ["81.2.69.9"], aaaa: ["2a01:04f8:0:0::9"] },
	],
	[
		"has an old AAAA record",
		"A good, AAAA bad, CAA good",
		{ a: ["81.2.69.9"], aaaa: ["2a01:4f8::7"] },
	],
	["has IPv6 only", "AAAA good, CAA good", { aaaa: ["2a01:4f8::9"] }],
	[
		"lets this CA issue",
		"A good, CAA good",
		{ a: ["81.2.69.9"], caa: [issue("a.example"), issue(`${CA}; x=y`)] },
	],
	[
		"lets another CA issue",
		"A good, CAA bad",
		{ a: ["81.2.69.9"], caa: [issue("a.example")] },
	],
	[
		"lets nobody issue",
		"A good, CAA bad",
		{ a: ["81.2.69.9"], caa: [issue(";")] },
	],
	[
		"says only whom to write to",
		"A good, CAA good",
		{ a: ["81.2.69.9"], caa: [{ tag: "iodef", value: "mailto:a@b" }] },
	],
])("a name that %s: %s", (_, verdicts, records) => {
	expect(judge(records)).toBe(verdicts);
});

test("behind a router an address is left open, and an unknown CA too: the order will tell", () => {
	const records = { a: ["81.2.69.9"], caa: [issue("ca.lan")] };
	expect(judge(records, ["10.0.0.5"], null)).toBe("A open, CAA open");
	expect(judge({ a: ["10.0.0.5"] }, ["10.0.0.5"])).toBe("A good, CAA good");
});

test("the record to create is one that can be copied", () => {
	const [a, caa] = checkName(
		NAME,
		{ a: [], aaaa: [], caa: [issue("a.example")] },
		OWN,
		CA,
	);
	expect(a?.line).toBe("gate.example.org. A 81.2.69.9");
	expect(caa?.line).toBe('gate.example.org. CAA 0 issue "letsencrypt.org"');
});

test("Cloudflare before a name is called by its name", () => {
	const checks = checkName(
		NAME,
		{ a: ["104.16.1.2"], aaaa: ["2606:4700::1"], caa: [] },
		OWN,
		CA,
	);
	expect(isReady(checks)).toBe(false);
	for (const { text, remedy } of checks.slice(0, 2)) {
		expect(text).toContain("Cloudflare");
		expect(remedy).toContain("DNS only");
	}
});

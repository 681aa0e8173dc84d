import { afterAll, beforeAll, expect, test } from "bun:test";
import { createDns } from "../src/dns.ts";
import { type NameServer, startNameServer } from "./support/dns.ts";

let names: NameServer;
beforeAll(async () => {
	names = await startNameServer({
		"gate.example.test": { addresses: ["203.0.113.9", "2001:db8::9"] },
		"four.example.test": { addresses: ["203.0.113.9"] },
		"example.test": { caa: [["issue", "ca.example"]] },
		"own.example.test": {
			addresses: ["203.0.113.9"],
			caa: [
				["issue", "other.example"],
				["iodef", "mailto:a@b"],
			],
		},
		"broken.example.test": "fails",
	});
});
afterAll(() => names.stop());

test("what a name says is asked of the name servers, and CAA of its closest parent that has any (RFC 8659 3)", async () => {
	const dns = createDns([names.at]);
	expect(await dns.lookup("gate.example.test")).toEqual({
		a: ["203.0.113.9"],
		aaaa: ["2001:db8::9"],
		caa: [{ tag: "issue", value: "ca.example" }],
	});
	expect((await dns.lookup("own.example.test")).caa).toEqual([
		{ tag: "issue", value: "other.example" },
		{ tag: "iodef", value: "mailto:a@b" },
	]);
});

test("what is not there is empty, and not a failure", async () => {
	const dns = createDns([names.at]);
	expect(await dns.lookup("nowhere.example.org")).toEqual({
		a: [],
		aaaa: [],
		caa: [],
	});
	expect((await dns.lookup("four.example.test")).aaaa).toEqual([]);
});

test("a name server that fails is told apart from a name that is not there", async () => {
	await expect(
		createDns([names.at]).lookup("broken.example.test"),
	).rejects.toThrow("do not answer");
});

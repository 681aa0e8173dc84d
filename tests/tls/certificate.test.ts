import { expect, test } from "bun:test";
import {
	covers,
	readCertificate,
	requireServable,
	spellFingerprint,
} from "../../src/tls/certificate.ts";
import {
	namesKey,
	parseIdentifier,
	parseIdentifiers,
} from "../../src/tls/identifiers.ts";
import { createSelfSigned } from "../../src/tls/self-signed.ts";

const NOW = 1_800_000_000;
const DAY = 86_400;

test("a name has one spelling, whatever its case, script or final dot", () => {
	expect(parseIdentifier("Gate.Example.ORG.")).toEqual({
		type: "dns",
		value: "gate.example.org",
	});
	expect(parseIdentifier("münchen.example")?.value).toBe(
		"xn--mnchen-3ya.example",
	);
});

test("an address has one spelling (RFC 5952), with or without brackets", () => {
	expect(parseIdentifier("[2001:DB8:0:0:0:0:0:1]")).toEqual({
		type: "ip",
		value: "2001:db8::1",
	});
	expect(parseIdentifier("203.0.113.9")?.type).toBe("ip");
});

test.each(["", "gateway", "*.example.org", "a..example", "http://a.example"])(
	"%p is not a name a certificate can be for",
	(name) => {
		expect(parseIdentifier(name)).toBeNull();
		expect(() => parseIdentifiers([name])).toThrow("not a name");
	},
);

test("a set of names has one key, whatever its order", () => {
	const key = namesKey(
		parseIdentifiers(["b.example", "a.example", "B.example"]),
	);
	expect(key).toBe("a.example,b.example");
});

test("a self-signed certificate is for its names and says its fingerprint", async () => {
	const names = parseIdentifiers(["gate.example.org", "127.0.0.1", "::1"]);
	const pair = await createSelfSigned(names, NOW);
	const facts = requireServable(pair, NOW);
	expect(facts.names).toEqual(["127.0.0.1", "::1", "gate.example.org"]);
	expect(covers(facts, names)).toBe(true);
	expect(covers(facts, parseIdentifiers(["other.example.org"]))).toBe(false);
	expect(facts.notAfter - NOW).toBeGreaterThan(9 * 365 * DAY);
	expect(spellFingerprint(facts.fingerprint)).toMatch(
		/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/,
	);
});

test("a wildcard is for one more label, and for no address (RFC 9525 6.3)", async () => {
	const [pair, asked] = [
		await createSelfSigned([{ type: "dns", value: "*.example.org" }], NOW),
		(name: string) => parseIdentifiers([name]),
	];
	const facts = readCertificate(pair.chain);
	expect(covers(facts, asked("gate.example.org"))).toBe(true);
	expect(covers(facts, asked("example.org"))).toBe(false);
	expect(covers(facts, asked("a.gate.example.org"))).toBe(false);
	expect(covers({ ...facts, names: ["*.0.2.1"] }, asked("192.0.2.1"))).toBe(
		false,
	);
});

test("a pair that does not belong together is refused, and says what to do", async () => {
	const names = parseIdentifiers(["gate.example.org"]);
	const one = await createSelfSigned(names, NOW);
	const other = await createSelfSigned(names, NOW);
	expect(() =>
		requireServable({ chain: one.chain, key: other.key }, NOW),
	).toThrow("the key does not belong to the certificate");
	expect(() =>
		requireServable({ chain: "nonsense", key: one.key }, NOW),
	).toThrow("not a chain in PEM");
	expect(() =>
		requireServable({ chain: one.chain, key: "nonsense" }, NOW),
	).toThrow("does not belong");
});

test("a certificate is refused after its end and before its beginning", async () => {
	const pair = await createSelfSigned(
		parseIdentifiers(["gate.example.org"]),
		NOW,
	);
	const { notBefore, notAfter } = readCertificate(pair.chain);
	expect(() => requireServable(pair, notAfter)).toThrow("ended on");
	expect(() => requireServable(pair, notBefore - 1)).toThrow("begins on");
	requireServable(pair, notBefore);
});

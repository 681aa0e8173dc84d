import { expect, test } from "bun:test";
import { SallyportError } from "../../src/errors.ts";
import {
	parseProblem,
	parseRetryAfter,
	problemOf,
	remedyFor,
} from "../../src/tls/acme-problem.ts";

const NAMESPACE = "urn:ietf:params:acme:error:";
const NOW = 1_800_000_000;

test.each([
	["120", 120],
	["0", 0],
	[" 5 ", 5],
	[new Date((NOW + 90) * 1000).toUTCString(), 90],
	[new Date((NOW - 90) * 1000).toUTCString(), 0],
	["99999999", 7 * 86_400],
	["soon", null],
	["-5", null],
	[null, null],
])("Retry-After %p is %p seconds (RFC 9110 10.2.3)", (value, seconds) => {
	expect(parseRetryAfter(value, NOW)).toBe(seconds);
});

test("a problem is read whole: type, words, name, and how long to wait (RFC 8555 6.7)", () => {
	const { problem } = parseProblem(
		{
			type: `${NAMESPACE}rateLimited`,
			detail: "too many\ncertificates",
			identifier: { type: "dns", value: "gate.example.org" },
		},
		429,
		60,
	);
	expect(problem).toEqual({
		type: "rateLimited",
		detail: "too many certificates",
		identifier: "gate.example.org",
		retryAfterSeconds: 60,
	});
});

test("a compound problem is named by its first part (RFC 8555 6.7.1)", () => {
	const { problem } = parseProblem(
		{
			type: `${NAMESPACE}malformed`,
			detail: "some identifiers were rejected",
			subproblems: [
				{
					type: `${NAMESPACE}rejectedIdentifier`,
					detail: "no such suffix",
					identifier: { type: "dns", value: "a.invalid" },
				},
			],
		},
		400,
		null,
	);
	expect(problem).toMatchObject({
		type: "rejectedIdentifier",
		detail: "some identifiers were rejected; no such suffix",
		identifier: "a.invalid",
	});
});

test.each([
	[null, 503, "serverInternal"],
	[null, 429, "rateLimited"],
	["text", 400, "serverInternal"],
	[{ type: 5, detail: {}, subproblems: "no" }, 400, "serverInternal"],
])(
	"what is no problem document (%j, %p) is still a failure",
	(body, status, type) => {
		const { problem } = parseProblem(body, status, null);
		expect(problem.type).toBe(type);
		expect(problem.detail).toBe(`the CA answered ${status}`);
	},
);

test("a CA's words are cut to one line of a length", () => {
	const { problem } = parseProblem(
		{ detail: `\u001b[31m${"x".repeat(5000)}` },
		400,
		null,
	);
	expect(problem.detail.length).toBeLessThanOrEqual(600);
	expect(problem.detail).not.toContain("\u001b");
});

test("every kind of failure has a remedy that names what it is about", () => {
	const remedy = (type: string): string =>
		remedyFor(
			{ type, detail: "", identifier: null, retryAfterSeconds: null },
			"gate.example.org",
		);
	for (const type of [
		"connection",
		"dns",
		"unauthorized",
		"caa",
		"rejectedIdentifier",
	])
		expect(remedy(type)).toContain("gate.example.org");
	expect(remedy("somethingNew")).toContain("tries again");
});

test("a refusal of the network is a failure; a bug stays a throw", () => {
	expect(
		problemOf(new SallyportError("upstream", "cannot reach ca.example")).type,
	).toBe("unreachable");
	expect(() => problemOf(new TypeError("x is undefined"))).toThrow(
		"x is undefined",
	);
});

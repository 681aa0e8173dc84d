import { expect, test } from "bun:test";
import {
	asksFallback,
	fractionOf,
	nextAttempt,
	parseRenewalInfo,
	pollSeconds,
	RETRIES,
	renewFrom,
	urgency,
} from "../../src/tls/renewal.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;
const START = 1_800_000_000;

function lifetime(seconds: number): { notBefore: number; notAfter: number } {
	return { notBefore: START, notAfter: START + seconds };
}

test.each([
	["90 days", 90 * DAY, 60 * DAY],
	["45 days", 45 * DAY, 30 * DAY],
	["160 hours (shortlived)", 160 * HOUR, 80 * HOUR],
	["90 seconds", 90, 45],
])(
	"without renewal information, %s are renewed at a third left, or at half when short",
	(_name, life, expected) => {
		expect(renewFrom(lifetime(life), null, 0) - START).toBe(expected);
		const latest = renewFrom(lifetime(life), null, 1) - START;
		expect(latest).toBeLessThan(expected);
		expect(expected - latest).toBeLessThanOrEqual(HOUR);
	},
);

test("with renewal information, a moment in the window that stays while the window does (RFC 9773 4.2)", () => {
	const window = { start: START + 10 * DAY, end: START + 20 * DAY };
	const chosen = renewFrom(lifetime(90 * DAY), window, 0.5);
	expect(chosen).toBe(START + 15 * DAY);
	expect(renewFrom(lifetime(90 * DAY), window, 0.5)).toBe(chosen);
});

test("a window in the past means now", () => {
	const window = { start: START - 2 * DAY, end: START - DAY };
	expect(renewFrom(lifetime(90 * DAY), window, 0.9)).toBeLessThan(START);
});

test("a window near or after the end is overruled in the last twentieth of the life", () => {
	const window = { start: START + 99 * DAY, end: START + 120 * DAY };
	expect(renewFrom(lifetime(100 * DAY), window, 0.5)).toBe(START + 95 * DAY);
});

test("the fraction is the certificate's own", () => {
	expect(fractionOf("00".repeat(32))).toBe(0);
	expect(fractionOf("ff".repeat(32))).toBeLessThan(1);
	expect(fractionOf(`80${"0".repeat(62)}`)).toBe(0.5);
});

test("renewal information is read, and its link kept", () => {
	expect(
		parseRenewalInfo({
			suggestedWindow: {
				start: "2027-01-15T00:00:00Z",
				end: "2027-01-16T00:00:00Z",
			},
			explanationURL: "https://ca.example/why",
		}),
	).toEqual({
		window: { start: 1_799_971_200, end: 1_800_057_600 },
		explanationUrl: "https://ca.example/why",
	});
});

test.each([
	null,
	"text",
	{},
	{ suggestedWindow: { start: "soon", end: "later" } },
	{
		suggestedWindow: {
			start: "2027-01-16T00:00:00Z",
			end: "2027-01-15T00:00:00Z",
		},
	},
	{
		suggestedWindow: {
			start: "2027-01-16T00:00:00Z",
			end: "2027-01-16T00:00:00Z",
		},
	},
])("renewal information %j means nothing (RFC 9773 4.2)", (body) => {
	expect(parseRenewalInfo(body)).toBeNull();
});

test("a link that is not https is dropped", () => {
	const info = parseRenewalInfo({
		suggestedWindow: {
			start: "2027-01-15T00:00:00Z",
			end: "2027-01-16T00:00:00Z",
		},
		explanationURL: "javascript:alert(1)",
	});
	expect(info?.explanationUrl).toBeNull();
});

test("renewal information is asked for as often as the CA says, within a minute and a day (RFC 9773 4.3)", () => {
	expect(pollSeconds(21_600)).toBe(21_600);
	expect(pollSeconds(0)).toBe(60);
	expect(pollSeconds(10 * DAY)).toBe(DAY);
	expect(pollSeconds(null)).toBe(6 * HOUR);
});

test("the first attempt is at production; after a failure staging comes first, ever later", () => {
	expect(nextAttempt(0, false, null)).toEqual({
		waitSeconds: 0,
		at: "production",
	});
	const waits = [1, 2, 3, 4, 5, 50].map((failures) =>
		nextAttempt(failures, false, null),
	);
	expect(waits.map(({ at }) => at)).toEqual(Array(6).fill("staging"));
	expect(waits.map(({ waitSeconds }) => waitSeconds)).toEqual([
		60,
		600,
		6000,
		DAY,
		DAY,
		DAY,
	]);
	expect(RETRIES).toHaveLength(4);
});

test("when staging has passed, production is next and at once", () => {
	expect(nextAttempt(3, true, null)).toEqual({
		waitSeconds: 0,
		at: "production",
	});
});

test("near its end a certificate is retried more often than daily, but not without end", () => {
	expect(nextAttempt(6, false, 80 * HOUR).waitSeconds).toBe(10 * HOUR);
	expect(nextAttempt(6, false, HOUR).waitSeconds).toBe(900);
	expect(nextAttempt(6, false, -HOUR).waitSeconds).toBe(900);
});

test("an end that nears is announced, twice", () => {
	expect(urgency(lifetime(100), START + 50)).toBe("none");
	expect(urgency(lifetime(100), START + 76)).toBe("soon");
	expect(urgency(lifetime(100), START + 91)).toBe("urgent");
	expect(urgency(lifetime(100), START + 200)).toBe("urgent");
});

test("a second CA is asked after three failures, or at once when the first wants more than six hours", () => {
	expect([1, 2, 3, 4].map((failures) => asksFallback(failures, null))).toEqual([
		...[false, false, true, true],
	]);
	expect(asksFallback(1, 6 * HOUR)).toBe(false);
	expect(asksFallback(1, 6 * HOUR + 1)).toBe(true);
});

import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import type { Alert } from "../../src/ops/alerts.ts";
import { listNotices, watchExpiry } from "../../src/ops/expiry.ts";
import type { CertificateView } from "../../src/tls/certificates.ts";

const DAY = 86_400;
const FAILURE = {
	at: 1,
	directory: "https://ca.example/dir",
	detail: "CAA record prevents issuance",
	remedy: "add a CAA record that allows this CA",
};
const VIEW: CertificateView = {
	names: ["gate.example.org"],
	trusted: true,
	issuer: "R12 (Example CA)",
	fingerprint: "AB:CD",
	notBefore: 0,
	notAfter: 90 * DAY,
	renewAt: 60 * DAY,
	explanationUrl: null,
	failure: null,
};

test.each([
	["a third of its life before the end", 60, 0, null],
	["22 days before the end", 68, 0, "ends in 22 days"],
	["8 days before the end", 82, 1, "ends in 8 days"],
	["on its last day", 89.5, 1, "ends within a day"],
	["after its end", 91, 1, "has ended"],
])("%s, administrators read %#", (_when, day, urgent, words) => {
	const notices = listNotices([VIEW], day * DAY);
	if (words === null) expect(notices).toEqual([]);
	else {
		expect(notices[0]?.text).toContain(words);
		expect(notices[0]?.isUrgent).toBe(urgent === 1);
	}
});

test("the CA's words and ours are part of it", () => {
	const [notice] = listNotices([{ ...VIEW, failure: FAILURE }], 85 * DAY);
	expect(notice?.text).toBe(
		"The certificate of gate.example.org ends in 5 days. The last error was: CAA record prevents issuance. What to do: add a CAA record that allows this CA.",
	);
});

test("one that nobody trusts yet is told with the reason, and its own end does not matter", () => {
	const untrusted = { ...VIEW, trusted: false };
	expect(listNotices([untrusted], 91 * DAY)).toEqual([]);
	const [notice] = listNotices([{ ...untrusted, failure: FAILURE }], 91 * DAY);
	expect(notice?.text).toContain("do not trust the certificate");
	expect(notice?.text).toContain(FAILURE.remedy);
});

const stops: (() => void)[] = [];
afterEach(() => {
	for (const stop of stops.splice(0)) stop();
});

test("the log and the webhook are told of the same certificate", () => {
	const lines: string[] = [];
	const sent: Alert[] = [];
	stops.push(
		watchExpiry({
			certificates: { list: () => [VIEW] },
			clock: { ...systemClock, now: () => 82 * DAY },
			log: createLog({
				level: "debug",
				format: "json",
				write: (line) => lines.push(line),
			}),
			alerts: { send: (alert) => void sent.push(alert), stop: () => {} },
		}),
	);
	expect(lines).toHaveLength(1);
	expect(lines[0]).toContain('"level":"error","event":"certificate ends soon"');
	expect(sent).toEqual([
		{
			event: "certificate.ends",
			isUrgent: true,
			text: expect.stringContaining("ends in 8 days"),
			names: ["gate.example.org"],
			endsAt: 90 * DAY,
		},
	]);
});

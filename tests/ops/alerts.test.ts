import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import { type Alert, type Alerts, createAlerts } from "../../src/ops/alerts.ts";
import { until } from "../support/until.ts";

const ALERT: Alert = {
	event: "certificate.ends",
	isUrgent: true,
	text: "The certificate of gate.example.org ends within a day.",
	names: ["gate.example.org"],
	endsAt: 1_800_000_000,
};
const SECRET = "T0K3N-of-the-webhook";

const closers: (() => unknown)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0)) await close();
});

/** A webhook that answers these in turn, the last one for ever. */
function startWebhook(...answers: readonly number[]): {
	url: string;
	bodies: Record<string, unknown>[];
} {
	const bodies: Record<string, unknown>[] = [];
	const server = Bun.serve({
		hostname: "127.0.0.1",
		port: 0,
		fetch: async (request) => {
			bodies.push((await request.json()) as Record<string, unknown>);
			const at = Math.min(bodies.length, answers.length) - 1;
			return new Response("thanks", { status: answers[at] ?? 200 });
		},
	});
	closers.push(() => server.stop(true));
	return { url: `http://127.0.0.1:${server.port}/${SECRET}`, bodies };
}

function open(url: string | null): { alerts: Alerts; lines: string[] } {
	const lines: string[] = [];
	const alerts = createAlerts({
		url,
		origin: () => "https://gate.example.org",
		clock: { ...systemClock, now: () => 1_799_990_000 },
		log: createLog({
			level: "debug",
			format: "json",
			write: (line) => lines.push(line),
		}),
		retryDelaysMs: [5, 5],
	});
	closers.push(alerts.stop);
	return { alerts, lines };
}

test("an alert is one JSON object: which gateway, what, since when, what to do", async () => {
	const { url, bodies } = startWebhook(200);
	const { alerts, lines } = open(url);
	alerts.send(ALERT);
	await until("it arrived", () => bodies.length > 0);
	expect(bodies).toEqual([
		{
			event: "certificate.ends",
			gateway: "https://gate.example.org",
			at: "2027-01-15T05:13:20.000Z",
			urgent: true,
			text: ALERT.text,
			names: ["gate.example.org"],
			ends_at: "2027-01-15T08:00:00.000Z",
		},
	]);
	expect(lines).toEqual([]);
});

test("a webhook that fails is tried again, and its URL is in no log", async () => {
	const { url, bodies } = startWebhook(500, 301, 200);
	const { alerts, lines } = open(url);
	alerts.send(ALERT);
	await until("the third try arrived", () => bodies.length === 3);
	expect(lines).toHaveLength(2);
	expect(lines[0]).toContain("the webhook answered 500");
	expect(lines.join("")).not.toContain(SECRET);
});

test("it is given up after the last try, and where nobody listens too", async () => {
	const { url, bodies } = startWebhook(503);
	const failing = open(url);
	failing.alerts.send(ALERT);
	await until("it was given up", () => failing.lines.length === 3);
	expect(bodies).toHaveLength(3);
	const absent = open("http://127.0.0.1:1/x");
	absent.alerts.send(ALERT);
	await until("it was given up", () => absent.lines.length === 3);
	expect(absent.lines[2]).toContain("cannot be reached");
});

test("without a webhook nothing is sent and nothing goes wrong", () => {
	const { alerts, lines } = open(null);
	alerts.send(ALERT);
	expect(lines).toEqual([]);
});

/** E and F. Many at once: sign-ins (research/oauth.md 5, 63) and registrations (70). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { openBrowser, REDIRECT, signIn } from "../oauth/authority.ts";
import type { Person } from "../support/browser.ts";
import { advance, openTarget, type Target } from "./target.ts";

setDefaultTimeout(180_000);

const PEOPLE = 25;
/** Each of them from as many browsers: fewer than their account is slowed down for. */
const BROWSERS = 8;
const TRIES_MAX = 60;
/** Two hashes of 64 MiB at once, and what else a busy minute takes. */
const MEMORY_GROWTH_KIB = 2 * 64 * 1024 + 96 * 1024;

const REGISTRATIONS = 10_000;
const DAYS = 10;
/** Registrations that nobody has used: the bound of the store (research 1.6). */
const UNUSED_MAX = 1000;
const DATABASE_BYTES_MAX = 8 * 1024 * 1024;

let target: Target;
beforeAll(async () => {
	target = await openTarget();
});
afterAll(() => target?.stop());

/** A number of kibibytes that the kernel knows of the executable; null in this process. */
function memoryKib(name: "VmRSS" | "VmHWM"): number | null {
	const pid = target.gateway.pid();
	if (pid === null) return null;
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
}

/** Signs in, and comes again when told to. @returns how often it was sent away */
async function signInPatiently(person: Person): Promise<number> {
	const browser = openBrowser(target);
	for (let tries = 0; tries < TRIES_MAX; tries++) {
		const answer = await signIn(browser, person);
		if (answer.status === 303) return tries;
		expect(answer.status).toBe(503);
		const wait = Number(answer.headers.get("Retry-After"));
		expect(wait).toBeGreaterThan(0);
		await Bun.sleep(wait * 1000 * (0.5 + Math.random()));
	}
	throw new Error("never let in");
}

test(`63: ${PEOPLE * BROWSERS} sign-ins at once: some are sent away for a while, all get in, and memory stays flat`, async () => {
	const people: Person[] = [];
	for (let at = 0; at < PEOPLE; at++)
		people.push(await target.gateway.addUser(`person${at}@example.org`));
	const before = memoryKib("VmRSS");
	const sentAway = await Promise.all(
		Array.from({ length: BROWSERS }, () => people)
			.flat()
			.map(signInPatiently),
	);
	expect(sentAway.some((times) => times > 0)).toBe(true);
	const after = memoryKib("VmHWM");
	if (before === null || after === null) return;
	console.log(
		`${sentAway.length} sign-ins: sent away ${Math.max(...sentAway)} times at most; ${before} KiB before, ${after} KiB at the most`,
	);
	expect(after - before).toBeLessThan(MEMORY_GROWTH_KIB);
});

test(`70: ${REGISTRATIONS} registrations over ${DAYS} days leave a bounded number of rows`, async () => {
	const body = JSON.stringify({
		client_name: "x".repeat(64),
		redirect_uris: Array.from({ length: 10 }, (_, at) => `${REDIRECT}/${at}`),
	});
	let accepted = 0;
	for (let day = 0; day < DAYS; day++) {
		const statuses = await Promise.all(
			Array.from({ length: REGISTRATIONS / DAYS }, async (_, at) => {
				const answer = await target.send("/register", {
					method: "POST",
					headers: {
						"Content-Type": "application/json",
						"X-Forwarded-For": `10.${100 + day}.${at >> 8}.${at & 255}`,
					},
					body,
				});
				return answer.status;
			}),
		);
		for (const status of statuses) expect([201, 429]).toContain(status);
		accepted += statuses.filter((status) => status === 201).length;
		advance(24 * 3600);
	}
	expect(accepted).toBeGreaterThan(UNUSED_MAX);
	const list = JSON.parse(
		await target.gateway.cli(["clients", "list", "--json"]),
	) as { clients: unknown[] };
	expect(list.clients.length).toBeLessThanOrEqual(UNUSED_MAX);
	const { size } = statSync(join(target.gateway.dataDir, "sallyport.db"));
	expect(size).toBeLessThan(DATABASE_BYTES_MAX);
});

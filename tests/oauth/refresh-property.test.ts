/**
 * The refresh policy as a property: random interleavings of honest processes, lost answers, an old copy somewhere, a
 * clock that jumps, and a gateway that is killed and goes on with what it had committed, against a model of a dozen lines (research/oauth.md 1.5). What must always hold:
 *
 * 1. A family has at most one token that was not rotated.
 * 2. Whoever holds the newest token, or the one before while the newest was not used, is never refused.
 * 3. Neither a crash nor a restart changes what a token is.
 * 4. An old token changes nothing for ten minutes after its rotation, and ends the family after that.
 */
import { afterEach, expect, test } from "bun:test";
import {
	type Authority,
	judge,
	openAuthority,
	refresh,
	signInClient,
} from "./authority.ts";

const RUNS = Number(Bun.env["REFRESH_RUNS"] ?? 60);
const STEPS = 25;
const JUMPS = [0, 1, 30, 59, 60, 61, 300, 600, 601, 3600] as const;

let authority: Authority;
afterEach(() => authority.stop());

/** A generator of the same numbers for the same seed (mulberry32), so that a failure can be seen again. */
function createDice(seed: number): (sides: number) => number {
	let state = seed;
	return (sides) => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
	};
}

type Expected = "rotates" | "repeats" | "refused" | "ends";

/** The policy: what presenting generation `at` does when `newest` is the newest. */
function policy(
	at: number,
	newest: number,
	rotatedAt: readonly number[],
	now: number,
): Expected {
	if (at === newest) return "rotates";
	if (at === newest - 1) return "repeats";
	const age = now - (rotatedAt[at] ?? 0);
	if (age <= 60) return "repeats";
	return age <= 600 ? "refused" : "ends";
}

async function run(seed: number): Promise<void> {
	const roll = createDice(seed);
	const { client, tokens: first } = await signInClient(authority);
	const tokens = [first.refresh_token];
	const rotatedAt: number[] = [];
	const unrotated = (): number =>
		authority.db
			.query(
				`SELECT 1 FROM refresh_tokens WHERE rotated_at IS NULL AND grant_id =
				 (SELECT id FROM grants WHERE client_id = ?)`,
			)
			.all(client.client_id).length;

	for (let step = 0; step < STEPS; step++) {
		const where = `seed ${seed}, step ${step}`;
		if (roll(8) === 0) {
			const killed = authority;
			authority = await openAuthority({ killed });
			killed.stop();
		}
		authority.advance(JUMPS[roll(JUMPS.length)] ?? 0);
		const newest = tokens.length - 1;
		// Mostly the newest, often the one before (a lost answer), now and then something old.
		const at = Math.max(0, newest - [0, 0, 0, 1, 1, 2, 3, 7][roll(8)]!);
		const expected = policy(at, newest, rotatedAt, authority.now());
		const many = roll(4) === 0 ? 1 + roll(5) : 1;
		const answers = await Promise.all(
			Array.from({ length: many }, () =>
				refresh(authority, client, tokens[at] ?? ""),
			),
		);
		const given = new Set(answers.map((answer) => answer.refresh_token));
		if (expected === "rotates" || expected === "repeats") {
			for (const { status, access_token } of answers) {
				expect([where, status]).toEqual([where, 200]);
				expect([where, judge(authority, access_token).ok]).toEqual([
					where,
					true,
				]);
			}
			expect([where, given.size]).toEqual([where, 1]);
			const [token = ""] = given;
			if (expected === "repeats")
				expect([where, token]).toEqual([where, tokens[at + 1] ?? ""]);
			else {
				tokens.push(token);
				rotatedAt[at] = authority.now();
			}
		} else
			for (const { error } of answers)
				expect([where, error]).toEqual([where, "invalid_grant"]);
		expect([where, unrotated()]).toEqual([where, expected === "ends" ? 0 : 1]);
		if (expected !== "ends") continue;
		const after = await refresh(authority, client, tokens.at(-1) ?? "");
		expect([where, after.error]).toEqual([where, "invalid_grant"]);
		return;
	}
}

test(`no interleaving of ${STEPS} refreshes breaks a family or lets a thief keep it, ${RUNS} times`, async () => {
	authority = await openAuthority();
	for (let seed = 1; seed <= RUNS; seed++) await run(seed);
});

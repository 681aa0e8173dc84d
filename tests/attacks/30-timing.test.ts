/**
 * B, D and E. What an answer's time tells (research/oauth.md 5, 30, 45, 61). The two questions are asked in turn, many
 * times, and the medians compared: a difference that an attacker could use over a network is many times the bound.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { mintCredential, parseCredential } from "../../src/mint.ts";
import {
	csrfOf,
	OWNER,
	openBrowser,
	signInClient,
} from "../oauth/authority.ts";
import { openTarget, type Target } from "./target.ts";

setDefaultTimeout(120_000);

const CHECKSUM_LENGTH = 6;

let target: Target;
beforeAll(async () => {
	target = await openTarget();
});
afterAll(() => target?.stop());

type Work = () => Promise<unknown>;

function median(numbers: readonly number[]): number {
	return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

/** The median milliseconds of each, asked in turn. */
async function medians(
	times: number,
	one: Work,
	other: Work,
): Promise<readonly [number, number]> {
	const samples: readonly [number[], number[]] = [[], []];
	for (let at = 0; at < times; at++)
		for (const [which, work] of [one, other].entries()) {
			const started = performance.now();
			await work();
			samples[which]?.push(performance.now() - started);
		}
	return [median(samples[0]), median(samples[1])];
}

test("30: a token that is nearly right is refused no later than one that is all wrong", async () => {
	const { tokens } = await signInClient(target);
	// Both have a good form, so that both reach the store; one differs from a live token in its last random character.
	const wrong = mintCredential("access");
	const near = nearly(tokens.access_token);
	expect(parseCredential("access", near)).not.toBeNull();
	const [nearMs, farMs] = await medians(
		400,
		() => target.use(near),
		() => target.use(wrong),
	);
	expect(Math.abs(nearMs - farMs)).toBeLessThan(1);
});

/** The same random bytes but for the last character, with the checksum that an attacker would work out. */
function nearly(token: string): string {
	const at = token.length - CHECKSUM_LENGTH - 1;
	const text = token.slice(0, at) + (token[at] === "A" ? "E" : "A");
	const checksum = createHash("sha256").update(text).digest("base64url");
	return text + checksum.slice(0, CHECKSUM_LENGTH);
}

test("45: an unknown client and a wrong secret take the same time", async () => {
	const printed = await target.gateway.cli([
		...["clients", "add", "closed", "--secret"],
		...["--redirect-uri", "https://chat.example.org/cb"],
	]);
	const known = /cli_\S+/.exec(printed)?.[0] ?? "";
	const ask = (client_id: string): Promise<unknown> =>
		target
			.send("/token", {
				method: "POST",
				body: new URLSearchParams({
					grant_type: "authorization_code",
					client_id,
					client_secret: mintCredential("clientSecret"),
					code: "x",
				}),
			})
			.then((answer) => answer.text());
	const [unknown, wrong] = await medians(
		200,
		() => ask("cli_0123456789abcdef"),
		() => ask(known),
	);
	expect(Math.abs(unknown - wrong)).toBeLessThan(5);
});

test("61: an unknown address and a wrong password take the same time", async () => {
	let from = 0;
	const guess = async (email: string): Promise<void> => {
		const browser = openBrowser(target);
		const csrf = csrfOf(await (await browser.get("/login")).text());
		from++;
		const answer = await target.send("/login", {
			method: "POST",
			headers: {
				Cookie: [...browser.cookies].map((pair) => pair.join("=")).join("; "),
				"Sec-Fetch-Site": "same-origin",
				Origin: "null",
				"X-Forwarded-For": `10.61.0.${from}`,
			},
			body: new URLSearchParams({ csrf, email, password: "not the password" }),
		});
		expect(answer.status).toBe(401);
	};
	// Few enough that the account is not slowed down.
	const [unknown, wrong] = await medians(
		7,
		() => guess(`nobody${from}@example.org`),
		() => guess(OWNER.email),
	);
	expect(unknown / wrong).toBeGreaterThan(0.6);
	expect(unknown / wrong).toBeLessThan(1.6);
});

/**
 * P9: how many sign-ins and refreshes a second. The driver is ours and slower than the gateway, so what counts is the
 * processor time that the gateway spends on each.
 */
import {
	allow,
	authorizeQuery,
	type Client,
	openBrowser,
	type Place,
	redeem,
	refresh,
	register,
	signIn,
} from "../oauth/authority.ts";
import { median, QUICK, ROUNDS, report, short } from "./bench.ts";
import { cpuUs, createGateway, OWNER } from "./processes.ts";

/** What is compiled by then, and what is cached, is what a gateway has that has been up for a while. */
const WARM_UP = 512;
const FLOWS = QUICK ? 512 : 2048;
const SIDE_BY_SIDE = 16;

/** A client, and its refresh token of the moment. */
type Holder = { readonly client: Client; token: string };

/**
 * A sign-in is what the gateway itself does for one: the request is judged and the consent page written, the decision
 * makes a code, the code is redeemed. The person is signed in already: the sign-in page, which they would be shown
 * before, is not in the figure; nor is their password.
 */
export async function measureSignIn(): Promise<void> {
	const gateway = await createGateway();
	await gateway.stop();
	const { url, pid } = await gateway.start();
	const place: Place = {
		issuer: url,
		send: (path, init) =>
			fetch(new URL(path, url), {
				...init,
				headers: {
					...Object.fromEntries(new Headers(init?.headers)),
					"x-forwarded-for": nextAddress(),
				},
				redirect: "manual",
			}),
	};
	const browser = openBrowser(place);
	await signIn(browser, OWNER);
	const client = await register(place);
	const signedIn = async (as: Client): Promise<string> => {
		const sent = await allow(place, authorizeQuery(as), browser);
		const code = sent.searchParams.get("code") ?? "";
		const { status, refresh_token } = await redeem(place, as, code);
		if (status !== 200) throw new Error(`a code was answered with ${status}`);
		return refresh_token;
	};
	const signIns = await rate(pid, FLOWS, async (count) => {
		for (let at = 0; at < count; at++) await signedIn(client);
	});
	report(
		"P9",
		"request, consent, code, token; no person, no argon2",
		`${short(signIns)}/s by CPU`,
		"≥ 1,000/s",
		signIns >= 1000,
	);

	const holders: Holder[] = [];
	for (let at = 0; at < SIDE_BY_SIDE; at++) {
		const other = await register(place);
		holders.push({ client: other, token: await signedIn(other) });
	}
	const refreshed = async (holder: Holder, count: number): Promise<void> => {
		for (let at = 0; at < count; at++) {
			const answer = await refresh(place, holder.client, holder.token);
			if (answer.status !== 200)
				throw new Error(`a refresh was answered with ${answer.status}`);
			holder.token = answer.refresh_token;
		}
	};
	const refreshes = await rate(pid, FLOWS * 2, (count) =>
		Promise.all(
			holders.map((holder) => refreshed(holder, count / SIDE_BY_SIDE)),
		),
	);
	report(
		"P9",
		"refresh",
		`${short(refreshes)}/s by CPU`,
		"≥ 3,000/s",
		refreshes >= 3000,
	);
	await gateway.stop();
}

let addresses = 0;

/** Whoever signs in comes from another network each time: one that tries so often would be told to wait. */
function nextAddress(): string {
	const at = addresses++;
	return `10.${(at >> 14) & 0xff}.${(at >> 6) & 0xff}.${(at & 63) + 1}`;
}

/** How often a second of the gateway's own processor time is enough for, when it is warm: the median of the rounds. */
async function rate(
	pid: number,
	count: number,
	work: (count: number) => Promise<unknown>,
): Promise<number> {
	await work(WARM_UP);
	const rates: number[] = [];
	for (let round = 0; round < ROUNDS; round++) {
		const before = cpuUs(pid);
		await work(count);
		rates.push(count / ((cpuUs(pid) - before) / 1e6));
	}
	return median(rates);
}

/**
 * P9: how many sign-ins and refreshes a second. The driver is ours and slower than the gateway, so what counts is the
 * processor time that the gateway spends on each.
 */
import {
	allow,
	authorizeQuery,
	openBrowser,
	type Place,
	redeem,
	refresh,
	register,
	signIn,
} from "../oauth/authority.ts";
import { QUICK, report, short } from "./bench.ts";
import { cpuUs, createGateway, OWNER } from "./processes.ts";

const FLOWS = QUICK ? 300 : 2000;
const SIDE_BY_SIDE = 16;

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
	const flow = async (): Promise<string> => {
		const sent = await allow(place, authorizeQuery(client), browser);
		const { refresh_token } = await redeem(
			place,
			client,
			sent.searchParams.get("code") ?? "",
		);
		return refresh_token;
	};
	// The same client again and again: each sign-in replaces the one before, so they follow one another.
	const signedIn = async (count: number): Promise<string> => {
		let token = "";
		for (let at = 0; at < count; at++) token = await flow();
		return token;
	};
	await signedIn(FLOWS / 10);
	const signIns = await rate(pid, FLOWS, () => signedIn(FLOWS));
	report(
		"P9",
		"sign-in page to token, without the person and argon2",
		`${short(signIns)}/s by CPU`,
		"≥ 1,000/s",
		signIns >= 1000,
	);

	const refreshed = async (count: number): Promise<void> => {
		const other = await register(place);
		const sent = await allow(place, authorizeQuery(other), browser);
		let { refresh_token } = await redeem(
			place,
			other,
			sent.searchParams.get("code") ?? "",
		);
		for (let at = 0; at < count; at++) {
			const answer = await refresh(place, other, refresh_token);
			if (answer.status !== 200)
				throw new Error(`a refresh was answered with ${answer.status}`);
			refresh_token = answer.refresh_token;
		}
	};
	const each = Math.ceil(FLOWS / SIDE_BY_SIDE) * 2;
	const refreshes = await rate(pid, each * SIDE_BY_SIDE, () =>
		Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => refreshed(each))),
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

/** Per second of the gateway's own processor time. */
async function rate(
	pid: number,
	count: number,
	work: () => Promise<unknown>,
): Promise<number> {
	const before = cpuUs(pid);
	await work();
	return count / ((cpuUs(pid) - before) / 1e6);
}

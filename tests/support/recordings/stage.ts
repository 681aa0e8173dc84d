/**
 * A gateway for recordings, with one server behind it. Each client comes from an address of its own, a person's
 * programs from where their browser is, so that limits and the doctor see them as they would be.
 */
import { createBrowser } from "../browser.ts";
import { type Gateway, type GatewayOptions, startGateway } from "../gateway.ts";
import { fixtureCommand } from "../processes.ts";
import type { Reach } from "../reach.ts";
import type { Recording } from "./recording.ts";
import type { Stage } from "./replay.ts";

export type Theatre = {
	readonly gateway: Gateway;
	/** A stage for this recording. */
	readonly stageFor: (recording: Recording) => Stage;
};

const TRUST_LOOPBACK = [
	...["--trusted-proxy", "127.0.0.0/8"],
	...["--trusted-proxy", "::1/128"],
];
const HOME = "198.51.100.7";

/** @param reach the way to the gateway, when that is not the network of this process */
export async function openTheatre(
	options: GatewayOptions,
	reach: Reach = fetch,
): Promise<Theatre> {
	const gateway = await startGateway({
		...options,
		flags: [...TRUST_LOOPBACK, ...(options.flags ?? [])],
	});
	const [command, ...args] = fixtureCommand("modern", "stdio");
	await gateway.cli([
		...["servers", "add", "a", "--command", command],
		...["--", ...args],
	]);
	const from =
		(address: string): Reach =>
		(input, init = {}) => {
			const headers = new Headers(init.headers);
			headers.set("X-Forwarded-For", address);
			return reach(input, { ...init, headers });
		};
	const atHome = createBrowser(gateway.owner, from(HOME));
	let visitors = 0;
	return {
		gateway,
		stageFor: ({ hosted }) => {
			visitors++;
			const home = `10.3.${visitors}.1`;
			return {
				url: gateway.url,
				cli: gateway.cli,
				tool: "a_echo",
				browser: hosted ? atHome : createBrowser(gateway.owner, from(home)),
				reach: from(hosted ? `203.0.${visitors}.1` : home),
			};
		},
	};
}

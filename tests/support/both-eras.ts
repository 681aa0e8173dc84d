/** The fixture servers of both eras over both transports, and one real client of each era. */
import { createBrowser } from "./browser.ts";
import { createSdk1Client, type Sdk1Client } from "./clients/sdk1.ts";
import { type Sdk2Client, signedIn } from "./clients/sdk2.ts";
import type { Gateway } from "./gateway.ts";
import { fixtureCommand, startFixture, stdioFlags } from "./processes.ts";

export const BOTH_ERAS = [
	"modern-http",
	"modern-stdio",
	"legacy-http",
	"legacy-stdio",
] as const;

export type FixtureServers = {
	/** The flags with which each is added, by slug. */
	readonly flags: Readonly<
		Record<(typeof BOTH_ERAS)[number], readonly string[]>
	>;
	readonly modernUrl: string;
	readonly stop: () => Promise<void>;
};

/** Starts the two that listen. */
export async function startBothEras(): Promise<FixtureServers> {
	const [modern, legacy] = await Promise.all([
		startFixture("modern"),
		startFixture("legacy"),
	]);
	return {
		flags: {
			"modern-http": ["--url", `${modern.url}/mcp`],
			"modern-stdio": stdioFlags(fixtureCommand("modern", "stdio")),
			"legacy-http": ["--url", `${legacy.url}/mcp`],
			"legacy-stdio": stdioFlags(fixtureCommand("legacy", "stdio")),
		},
		modernUrl: `${modern.url}/mcp`,
		stop: async () => {
			await modern.stop();
			await legacy.stop();
		},
	};
}

/** A client of each era, signed in as the owner. */
export async function signInBoth(
	gateway: Gateway,
): Promise<{ readonly modern: Sdk2Client; readonly legacy: Sdk1Client }> {
	const modern = await signedIn(gateway.endpoint(), gateway.owner);
	const legacy = createSdk1Client(gateway.endpoint());
	await legacy.signIn(createBrowser(gateway.owner));
	return { modern, legacy };
}

/** A gateway with one server that is well and a client that is signed in: whatever is sent there, this goes on working. */
import { type Sdk2Client, signedIn } from "../../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../../support/gateway.ts";
import { fixtureCommand, stdioFlags } from "../../support/processes.ts";

export type GoodServer = {
	readonly gateway: Gateway;
	readonly endpoint: string;
	readonly client: Sdk2Client;
	/** The client's access token. */
	readonly token: string;
	readonly stop: () => Promise<void>;
};

/** A call that works, of the server `good`. */
export const ECHO = { name: "good_echo", arguments: { text: "still here" } };

export async function startGoodServer(): Promise<GoodServer> {
	const gateway = await startGateway();
	await gateway.addServers({
		good: stdioFlags(fixtureCommand("modern", "stdio")),
	});
	const endpoint = gateway.endpoint();
	const client = await signedIn(endpoint, gateway.owner);
	return {
		gateway,
		endpoint,
		client,
		token: client.credentials().accessToken,
		stop: async () => {
			await client.close();
			await gateway.stop();
		},
	};
}

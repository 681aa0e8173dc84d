/**
 * The pages, each as a function from `Request` to `Response`, and the list of their routes.
 * Field names that scripts rely on: login `email`, `password`; consent `decision=allow|deny`,
 * `server:<slug>`, `later`; setup `token`, `choice=new|restore`, then `email`, `password`, then `saved`, and those that
 * each page of `setup/` names; invitation `password`; clients `revoke=<id>|all`;
 * connections `do=sign-in|disconnect|secrets|client`, `secret:<slot>`; second step `code`; reauthenticate `password`.
 * Every form has a hidden `csrf`. Everything works without scripts, but passkeys.
 */
import type { Role } from "../caller.ts";
import type { Dns } from "../dns.ts";
import type { Pins } from "../mcp/pins.ts";
import type { OAuthDeps } from "../oauth/authorization-server.ts";
import { createLimiter } from "../oauth/limits.ts";
import type { GatewayAddress } from "../ops/address.ts";
import type { BackupContents } from "../ops/backup.ts";
import type { Backups } from "../ops/backup-schedule.ts";
import type { Doctor } from "../ops/doctor.ts";
import type { Notice } from "../ops/expiry.ts";
import type { Lease } from "../ops/leases.ts";
import type { Shelves, ToolsInBrief } from "../ops/tools.ts";
import type { Addresses } from "../ops/whereabouts.ts";
import type { Works } from "../ops/work.ts";
import type { Arrivals } from "../people/arrivals.ts";
import type { Passwords } from "../people/passwords.ts";
import type { Provider } from "../people/provider.ts";
import type { Route } from "../route.ts";
import type { Certificates } from "../tls/certificates.ts";
import type { Connections } from "../upstream/connections.ts";
import { accountRoutes } from "./account.ts";
import { assetRoutes } from "./assets.tsx";
import { authorizeRoutes } from "./authorize.ts";
import { clientRoutes } from "./clients.ts";
import { connectRoutes } from "./connect.ts";
import { deviceRoutes } from "./device.ts";
import { doctorRoutes } from "./doctor.ts";
import { factorRoutes } from "./factors.ts";
import { createForms, type Forms } from "./forms.ts";
import { homeRoutes } from "./home.ts";
import { inviteRoutes } from "./invite.ts";
import { loginRoutes } from "./login.ts";
import { problemPage } from "./oauth/error.tsx";
import { peopleRoutes } from "./people.ts";
import { providerRoutes } from "./provider.ts";
import { providerSettingsRoutes } from "./provider-settings.ts";
import { reauthenticateRoutes } from "./reauthenticate.ts";
import { secondFactorRoutes } from "./second-factor.ts";
import { seenRoutes } from "./seen.ts";
import { setupRoutes } from "./setup.ts";
import { addressRoutes } from "./setup-address.ts";
import { clientStepRoutes } from "./setup-client.ts";
import { serverStepRoutes } from "./setup-server.ts";
import { toolRoutes } from "./tools.ts";
import { toolsetRoutes } from "./toolsets.ts";

/** What pages about tools need beside what all do. */
type ToolPageDeps = OAuthDeps &
	Shelves & {
		readonly pins: Pick<Pins, "instructions">;
		/** Whoever keeps server rows in memory forgets them, and clients hear that lists changed. */
		readonly serversChanged: () => void;
		readonly lease: Lease;
	};

type PageDeps = ToolPageDeps & {
	readonly connections: Connections;
	/** A user has given a server a secret of theirs. */
	readonly onSecret: (serverId: string, userId: string) => void;
	readonly passwords: Passwords;
	readonly provider: Provider;
	/** The slugs of the enabled servers that a person may use, in a stable order. */
	readonly listSlugs: (person: {
		readonly userId: string;
		readonly role: Role;
	}) => readonly string[];
	/** What is known of a server's tools; null when it was never asked. */
	readonly toolsOf: (slug: string) => ToolsInBrief | null;
	/** Ends what runs with a user's own secrets. */
	readonly dropUpstreams: (userId: string) => void;
	/** What administrators have to know now. */
	readonly listNotices: () => readonly Notice[];
	/** Writes down the steps of clients that are still in memory. */
	readonly flushTimeline: () => void;
	/** Examines the gateway. */
	readonly examine: Doctor["examine"];
	/** The toolset of that slug as a person would be given it; null when there is none, or they may not use it. */
	readonly findToolset: (
		slug: string,
		person: { readonly userId: string; readonly role: Role },
	) => OfferedToolset | null;
	readonly desk: Desk;
};

/** What the pages of the wizard act on, beside the store. */
export type Desk = {
	readonly address: GatewayAddress;
	readonly certificates: Certificates;
	readonly addresses: Addresses;
	readonly dns: Dns;
	readonly works: Works;
	readonly arrivals: Arrivals;
	readonly backups: Backups;
	/** Prepares a backup to take the store's place, and starts the gateway anew soon. */
	readonly restore: (file: Uint8Array, key: string) => Promise<BackupContents>;
	/** Asks the REST API, as whoever is signed in. @throws SallyportError what it refused */
	readonly callApi: CallApi;
	/** Each enabled server, and why it does not work, as far as it was tried. */
	readonly listHealth: () => readonly {
		readonly slug: string;
		readonly error: string | null;
	}[];
	readonly version: string;
};

export type CallApi = (
	login: {
		readonly userId: string;
		readonly role: Role;
		readonly isFresh: boolean;
	},
	method: "GET" | "POST" | "PUT" | "DELETE",
	path: string,
	body?: Readonly<Record<string, unknown>>,
) => Promise<Readonly<Record<string, unknown>>>;

/** What a toolset opens, in the words of a page. */
export type OfferedToolset = {
	readonly slug: string;
	readonly title: string;
	readonly servers: readonly {
		readonly slug: string;
		/** How many of its tools; null: all. */
		readonly toolCount: number | null;
	}[];
};

/** What the handlers of pages are given: the dependencies, and what lives as long as the process. */
export type Site = PageDeps & { readonly forms: Forms };

const AUTHORIZE_REQUESTS = { count: 60, seconds: 60 } as const;

/** All pages and the files they refer to. */
export function pageRoutes(deps: PageDeps): readonly Route[] {
	const site: Site = { ...deps, forms: createForms(deps) };
	const authorizations = createLimiter(deps.clock, AUTHORIZE_REQUESTS);
	return [
		...authorizeRoutes(site, authorizations),
		...loginRoutes(site),
		...secondFactorRoutes(site),
		...reauthenticateRoutes(site),
		...providerRoutes(site),
		...accountRoutes(site),
		...factorRoutes(site),
		...providerSettingsRoutes(site),
		...peopleRoutes(site),
		...setupRoutes(site),
		...addressRoutes(site),
		...serverStepRoutes(site),
		...clientStepRoutes(site),
		...inviteRoutes(site),
		...homeRoutes(site),
		...toolRoutes(site),
		...toolsetRoutes(site),
		...seenRoutes(site),
		...clientRoutes(site),
		...connectRoutes(site),
		...deviceRoutes(site),
		...doctorRoutes(site),
	]
		.map(
			(route): Route => ({
				...route,
				handler: async (request, params, visit) => {
					try {
						return await route.handler(request, params, visit);
					} catch (error) {
						return problemPage(error);
					}
				},
			}),
		)
		.concat(assetRoutes());
}

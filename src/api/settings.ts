/**
 * `/api/settings`: what the administrator chose for the whole gateway: which clients may come by themselves, and the
 * public URL; and the machine's configuration, which is changed where it stands.
 */
import * as z from "zod";
import {
	type ClientPolicy,
	changeClientPolicy,
	REGISTRATION_MODES,
	readClientPolicy,
} from "../oauth/policy.ts";
import type { FixedBy } from "../ops/address.ts";
import { recordAudit } from "../store/audit.ts";
import { transaction } from "../store/database.ts";
import { readBody } from "./body.ts";
import {
	type Answer,
	type Ask,
	actorName,
	type Route,
	type SettingView,
} from "./route.ts";

/** The settings as the API shows them. */
export type SettingsView = {
	readonly clients: ClientPolicy;
	readonly publicUrl: {
		readonly value: string;
		/** Who sets it outside of the database, where it is changed then; null: it may be changed here. */
		readonly fixedBy: FixedBy | null;
	};
	/** Every setting of `serve`, with where it comes from. */
	readonly configuration: readonly SettingView[];
};

const Change = z.strictObject({
	publicUrl: z.string().max(300, { error: "must be shorter" }).optional(),
	clients: z
		.strictObject({
			registration: z.enum(REGISTRATION_MODES).optional(),
			documents: z.boolean().optional(),
			device: z.boolean().optional(),
		})
		.optional(),
});

/** Routes of settings. */
export const settingRoutes: readonly Route[] = [
	{ method: "GET", path: "/api/settings", who: "admins", run: show },
	{ method: "PUT", path: "/api/settings", who: "admins", run: change },
];

function show({ deps }: Ask): Answer {
	const { origin, fixedBy, isNamed } = deps.address;
	// It may have moved since the start.
	const url: Omit<SettingView, "name"> =
		fixedBy === null
			? { value: origin(), origin: isNamed() ? "database" : "default" }
			: { value: origin(), origin: fixedBy };
	const view: SettingsView = {
		clients: readClientPolicy(deps.db),
		publicUrl: { value: origin(), fixedBy },
		configuration: deps.settings.map((setting) =>
			setting.name === "public_url" ? { ...setting, ...url } : setting,
		),
	};
	return { body: view };
}

/** Changes what the body names and leaves the rest. */
async function change(ask: Ask): Promise<Answer> {
	const { deps, actor, request } = ask;
	const { clients, publicUrl } = (await readBody(request, Change)).value;
	if (publicUrl !== undefined) deps.address.move(publicUrl, actorName(actor));
	if (clients !== undefined) changePolicy(ask, clients);
	return show(ask);
}

function changePolicy(
	{ deps, actor }: Ask,
	clients: Parameters<typeof changeClientPolicy>[1],
): void {
	transaction(deps.db, () => {
		changeClientPolicy(deps.db, clients);
		recordAudit(
			deps.db,
			{
				actor: actorName(actor),
				action: "settings.change",
				object: "clients",
				detail: JSON.stringify(clients),
			},
			deps.clock.now(),
		);
	});
}

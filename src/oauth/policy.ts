/**
 * Which clients may come by themselves: what the administrator chose, read anew each time, so that a change counts at
 * once. A client that an administrator made is not its business.
 *
 * @see RFC 7591 3, draft-ietf-oauth-client-id-metadata-document 4
 */
import type { Database } from "../store/database.ts";
import { findSetting, setSetting } from "../store/instance.ts";

/**
 * `off`: nobody registers. `known`: this computer and the callbacks of known clients; any other host waits for an
 * administrator. `approve`: everyone waits. `open`: nobody does.
 */
export const REGISTRATION_MODES = ["off", "known", "approve", "open"] as const;
export type RegistrationMode = (typeof REGISTRATION_MODES)[number];

export type ClientPolicy = {
	readonly registration: RegistrationMode;
	/** Whether a client may be the URL of its own document; also whether the metadata says so. */
	readonly documents: boolean;
	/** Whether a device may show a code for a person to type; also whether the metadata says so. */
	readonly device: boolean;
};

const REGISTRATION = "clients.registration";
const DOCUMENTS = "clients.documents";
const DEVICE = "clients.device";

/** The policy as it is now; without a choice `known`, with documents, without devices. */
export function readClientPolicy(db: Database): ClientPolicy {
	const mode = findSetting(db, REGISTRATION);
	return {
		registration: REGISTRATION_MODES.find((known) => known === mode) ?? "known",
		documents: findSetting(db, DOCUMENTS) !== "off",
		device: findSetting(db, DEVICE) === "on",
	};
}

/** Changes what is given. */
export function changeClientPolicy(
	db: Database,
	change: {
		readonly registration?: RegistrationMode | undefined;
		readonly documents?: boolean | undefined;
		readonly device?: boolean | undefined;
	},
): void {
	if (change.registration !== undefined)
		setSetting(db, REGISTRATION, change.registration);
	if (change.documents !== undefined)
		setSetting(db, DOCUMENTS, change.documents ? "on" : "off");
	if (change.device !== undefined)
		setSetting(db, DEVICE, change.device ? "on" : "off");
}

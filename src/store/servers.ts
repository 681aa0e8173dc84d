/**
 * The servers behind the gateway, the secret slots they declare, and who may use them.
 * A slot's values live in `secrets`; they go with the slot, and with a change of where they would be sent.
 */
import type { Role } from "../caller.ts";
import { SallyportError } from "../errors.ts";
import { mintId } from "../mint.ts";
import { may } from "../rights.ts";
import { type Database, transaction } from "./database.ts";
import { forgetPins } from "./tool-pins.ts";
import {
	findToolSettings,
	forgetSwitches,
	listToolSettings,
	type ToolSettings,
} from "./tool-settings.ts";

/** How a server is reached: over HTTP, or as a child process. Plain values only: whatever is secret is a slot. */
export type Transport =
	| {
			readonly kind: "http";
			readonly url: string;
			readonly mode: "auto" | "http" | "sse";
			readonly headers: Readonly<Record<string, string>>;
	  }
	| {
			readonly kind: "npm";
			readonly package: string;
			readonly version: string;
			readonly args: readonly string[];
			readonly env: Readonly<Record<string, string>>;
	  }
	| {
			readonly kind: "command";
			readonly command: string;
			readonly args: readonly string[];
			readonly env: Readonly<Record<string, string>>;
	  };

export type Slot = {
	readonly name: string;
	readonly injection: "env" | "header";
	/** The variable's or header's name. */
	readonly target: string;
	readonly personal: boolean;
	readonly optional: boolean;
};

const SECRET_NAME =
	/authorization|cookie|key|token|secret|password|passwd|credential/i;

/** Whether a header's or variable's name says that its value is secret, and so must be a slot's and not a plain one. */
export function isSecretName(name: string): boolean {
	return SECRET_NAME.test(name);
}

/** Who may use a server: everyone, admins and the owner, or the users of these ids. */
export type Access = "everyone" | "admins" | readonly string[];

/** The strictest first. */
export const PINNINGS = ["hold", "auto", "off"] as const;

/** How a server's tools are shown, beside what is decided of single ones. */
export type ServerRules = {
	/** Whether a tool that says it is destructive may be used without having been switched on. */
	readonly destructiveTools: boolean;
	/**
	 * What happens when the server says something else of its tools than was approved. `hold`: all of it waits for an
	 * administrator; `auto`: new tools are approved at once, and changed ones wait; `off`: nothing is compared.
	 */
	readonly pinning: (typeof PINNINGS)[number];
	/** Results above this many bytes are cut, and paged through with `read_more`; null: never. */
	readonly resultBytesMax: number | null;
};

/** What a limit of results may be: less is a page of nothing, more is more than any client reads. */
export const RESULT_BYTES = { least: 1000, most: 1_000_000 } as const;

const DEFAULT_RULES: ServerRules = {
	destructiveTools: true,
	pinning: "hold",
	resultBytesMax: null,
};

export type Server = ServerRules & {
	readonly id: string;
	readonly slug: string;
	readonly transport: Transport;
	readonly slots: readonly Slot[];
	readonly access: Access;
	/** The tools that may be used unless switched off; null: all. */
	readonly tools: readonly string[] | null;
	readonly toolSettings: ToolSettings;
	readonly enabled: boolean;
	/** Its users sign in to the service behind it (`server-services.ts`). */
	readonly signsIn: boolean;
	readonly createdAt: number;
	readonly updatedAt: number;
};

/** What an administrator decides about a server; the rest is ours. */
export type ServerSettings = Pick<
	Server,
	"transport" | "slots" | "access" | "tools" | "enabled"
>;

type Row = {
	id: string;
	slug: string;
	transport: string;
	access: string;
	tools: string | null;
	enabled: number;
	signs_in: number;
	destructive: number;
	pinning: string;
	result_bytes_max: number | null;
	created_at: number;
	updated_at: number;
};

type SlotRow = {
	server_id: string;
	name: string;
	injection: string;
	target: string;
	personal: number;
	optional: number;
};

const COLUMNS =
	"id, slug, transport, access, tools, enabled, destructive, pinning, result_bytes_max, created_at, updated_at";
const READ_COLUMNS = `${COLUMNS}, EXISTS (SELECT 1 FROM services WHERE server_id = servers.id) AS signs_in`;
const SLOT_COLUMNS = "server_id, name, injection, target, personal, optional";

/** Adds a server. @throws SallyportError `conflict` when the slug is taken */
export function createServer(
	db: Database,
	slug: string,
	settings: ServerSettings & Partial<ServerRules>,
	now: number,
): Server {
	const id = mintId("srv");
	transaction(db, () => {
		refuseTaken(db, slug);
		db.query(
			`INSERT INTO servers (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		).run(id, slug, ...columnsOf({ ...DEFAULT_RULES, ...settings }), now, now);
		writeSlots(db, id, settings.slots);
	});
	return requireServer(db, slug);
}

/** Refuses a slug that a server or a toolset has. @throws SallyportError `conflict` */
export function refuseTaken(db: Database, slug: string): void {
	for (const noun of ["server", "toolset"] as const)
		if (
			db
				.query<{ slug: string }, [string]>(
					`SELECT slug FROM ${noun}s WHERE slug = ?`,
				)
				.get(slug)
		)
			throw new SallyportError("conflict", `a ${noun} named ${slug} exists`, {
				hint: `choose another name, or remove it first: sallyport ${noun}s remove ${slug}`,
			});
}

/** The server of that slug, or null. */
export function findServer(db: Database, slug: string): Server | null {
	const row = db
		.query<Row, [string]>(`SELECT ${READ_COLUMNS} FROM servers WHERE slug = ?`)
		.get(slug);
	if (!row) return null;
	const slots = db
		.query<SlotRow, [string]>(
			`SELECT ${SLOT_COLUMNS} FROM slots WHERE server_id = +? ORDER BY name`,
		)
		.all(row.id);
	return serverOf(row, slots.map(slotOf), findToolSettings(db, row.id));
}

/** The server of that slug. @throws SallyportError `not_found` */
export function requireServer(db: Database, slug: string): Server {
	const server = findServer(db, slug);
	if (!server) throw unknownServer(slug);
	return server;
}

/** The one answer for a server that does not exist and for one that the asker may not know of. */
export function unknownServer(slug: string): SallyportError {
	return new SallyportError("not_found", `there is no server named ${slug}`, {
		hint: "sallyport servers list shows their names",
	});
}

/** @throws SallyportError `conflict` when the server is disabled */
export function refuseDisabled({ slug, enabled }: Server): void {
	if (!enabled)
		throw new SallyportError("conflict", `the server ${slug} is disabled`, {
			hint: `sallyport servers enable ${slug}`,
		});
}

/** All servers, by slug. */
export function listServers(db: Database): readonly Server[] {
	const slots = new Map<string, Slot[]>();
	for (const row of db
		.query<SlotRow, []>(`SELECT ${SLOT_COLUMNS} FROM slots ORDER BY name`)
		.all()) {
		const list = slots.get(row.server_id) ?? [];
		list.push(slotOf(row));
		slots.set(row.server_id, list);
	}
	const settings = listToolSettings(db);
	return db
		.query<Row, []>(`SELECT ${READ_COLUMNS} FROM servers ORDER BY slug`)
		.all()
		.map((row) =>
			serverOf(row, slots.get(row.id) ?? [], settings.get(row.id) ?? new Map()),
		);
}

/**
 * Changes a server. Secrets are kept only for slots that stay as they were, on a server that stays where it was:
 * a value that was given for one destination is never sent to another.
 * @throws SallyportError `not_found`
 */
export function updateServer(
	db: Database,
	slug: string,
	changes: Partial<ServerSettings & ServerRules>,
	now: number,
): Server {
	return transaction(db, () => {
		const before = requireServer(db, slug);
		const after: Server = { ...before, ...changes };
		db.query(
			`UPDATE servers SET transport = ?, access = ?, tools = ?, enabled = ?,
			 destructive = ?, pinning = ?, result_bytes_max = ?, updated_at = ? WHERE id = ?`,
		).run(...columnsOf(after), now, after.id);
		const moved =
			destinationOf(before.transport) !== destinationOf(after.transport);
		if (moved) forgetSignIns(db, after.id);
		// Another server, or one that is trusted: what was approved says nothing any more.
		if (moved || after.pinning === "off") forgetPins(db, after.id);
		// A list that is given anew is the whole answer; switches come after it.
		if (String(before.tools) !== String(after.tools))
			forgetSwitches(db, after.id);
		for (const slot of before.slots) {
			const same = after.slots.some(
				(other) => other.name === slot.name && sameUse(other, slot),
			);
			if (moved || !same)
				db.query("DELETE FROM slots WHERE server_id = ? AND name = ?").run(
					after.id,
					slot.name,
				);
		}
		writeSlots(db, after.id, after.slots);
		return requireServer(db, slug);
	});
}

/** A token that one service gave is not for another: who signs in where is found out anew. */
function forgetSignIns(db: Database, serverId: string): void {
	for (const table of ["connections", "registrations", "sign_ins", "services"])
		db.query(`DELETE FROM ${table} WHERE server_id = ?`).run(serverId);
}

/** Removes a server with its slots, their secrets and its package row. @throws SallyportError `not_found` */
export function deleteServer(db: Database, slug: string): void {
	if (db.query("DELETE FROM servers WHERE slug = ?").run(slug).changes === 0)
		throw unknownServer(slug);
}

/** Someone, as far as it matters what is open to them. */
type Person = { readonly userId: string | null; readonly role: Role };

/** Whether this person may know of this server or toolset. Whoever runs the gateway knows of all, used or not. */
export function maySee(
	server: Pick<Server, "access">,
	person: Person,
): boolean {
	return may(person.role, "run the gateway") || mayUse(server, person);
}

/** Whether this person may use this server (enabled or not): the one rule for lists, calls and pages. */
export function mayUse(
	server: Pick<Server, "access">,
	person: Person,
): boolean {
	if (server.access === "everyone") return true;
	if (server.access === "admins") return may(person.role, "run the gateway");
	return person.userId !== null && server.access.includes(person.userId);
}

/** What a secret of this server is entrusted to: the origin, the package or the command. */
function destinationOf(transport: Transport): string {
	switch (transport.kind) {
		case "http":
			return new URL(transport.url).origin;
		case "npm":
			return `npm:${transport.package}`;
		case "command":
			return `command:${transport.command}`;
	}
}

function sameUse(a: Slot, b: Slot): boolean {
	return (
		a.injection === b.injection &&
		a.target === b.target &&
		a.personal === b.personal
	);
}

function writeSlots(
	db: Database,
	serverId: string,
	slots: readonly Slot[],
): void {
	const insert = db.query(
		`INSERT INTO slots (${SLOT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)
		 ON CONFLICT (server_id, name) DO UPDATE SET optional = excluded.optional`,
	);
	for (const slot of slots)
		insert.run(
			serverId,
			slot.name,
			slot.injection,
			slot.target,
			Number(slot.personal),
			Number(slot.optional),
		);
}

function columnsOf(
	server: ServerSettings & ServerRules,
): [
	string,
	string,
	string | null,
	number,
	number,
	ServerRules["pinning"],
	number | null,
] {
	return [
		JSON.stringify(server.transport),
		JSON.stringify(server.access),
		server.tools === null ? null : JSON.stringify(server.tools),
		Number(server.enabled),
		Number(server.destructiveTools),
		server.pinning,
		server.resultBytesMax,
	];
}

function serverOf(
	row: Row,
	slots: readonly Slot[],
	toolSettings: ToolSettings,
): Server {
	return {
		id: row.id,
		slug: row.slug,
		transport: JSON.parse(row.transport) as Transport,
		slots,
		access: JSON.parse(row.access) as Access,
		tools:
			row.tools === null ? null : (JSON.parse(row.tools) as readonly string[]),
		toolSettings,
		enabled: row.enabled === 1,
		signsIn: row.signs_in === 1,
		destructiveTools: row.destructive === 1,
		pinning: row.pinning as ServerRules["pinning"],
		resultBytesMax: row.result_bytes_max,
		createdAt: row.created_at,
		updatedAt: row.updated_at,
	};
}

function slotOf(row: SlotRow): Slot {
	return {
		name: row.name,
		injection: row.injection as Slot["injection"],
		target: row.target,
		personal: row.personal === 1,
		optional: row.optional === 1,
	};
}

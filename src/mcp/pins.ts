/**
 * Whether what a server says of its tools is what was approved. The first listing of a server is: whoever added it
 * said so. From then on a definition that is changed, new, or an approved one under another name waits until an
 * administrator accepts it; the rest goes on.
 *
 * It is asked when a list is fetched, never when a tool is called. What it finds is kept, audited once and logged.
 *
 * @see CVE-2025-54136, and why a rename must not hide a change: the pin is of the definition, not of the name
 */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { recordAudit, trimGatewayEntries } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import {
	type Change,
	dropHeldChange,
	type HeldChange,
	holdChange,
	listHeldChanges,
} from "../store/held-changes.ts";
import type { Server } from "../store/servers.ts";
import {
	type Definition,
	type Digests,
	findDigests,
	findPins,
	type PinKind,
	pinDefinitions,
} from "../store/tool-pins.ts";
import type { Item } from "../upstream/upstream.ts";
import { definitionOf, definitionOfText } from "./definition.ts";

/** Kept for one server; what is beyond it is hidden all the same. */
const HELD_MAX = 1000;

/** What is held of a list, by the server's own name. */
export type Held = ReadonlyMap<string, Change>;

export type Pins = {
	/** What of a list is held. The first list of a kind is approved whole. */
	readonly judge: (
		server: Server,
		kind: "tool" | "prompt",
		items: readonly Item[],
	) => Held;
	/** The instructions that clients may see: the server's own, or the approved ones while others wait. */
	readonly instructions: (
		server: Server,
		text: string | undefined,
	) => string | undefined;
	/** Forgets what was read: rows changed. */
	readonly refresh: () => void;
};

const NOTHING: Held = new Map();

export function createPins(deps: {
	readonly db: Database;
	readonly clock: Clock;
	readonly log: Log;
}): Pins {
	const { db, clock, log } = deps;
	/** Of instructions, by server: they are judged for every client that begins, lists only when they were fetched. */
	const known = new Map<string, ReadonlyMap<string, Digests>>();

	const approved = (
		{ id }: Server,
		kind: PinKind,
	): ReadonlyMap<string, Digests> | null => {
		const last = kind === "instructions" ? known.get(id) : undefined;
		if (last) return last;
		const digests = findDigests(db, id, kind);
		if (digests && kind === "instructions") known.set(id, digests);
		return digests;
	};

	const pin = (
		server: Server,
		kind: PinKind,
		definitions: readonly Definition[],
	): void => {
		pinDefinitions(db, server.id, kind, definitions, clock.now());
		if (kind === "instructions") known.delete(server.id);
	};

	/** Keeps what waits as it is now; what is as it was approved again waits no more. */
	const keep = (
		server: Server,
		kind: PinKind,
		changes: readonly HeldChange[],
	): void => {
		const before = new Map(
			listHeldChanges(db, server.id)
				.filter((held) => held.kind === kind)
				.map((held) => [held.name, held]),
		);
		const now = new Set(changes.map(({ name }) => name));
		const added = changes.filter(
			({ name, digest }) => before.get(name)?.digest !== digest,
		);
		// Where each user has a server of their own, one's list says nothing of another's.
		const gone = server.slots.some(({ personal }) => personal)
			? []
			: [...before.keys()].filter((name) => !now.has(name));
		if (added.length + gone.length === 0) return;
		transaction(db, () => {
			for (const name of gone) dropHeldChange(db, server.id, kind, name);
			let room = HELD_MAX - before.size + gone.length;
			for (const change of added) {
				const isNew = !before.has(change.name);
				if (isNew && room-- <= 0) continue;
				holdChange(db, server.id, change);
				if (isNew) audit(server, change);
			}
			trimGatewayEntries(db);
		});
		if (added.length > 0)
			log.warn("changed tools held", {
				slug: server.slug,
				method: kind,
				count: added.length,
			});
	};

	const audit = ({ slug }: Server, { kind, change, name }: HeldChange): void =>
		recordAudit(
			db,
			{
				actor: "gateway",
				action: "tool.hold",
				object: slug,
				detail: `${change} ${kind} ${name}`.trimEnd().slice(0, 300),
			},
			clock.now(),
		);

	const compare = (
		server: Server,
		kind: PinKind,
		definitions: readonly Definition[],
	): Held => {
		if (server.pinning === "off") return NOTHING;
		const pins = approved(server, kind);
		if (!pins) {
			pin(server, kind, definitions);
			return NOTHING;
		}
		const held: HeldChange[] = [];
		const taken: Definition[] = [];
		const heldAt = clock.now();
		// A definition that is still there under its approved name was copied, not renamed.
		const there = new Set(definitions.map(({ name }) => name));
		const left = [...pins.values()].filter(({ name }) => !there.has(name));
		for (const definition of definitions) {
			const pinned = pins.get(definition.name);
			if (pinned?.digest === definition.digest) continue;
			const was = pinned
				? undefined
				: left.find(({ likeness }) => likeness === definition.likeness)?.name;
			if (!pinned && was === undefined && server.pinning === "auto")
				taken.push(definition);
			else
				held.push({
					...definition,
					kind,
					change: pinned ? "changed" : was === undefined ? "new" : "renamed",
					was: was ?? null,
					heldAt,
				});
		}
		if (taken.length > 0) pin(server, kind, taken);
		keep(server, kind, held);
		return new Map(held.map(({ name, change }) => [name, change]));
	};

	return {
		judge: (server, kind, items) =>
			compare(server, kind, items.map(definitionOf)),
		instructions: (server, text) => {
			const definitions = text === undefined ? [] : [definitionOfText(text)];
			const held = compare(server, "instructions", definitions);
			if (held.size === 0) return text;
			const pinned = findPins(db, server.id, "instructions")?.get("");
			return pinned && String(JSON.parse(pinned.text));
		},
		refresh: () => known.clear(),
	};
}

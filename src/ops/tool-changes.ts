/**
 * What a server says of its tools, prompts and instructions that is not what was approved: shown line by line, and
 * accepted one by one. Whoever accepts names the digest of what they looked at, so that a server that changes again
 * in between gains nothing.
 */
import type { Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { recordAudit } from "../store/audit.ts";
import { type Database, transaction } from "../store/database.ts";
import {
	type Change,
	dropHeldChange,
	type HeldChange,
	listHeldChanges,
} from "../store/held-changes.ts";
import type { Server } from "../store/servers.ts";
import {
	findPins,
	type PinKind,
	pinDefinitions,
	unpin,
} from "../store/tool-pins.ts";
import { changeToolSetting, moveToolSetting } from "../store/tool-settings.ts";

type ChangeDeps = {
	readonly db: Database;
	readonly clock: Clock;
	readonly serversChanged: () => void;
};

/** Lines of one definition that are compared; what follows is shown as replaced. */
const LINES_MAX = 1000;

export type DiffLine = {
	readonly sign: " " | "-" | "+";
	readonly text: string;
};

/** A change that waits, as people see it. */
export type ChangeView = {
	readonly kind: PinKind;
	readonly name: string;
	readonly change: Change;
	/** The approved name, when it was renamed. */
	readonly was: string | null;
	readonly digest: string;
	readonly heldAt: number;
	readonly diff: readonly DiffLine[];
};

/** What waits at a server, with what differs. */
export function viewChanges(
	db: Database,
	server: Pick<Server, "id">,
): readonly ChangeView[] {
	return listHeldChanges(db, server.id).map((held) => {
		const pin = findPins(db, server.id, held.kind)?.get(held.was ?? held.name);
		return {
			kind: held.kind,
			name: held.name,
			change: held.change,
			was: held.was,
			digest: held.digest,
			heldAt: held.heldAt,
			diff: diffLines(pin ? linesOf(pin.text) : [], linesOf(held.text)),
		};
	});
}

/** One change, by what whoever accepts it has looked at. */
export type Accepted = Pick<HeldChange, "kind" | "name" | "digest"> & {
	/** Approves a tool and switches it off: it waits no more, and nobody sees it. */
	readonly off?: boolean | undefined;
};

/**
 * Approves changes: they are what the server's tools are compared with from now on.
 * @throws SallyportError `not_found` when nothing waits under a name, `conflict` when it is not what was looked at;
 * nothing is accepted then
 */
export function acceptChanges(
	deps: ChangeDeps,
	server: Server,
	accepted: readonly Accepted[],
	actor: string,
): void {
	const { db, clock } = deps;
	transaction(db, () => {
		const waiting = listHeldChanges(db, server.id);
		for (const { kind, name, digest, off } of accepted) {
			const held = waiting.find(
				(each) => each.kind === kind && each.name === name,
			);
			if (!held) throw nothingWaits(server, name);
			if (held.digest !== digest) throw changedAgain(server, name);
			accept(deps, server, held);
			if (off && kind === "tool")
				changeToolSetting(db, server.id, name, { enabled: false });
			recordAudit(
				db,
				{
					actor,
					action: "tool.accept",
					object: server.slug,
					detail:
						`${held.change} ${kind} ${name} ${digest}${off ? " off" : ""}`.slice(
							0,
							300,
						),
				},
				clock.now(),
			);
		}
	});
	deps.serversChanged();
}

function accept(
	{ db, clock }: ChangeDeps,
	{ id }: Server,
	held: HeldChange,
): void {
	const { kind, name, was } = held;
	if (was !== null) {
		unpin(db, id, kind, was);
		if (kind === "tool") moveToolSetting(db, id, was, name);
	}
	pinDefinitions(db, id, kind, [held], clock.now());
	dropHeldChange(db, id, kind, name);
}

/** A definition as lines for people: a member a line, and the lines of its texts as lines. */
function linesOf(json: string): readonly string[] {
	return JSON.stringify(JSON.parse(json), null, 2)
		.replaceAll(/(?<!\\)((?:\\\\)*)\\n/g, "$1\\n\n    ")
		.split("\n");
}

/** The longest common subsequence, as lines that stay, go and come. */
function diffLines(
	before: readonly string[],
	after: readonly string[],
): readonly DiffLine[] {
	const a = before.slice(0, LINES_MAX);
	const b = after.slice(0, LINES_MAX);
	const width = b.length + 1;
	const lengths = new Uint16Array((a.length + 1) * width);
	const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
	for (let i = a.length - 1; i >= 0; i--)
		for (let j = b.length - 1; j >= 0; j--)
			lengths[i * width + j] =
				a[i] === b[j]
					? at(i + 1, j + 1) + 1
					: Math.max(at(i + 1, j), at(i, j + 1));
	const lines: DiffLine[] = [];
	let i = 0;
	let j = 0;
	while (i < a.length || j < b.length) {
		if (i < a.length && j < b.length && a[i] === b[j]) {
			lines.push({ sign: " ", text: a[i] as string });
			i++;
			j++;
		} else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1)))
			lines.push({ sign: "-", text: a[i++] as string });
		else lines.push({ sign: "+", text: b[j++] as string });
	}
	return [
		...lines,
		...before.slice(LINES_MAX).map((text): DiffLine => ({ sign: "-", text })),
		...after.slice(LINES_MAX).map((text): DiffLine => ({ sign: "+", text })),
	];
}

function nothingWaits({ slug }: Server, name: string): SallyportError {
	return new SallyportError(
		"not_found",
		name === ""
			? `the instructions of ${slug} do not wait`
			: `nothing named ${name} waits at ${slug}`,
		{ hint: `see what does with: sallyport servers tools ${slug} --changes` },
	);
}

function changedAgain({ slug }: Server, name: string): SallyportError {
	return new SallyportError(
		"conflict",
		name === ""
			? `the instructions of ${slug} have changed again`
			: `${name} of ${slug} has changed again`,
		{
			hint: `look at it: sallyport servers tools ${slug} --changes; nothing was accepted`,
		},
	);
}

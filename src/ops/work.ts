/**
 * Work that takes longer than a page: an order at a CA, an install, a restore. Each leaves lines that say what it is
 * doing, what it has done and when; a page that is opened late, or again, sees all of them. It dies with the process,
 * and whoever comes back finds by the facts how far it came.
 */
import type { Clock } from "../clock.ts";
import { describeError, SallyportError, sentence } from "../errors.ts";
import type { Log } from "../log.ts";

export type WorkLine = {
	/** Milliseconds since the work began. */
	readonly atMs: number;
	/** `now`: what it is doing; `done`, `bad`, `note`: what came of it. */
	readonly kind: "now" | "done" | "bad" | "note";
	readonly text: string;
	/** What to do about it. */
	readonly remedy?: string | undefined;
	/** Something to copy. */
	readonly copy?: string | undefined;
};

export type WorkState = "running" | "done" | "failed";

export type Work = {
	readonly lines: () => readonly WorkLine[];
	readonly state: () => WorkState;
	/** Resolves at the next line or the end, or at once when there are more than `seen` lines or it has ended. */
	readonly changed: (seen: number) => Promise<void>;
};

/** Says how it goes. */
export type Report = (
	kind: WorkLine["kind"],
	text: string,
	more?: Pick<WorkLine, "remedy" | "copy">,
) => void;

export type Works = {
	/**
	 * Begins work under a key; while one of that key runs, that one is returned and nothing begins. `run` gives back
	 * whether it succeeded.
	 */
	readonly start: (
		key: string,
		run: (report: Report) => Promise<boolean>,
	) => Work;
	readonly find: (key: string) => Work | null;
};

const WORKS_MAX = 50;
const LINES_MAX = 500;

/** The works of one process. */
export function createWorks(deps: {
	readonly clock: Clock;
	readonly log: Log;
}): Works {
	const works = new Map<string, Work>();
	return {
		find: (key) => works.get(key) ?? null,
		start: (key, run) => {
			const known = works.get(key);
			if (known?.state() === "running") return known;
			works.delete(key);
			const work = begin(deps, run);
			works.set(key, work);
			for (const [oldest, { state }] of works) {
				if (works.size <= WORKS_MAX) break;
				if (state() !== "running") works.delete(oldest);
			}
			return work;
		},
	};
}

function begin(
	{ clock, log }: { readonly clock: Clock; readonly log: Log },
	run: (report: Report) => Promise<boolean>,
): Work {
	const startedMs = clock.nowMs();
	const lines: WorkLine[] = [];
	let state: WorkState = "running";
	let waiting = Promise.withResolvers<void>();
	const wake = (): void => {
		waiting.resolve();
		waiting = Promise.withResolvers();
	};
	const report: Report = (kind, text, more = {}) => {
		if (lines.length >= LINES_MAX) return;
		lines.push({ atMs: clock.nowMs() - startedMs, kind, text, ...more });
		wake();
	};
	const end = (next: WorkState): void => {
		state = next;
		wake();
	};
	run(report).then(
		(succeeded) => end(succeeded ? "done" : "failed"),
		(error: unknown) => {
			if (error instanceof SallyportError && error.code !== "internal")
				report("bad", sentence(error.message), {
					remedy: error.hint === undefined ? undefined : sentence(error.hint),
				});
			else {
				log.error("work failed", { reason: describeError(error) });
				report("bad", "Something went wrong in the gateway itself.", {
					remedy: "Look at its log, then try again.",
				});
			}
			end("failed");
		},
	);
	return {
		lines: () => lines,
		state: () => state,
		changed: (seen) =>
			lines.length > seen || state !== "running"
				? Promise.resolve()
				: waiting.promise,
	};
}

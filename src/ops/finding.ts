/** One result of the doctor: what was looked at, how it is, and what to do. */

const SEVERITIES = ["error", "warning", "notice", "ok"] as const;

export type Finding = {
	/** What was looked at, for programs: `disk`, `master-key` … */
	readonly code: string;
	/** `error`: something does not work, or will not. `warning`: look at it. `notice`: know it. */
	readonly severity: (typeof SEVERITIES)[number];
	/** What is so, as a sentence without an end. Never the words of a server or a client, which could hold anything. */
	readonly text: string;
	/** What to do; null: nothing. */
	readonly remedy: string | null;
};

/** A finding that is well. */
export function well(code: string, text: string): Finding {
	return { code, severity: "ok", text, remedy: null };
}

/** A finding that is not. */
export function ill(
	severity: "error" | "warning" | "notice",
	code: string,
	text: string,
	remedy: string | null,
): Finding {
	return { code, severity, text, remedy };
}

/** The worst first, otherwise as they were found. */
export function worstFirst(findings: readonly Finding[]): readonly Finding[] {
	return findings.toSorted(
		(a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
	);
}

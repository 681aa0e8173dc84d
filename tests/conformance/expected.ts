/**
 * The one table of what the conformance suite finds through the gateway: for each revision of the client and each kind
 * of server, what does not pass, and the checks that fail in it. Everything else passes. The tests compare exactly, so
 * a line that has become untrue fails as loudly as a new failure. Each group says what is missing in the gateway.
 */
import type { Outcome, Requirements, Shortfalls } from "./runner.ts";

export type HttpKind = "http-modern" | "http-legacy";

/** A server, by the transport and the era that it speaks. */
export type Kind = HttpKind | "stdio-modern" | "stdio-legacy";

/** A legacy server has no tasks of the extension (SEP-2663), nor this fixture the tools for them. Not scored. */
const NO_TASKS: Shortfalls = {
	"tasks-capability-negotiation": [
		"sep-2663-server-rejects-undeclared-client",
		"tasks-extension-advertised",
		"tasks-per-request-meta-opt-in",
	],
	"tasks-dispatch-and-envelope": [
		"sep-2663-durable-create-strong-consistency",
		"sep-2663-legacy-task-param-ignored",
		"tasks-immediate-result-shortcut",
		"tasks-result-type-complete-on-non-task-responses",
		"tasks-server-directed-creation-no-hint",
	],
	"tasks-lifecycle": [
		"sep-2663-cancel-ack-empty-result",
		"sep-2663-result-type-task-on-create",
		"sep-2663-tasks-get-status-completed",
		"sep-2663-tasks-get-status-failed",
		"sep-2663-tasks-get-status-working",
		"sep-2663-tool-error-uses-completed-status",
		"tasks-cancel-terminal-idempotent-ack",
	],
	"tasks-mrtr-composition": ["sep-2663-mrtr-synchronous-before-task-creation"],
	"tasks-mrtr-input": [
		"sep-2663-tasks-get-status-input-required",
		"tasks-mrtr-partial-fulfillment",
		"tasks-mrtr-tasks-update-resumes",
	],
	"tasks-request-headers": [
		"sep-2663-routing-headers-accepted-on-tasks-get",
		"sep-2663-server-rejects-mismatched-mcp-name-on-tasks-get",
	],
	"tasks-request-state-removal": ["tasks-request-state-removal-setup"],
	"tasks-required-task-error": [
		"sep-2663-server-returns-missing-capability-when-required",
	],
	"tasks-wire-fields": [
		"tasks-no-early-ttl-expiry",
		"tasks-no-related-task-meta-on-inlined-result",
		"tasks-wire-field-renames",
	],
};

/** The suite skips it, whoever is asked. Not scored. */
const SKIPPED = ["tasks-status-notifications"];

/** Nothing is missing; also what the fixture must reach by itself. */
export const MODERN_ON_MODERN: Outcome = {
	failed: {},
	warned: {},
	hollow: SKIPPED,
};

/**
 * What a legacy server cannot say, the gateway cannot know: the name of a question (its keys are ours), that it means
 * to ask three things at once (it asks one after the other), and that a call would have needed a capability (it
 * refuses in its own words). Whatever a client sends beyond the answers is not the server's to ignore.
 */
const MODERN_ON_LEGACY: Outcome = {
	failed: {
		...NO_TASKS,
		"input-required-result-basic-elicitation": [
			"sep-2322-elicitation-incomplete",
		],
		"input-required-result-multiple-input-requests": [
			"sep-2322-multiple-inputs-incomplete",
		],
		"server-stateless": [
			"sep-2575-missing-capability-http-400",
			"sep-2575-server-rejects-undeclared-capability",
		],
	},
	warned: {
		"input-required-result-ignore-extra-params": [
			"sep-2322-ignore-unexpected-params",
		],
	},
	hollow: SKIPPED,
};

const LEGACY: Outcome = { failed: {}, warned: {}, hollow: [] };

/** A modern server has no stream to end in the middle; its answer comes as JSON, and the scenario looks no further. Not scored. */
const LEGACY_ON_MODERN: Outcome = {
	...LEGACY,
	hollow: ["server-sse-polling"],
};

export const KINDS: readonly Kind[] = [
	"http-modern",
	"http-legacy",
	"stdio-modern",
	"stdio-legacy",
];

/** By the revision of the client, then by the kind of server. */
export const EXPECTED: Readonly<
	Record<Requirements, Readonly<Record<Kind, Outcome>>>
> = {
	"2026-07-28": {
		"http-modern": MODERN_ON_MODERN,
		"http-legacy": MODERN_ON_LEGACY,
		"stdio-modern": MODERN_ON_MODERN,
		"stdio-legacy": MODERN_ON_LEGACY,
	},
	"2025-11-25": {
		"http-modern": LEGACY_ON_MODERN,
		"http-legacy": LEGACY,
		"stdio-modern": LEGACY_ON_MODERN,
		"stdio-legacy": LEGACY,
	},
};

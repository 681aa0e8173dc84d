/**
 * The one table of what the conformance suite finds through the gateway: for each revision of the client and each kind
 * of server, what does not pass, and the checks that fail in it. Everything else passes. The tests compare exactly, so
 * a line that has become untrue fails as loudly as a new failure. Each group says what is missing in the gateway.
 */
import type { Outcome, Requirements, Shortfalls } from "./runner.ts";

export type HttpKind = "http-modern" | "http-legacy";

/** A server, by the transport and the era that it speaks. */
export type Kind = HttpKind | "stdio-modern" | "stdio-legacy";

/** The tasks extension (SEP-2663) is offered neither by the fixture nor by the gateway. Not scored. */
export const NO_TASKS: Shortfalls = {
	"tasks-capability-negotiation": [
		"sep-2663-server-rejects-undeclared-client",
		"sep-2663-tasks-methods-non-declaring",
		"tasks-extension-advertised",
		"tasks-per-request-meta-opt-in",
	],
	"tasks-dispatch-and-envelope": [
		"sep-2663-durable-create-strong-consistency",
		"sep-2663-legacy-task-param-ignored",
		"sep-2663-tasks-get-invalid-task-id-32602",
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
		"tasks-sync-tool-call",
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
		"tasks-headers-tolerate-mcp-method-on-tools-call",
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

/** Scored nowhere, and with nothing to look at while there are no tasks. */
export const HOLLOW_WITHOUT_TASKS = ["tasks-status-notifications"];

/** `Mcp-Param-*` of a client is not compared with the arguments (SEP-2243). Not scored. */
const PARAMETER_HEADERS_UNCHECKED: Shortfalls = {
	"http-custom-header-server-validation": [
		"sep-2243-server-reject-invalid-param-chars",
		"sep-2243-server-reject-param-mismatch",
		"sep-2243-server-validate-param-match",
	],
};

/** A server is told that no client can be asked anything, so no question reaches a client of 2026-07-28 (MRTR). */
const NO_QUESTIONS_MODERN: Shortfalls = {
	"input-required-result-basic-elicitation": [
		"sep-2322-elicitation-incomplete",
	],
	"input-required-result-basic-list-roots": ["sep-2322-list-roots-incomplete"],
	"input-required-result-basic-sampling": ["sep-2322-sampling-incomplete"],
	"input-required-result-capability-check": [
		"sep-2322-respect-client-capabilities",
	],
	"input-required-result-multi-round": ["sep-2322-multi-round-r1"],
	"input-required-result-multiple-input-requests": [
		"sep-2322-multiple-inputs-incomplete",
	],
	"input-required-result-non-tool-request": ["sep-2322-non-tool-incomplete"],
	"input-required-result-request-state": ["sep-2322-request-state-incomplete"],
	"input-required-result-result-type": ["sep-2322-result-type-included"],
	"input-required-result-tampered-state": ["sep-2322-reject-tampered-state"],
};

/** The same, toward a legacy client. */
const NO_QUESTIONS_LEGACY: Shortfalls = {
	"elicitation-sep1034-defaults": ["elicitation-sep1034-general"],
	"elicitation-sep1330-enums": ["elicitation-sep1330-general"],
	"tools-call-elicitation": ["tools-call-elicitation"],
	"tools-call-sampling": ["tools-call-sampling"],
};

/** Not translated for a modern server: subscriptions to one resource, and the log level of a session. */
const NOT_TRANSLATED: Shortfalls = {
	"resources-subscribe": ["resources-subscribe"],
	"resources-unsubscribe": ["resources-unsubscribe"],
	"tools-call-with-logging": ["tools-call-with-logging"],
};

/**
 * Checks of `server-stateless`, whatever the server: a modern `initialize` is answered; the refusal of a revision
 * names more revisions than `server/discover`; and one tool of the fixture asks, see `NO_QUESTIONS_MODERN`.
 */
const STATELESS = [
	"sep-2575-http-server-method-not-found-404-initialize",
	"sep-2575-http-server-no-independent-requests-on-stream",
	"sep-2575-server-unsupported-version-error",
];

/** The same, and: a legacy server's log goes to a client that wanted none, its refusal keeps its legacy code. */
const STATELESS_ON_LEGACY = [
	"sep-2575-http-server-method-not-found-404-initialize",
	"sep-2575-http-server-no-independent-requests-on-stream",
	"sep-2575-missing-capability-http-400",
	"sep-2575-server-no-log-without-loglevel",
	"sep-2575-server-rejects-undeclared-capability",
	"sep-2575-server-unsupported-version-error",
];

const MODERN_ON_MODERN: Outcome = {
	failed: {
		...NO_TASKS,
		...PARAMETER_HEADERS_UNCHECKED,
		...NO_QUESTIONS_MODERN,
		"server-stateless": STATELESS,
	},
	warned: {
		"input-required-result-missing-input-response": [
			"sep-2322-missing-response-rerequests",
		],
	},
	hollow: HOLLOW_WITHOUT_TASKS,
};

const MODERN_ON_LEGACY: Outcome = {
	failed: {
		...MODERN_ON_MODERN.failed,
		"server-stateless": STATELESS_ON_LEGACY,
	},
	warned: {
		...MODERN_ON_MODERN.warned,
		"input-required-result-ignore-extra-params": [
			"sep-2322-ignore-unexpected-params",
		],
	},
	hollow: HOLLOW_WITHOUT_TASKS,
};

/** The gateway's own streams are not resumable, and the scenario looks no further. Not scored. */
const NOT_RESUMABLE = ["server-sse-polling"];

const LEGACY_ON_MODERN: Outcome = {
	failed: { ...NO_QUESTIONS_LEGACY, ...NOT_TRANSLATED },
	warned: {},
	hollow: NOT_RESUMABLE,
};

const LEGACY_ON_LEGACY: Outcome = {
	failed: NO_QUESTIONS_LEGACY,
	warned: {},
	hollow: NOT_RESUMABLE,
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
		"http-legacy": LEGACY_ON_LEGACY,
		"stdio-modern": LEGACY_ON_MODERN,
		"stdio-legacy": LEGACY_ON_LEGACY,
	},
};

/**
 * The one table of what the conformance suite finds through the gateway: for each era of the client and each kind of
 * server, the scenarios that do not pass, with the checks that fail. All others pass. The tests compare exactly, so a
 * line that has become untrue fails as loudly as a new failure.
 */
import type { Outcome, Requirements, Shortfalls } from "./runner.ts";

export type HttpKind = "http-modern" | "http-legacy";

/** A server, by the transport and the era that it speaks. */
export type Kind = HttpKind | "stdio-modern" | "stdio-legacy";

/** The tasks extension (SEP-2663) is not offered; neither by the fixture nor by the gateway. Not scored. */
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

export const KINDS: readonly Kind[] = [
	"http-modern",
	"http-legacy",
	"stdio-modern",
	"stdio-legacy",
];

export const EXPECTED: Readonly<
	Record<Requirements, Readonly<Record<Kind, Outcome>>>
> = {
	"2026-07-28": {
		"http-modern": { failed: NO_TASKS, warned: {} },
		"http-legacy": { failed: NO_TASKS, warned: {} },
		"stdio-modern": { failed: NO_TASKS, warned: {} },
		"stdio-legacy": { failed: NO_TASKS, warned: {} },
	},
	"2025-11-25": {
		"http-modern": { failed: {}, warned: {} },
		"http-legacy": { failed: {}, warned: {} },
		"stdio-modern": { failed: {}, warned: {} },
		"stdio-legacy": { failed: {}, warned: {} },
	},
};

/**
 * The Model Context Protocol's own words: revisions, eras, error codes, reserved `_meta` keys, header names.
 * Pure constants, so that both faces of the gateway (server to clients, client to servers) spell them alike.
 *
 * @see modelcontextprotocol.io specification 2026-07-28 (modern) and 2025-11-25 (legacy)
 */

/** `modern`: per-request `_meta`, no handshake (2026-07-28 on). `legacy`: `initialize` and sessions. */
export type Era = "modern" | "legacy";

export const MODERN_REVISION = "2026-07-28";
/** Newest first: what we offer when a client asks for one we do not know. */
export const LEGACY_REVISIONS = [
	"2025-11-25",
	"2025-06-18",
	"2025-03-26",
] as const;
export const LATEST_LEGACY_REVISION = LEGACY_REVISIONS[0];
/** What a legacy request without `MCP-Protocol-Version` speaks (2025-06-18 transports, "Protocol Version Header"). */
export const ASSUMED_LEGACY_REVISION = "2025-03-26";

export const META = {
	protocolVersion: "io.modelcontextprotocol/protocolVersion",
	clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
	clientInfo: "io.modelcontextprotocol/clientInfo",
	logLevel: "io.modelcontextprotocol/logLevel",
	serverInfo: "io.modelcontextprotocol/serverInfo",
	subscriptionId: "io.modelcontextprotocol/subscriptionId",
	/** Legacy: which task a message belongs to. */
	relatedTask: "io.modelcontextprotocol/related-task",
} as const;

/** Extensions that both ends may declare, and we know how to carry. */
export const EXTENSION = {
	/** Tasks of the modern era (SEP-2663). */
	tasks: "io.modelcontextprotocol/tasks",
	/** MCP Apps: pages as `ui://` resources. */
	ui: "io.modelcontextprotocol/ui",
} as const;

/** The one legacy revision that has tasks. */
export const LEGACY_TASKS_REVISION = "2025-11-25";
/** From this revision on an implementation may have icons (SEP-973). */
export const ICONS_REVISION = "2025-11-25";

/** Reserved envelope keys belong to one hop: never copied from one side to the other. */
export const RESERVED_META_PREFIX = "io.modelcontextprotocol/";

export const RPC = {
	parseError: -32700,
	invalidRequest: -32600,
	methodNotFound: -32601,
	invalidParams: -32602,
	internalError: -32603,
	/** Legacy only: resource not found. */
	resourceNotFound: -32002,
	/** 2025-11-25 only: the user must visit a page first. */
	urlElicitationRequired: -32042,
	/** Modern: a header says something else than the body. */
	headerMismatch: -32020,
	missingClientCapability: -32021,
	unsupportedProtocolVersion: -32022,
} as const;

export const HEADER = {
	protocolVersion: "MCP-Protocol-Version",
	method: "Mcp-Method",
	name: "Mcp-Name",
	sessionId: "Mcp-Session-Id",
	lastEventId: "Last-Event-ID",
} as const;

/** Modern error codes that prove the peer is modern even when it refuses us. */
export function isModernErrorCode(code: unknown): boolean {
	return (
		code === RPC.headerMismatch ||
		code === RPC.missingClientCapability ||
		code === RPC.unsupportedProtocolVersion
	);
}

/** The two forms that an answer over HTTP has. */
export const MEDIA = {
	json: "application/json",
	events: "text/event-stream",
} as const;

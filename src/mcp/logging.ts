/**
 * Log lines of servers: which of them a client wants to see. A connection to a server may be shared, so it says what
 * the most curious wants, and each client is shown its own part.
 *
 * @see RFC 5424 6.2.1 for the levels; specification 2025-11-25, server/utilities/logging; 2026-07-28, `logLevel`
 */
import { splice } from "../assembly.ts";
import {
	type Bytes,
	holds,
	memberOf,
	membersOf,
	parseJson,
	parseMessage,
	textOf,
} from "../message.ts";

const LEVELS = [
	"debug",
	"info",
	"notice",
	"warning",
	"error",
	"critical",
	"alert",
	"emergency",
] as const;

export type LogLevel = (typeof LEVELS)[number];

/** Null when it is none. */
export function parseLevel(value: unknown): LogLevel | null {
	const at = LEVELS.indexOf(value as LogLevel);
	return LEVELS[at] ?? null;
}

const LOG_METHOD = Buffer.from('"notifications/message"');

/** Whether a notification may be shown to a client that wants log lines from `level` on; null: none at all. */
export function mayShow(notification: Bytes, level: LogLevel | null): boolean {
	// Most notifications are progress: they are not parsed to find that out.
	if (!holds(notification, LOG_METHOD)) return true;
	const message = parseMessage(notification);
	if (
		message.kind !== "notification" ||
		message.method !== "notifications/message"
	)
		return true;
	if (level === null || !message.params) return false;
	const said = memberOf(notification, message.params.start, "level");
	const known =
		said && textOf(notification, said).length < 32
			? parseLevel(parseJson(notification, said))
			: null;
	return known === null || LEVELS.indexOf(known) >= LEVELS.indexOf(level);
}

/** A log line that says which server it is from, as a client of several must know; any other notification as it is. */
export function loggedBy(slug: string, notification: Bytes): Bytes {
	if (!holds(notification, LOG_METHOD)) return notification;
	const message = parseMessage(notification);
	if (
		message.kind !== "notification" ||
		message.method !== "notifications/message" ||
		!message.params
	)
		return notification;
	const { params } = message;
	const logger = memberOf(notification, params.start, "logger");
	const name = logger && parseJson(notification, logger);
	if (logger && typeof name === "string")
		return splice(notification, [
			{ ...logger, text: JSON.stringify(`${slug}/${name}`) },
		]);
	const comma = membersOf(notification, params.start).length > 0 ? "," : "";
	const at = params.start + 1;
	return logger
		? notification
		: splice(notification, [
				{ start: at, end: at, text: `"logger":"${slug}"${comma}` },
			]);
}

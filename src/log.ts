/**
 * One JSON object a line on stderr, or a readable line on a terminal.
 *
 * Fields are allow-listed: an event may carry only the names in `FIELDS`, each a short scalar. That is how no
 * secret, token, code, cookie, argument or result reaches a log at any level: there is no field to put it in.
 * Speech: lower-case, no full stop, the thing first.
 */

const LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LEVELS)[number];
export type LogFormat = "json" | "pretty";

/** Everything a log line may say beside its time, level and event. Adding a name here is a security review. */
export type LogFields = {
	readonly request_id?: string | undefined;
	readonly method?: string | undefined;
	readonly route?: string | undefined;
	readonly status?: number | undefined;
	readonly duration_ms?: number | undefined;
	readonly server?: string | undefined;
	readonly slug?: string | undefined;
	readonly tool?: string | undefined;
	readonly user_id?: string | undefined;
	readonly client_id?: string | undefined;
	readonly grant_id?: string | undefined;
	readonly era?: string | undefined;
	readonly outcome?: string | undefined;
	readonly reason?: string | undefined;
	readonly pid?: number | undefined;
	readonly exit_code?: number | undefined;
	readonly attempt?: number | undefined;
	readonly delay_ms?: number | undefined;
	readonly url?: string | undefined;
	readonly path?: string | undefined;
	readonly version?: string | undefined;
	readonly count?: number | undefined;
	/** A stack of our own code, for bugs. Errors from outside go in `reason`, in our words. */
	readonly stack?: string | undefined;
};

export type Log = {
	readonly [level in LogLevel]: (event: string, fields?: LogFields) => void;
};

const FIELD_LENGTH_MAX = 2000;

/** A log that writes lines at `level` and above through `write`, which gets each line with its newline. */
export function createLog(options: {
	readonly level: LogLevel;
	readonly format: LogFormat;
	readonly write?: (line: string) => void;
	readonly date?: () => Date;
}): Log {
	const write = options.write ?? ((line: string) => process.stderr.write(line));
	const date = options.date ?? (() => new Date());
	const threshold = LEVELS.indexOf(options.level);
	const at =
		(level: LogLevel) =>
		(event: string, fields: LogFields = {}): void => {
			if (LEVELS.indexOf(level) < threshold) return;
			const ts = date().toISOString();
			write(
				options.format === "json"
					? `${JSON.stringify({ ts, level, event, ...short(fields) })}\n`
					: pretty(ts, level, event, short(fields)),
			);
		};
	return {
		debug: at("debug"),
		info: at("info"),
		warn: at("warn"),
		error: at("error"),
	};
}

function short(fields: LogFields): Record<string, string | number> {
	const kept: Record<string, string | number> = {};
	for (const [name, value] of Object.entries(fields)) {
		if (value === undefined) continue;
		kept[name] =
			typeof value === "string" ? value.slice(0, FIELD_LENGTH_MAX) : value;
	}
	return kept;
}

function pretty(
	ts: string,
	level: LogLevel,
	event: string,
	fields: Record<string, string | number>,
): string {
	const { stack, ...rest } = fields;
	const tail = Object.entries(rest)
		.map(([name, value]) => ` ${name}=${value}`)
		.join("");
	const trace = stack === undefined ? "" : `\n${stack}`;
	return `${ts.slice(11, 19)} ${level === "info" ? "" : `${level}: `}${event}${tail}${trace}\n`;
}

/** Reads a log level from a flag or variable; null when it is none. */
export function parseLogLevel(text: string): LogLevel | null {
	return LEVELS.find((level) => level === text) ?? null;
}

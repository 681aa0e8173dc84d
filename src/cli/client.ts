/**
 * The command line's way to a running service: its REST API over the admin socket. Whoever may open that socket has
 * the owner's rights, so no key is involved. (A door exception: this `fetch` reaches only a Unix socket.)
 */
import type { Config } from "../config.ts";
import { type ErrorCode, parseErrorCode, SallyportError } from "../errors.ts";

const HOST = "http://sallyport";

/** What the API answered, without its envelope's `success`. */
export type Reply = Readonly<Record<string, unknown>>;

type Service = Pick<Config, "dataDir" | "adminSocket">;

export type Client = {
	readonly get: (path: string) => Promise<Reply>;
	readonly post: (
		path: string,
		body: Readonly<Record<string, unknown>>,
	) => Promise<Reply>;
	readonly put: (
		path: string,
		body?: Readonly<Record<string, unknown>>,
	) => Promise<Reply>;
	readonly delete: (path: string) => Promise<Reply>;
	/** Sends a JSON text as it is and gives the answer's text, so that nothing in either is re-serialised. */
	readonly postText: (path: string, body: string) => Promise<string>;
};

/**
 * A client of the service that is configured like this, which is found out when it is first needed. Every function
 * throws what the API refused, as it said it.
 */
export function createClient(service: () => Service): Client {
	async function send(
		method: string,
		route: string,
		body?: string,
	): Promise<string> {
		const { dataDir, adminSocket } = service();
		let response: Response;
		try {
			response = await fetch(HOST + route, {
				method,
				unix: adminSocket,
				// An install or a tool may take minutes; the service has limits of its own.
				timeout: false,
				...(body === undefined
					? {}
					: { body, headers: { "Content-Type": "application/json" } }),
			});
		} catch (error) {
			throw unreachable(error, dataDir, adminSocket);
		}
		const text = await response.text();
		if (!response.ok) throw refused(text);
		return text;
	}

	async function ask(
		method: string,
		route: string,
		body?: Readonly<Record<string, unknown>>,
	): Promise<Reply> {
		const text = await send(method, route, body && JSON.stringify(body));
		const { success: _, ...reply } = parseObject(text) ?? {};
		return reply;
	}

	return {
		get: (route) => ask("GET", route),
		post: (route, body) => ask("POST", route, body),
		put: (route, body) => ask("PUT", route, body),
		delete: (route) => ask("DELETE", route),
		postText: (route, body) => send("POST", route, body),
	};
}

function unreachable(
	error: unknown,
	dataDir: string,
	path: string,
): SallyportError {
	const reason = (error as { code?: unknown } | null)?.code;
	if (reason === "EACCES" || reason === "EPERM")
		return new SallyportError("forbidden", `you may not open ${path}`, {
			hint: "use sudo, or join the group that the socket belongs to",
			cause: error,
		});
	return new SallyportError("unavailable", "the service is not running", {
		hint: `start it with: sallyport serve --data-dir ${dataDir} (or name its own --data-dir)`,
		cause: error,
	});
}

function refused(text: string): SallyportError {
	const body = parseObject(text);
	const code: ErrorCode = parseErrorCode(body?.["code"]);
	const message =
		typeof body?.["error"] === "string"
			? body["error"]
			: "the service gave no answer that can be read";
	const hint = body?.["hint"];
	return new SallyportError(
		code,
		message,
		typeof hint === "string" ? { hint } : {},
	);
}

function parseObject(text: string): Record<string, unknown> | null {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null
			? (value as Record<string, unknown>)
			: null;
	} catch {
		return null; // not ours: something else answers on that socket
	}
}

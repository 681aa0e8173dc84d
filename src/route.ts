/**
 * One route: what the doorman (`http/server.ts`) needs to know of it. Handlers read their own body, within their own
 * bounds, so that nobody reads it twice.
 */

/** Path parameters by name, decoded. */
export type Params = Readonly<Record<string, string>>;

/** What is known of a request beside the request. */
export type Visit = {
	/** Shown in errors, carried by logs. */
	readonly requestId: string;
};

export type Route = {
	/** `ALL`: the handler judges the method itself. */
	readonly method: "GET" | "POST" | "ALL";
	/** A path in which `:name` stands for one segment and a final `*` for the rest. */
	readonly path: string;
	readonly handler: (
		request: Request,
		params: Params,
		visit: Visit,
	) => Response | Promise<Response>;
};

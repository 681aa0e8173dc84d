/** One route: what the doorman needs to know of it. Handlers read their own body, so that nobody reads it twice. */

/** Path parameters by name, decoded. */
export type Params = Readonly<Record<string, string>>;

export type Route = {
	readonly method: "GET" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "ALL";
	/** A path in which `:name` stands for one segment and a final `*` for the rest. */
	readonly path: string;
	readonly handler: (
		request: Request,
		params: Params,
	) => Response | Promise<Response>;
};

/** Who calls: all that the router may know of a person and a client. It comes from the credential, never from a body. */
/** The owner claimed the gateway; admins run it too; members use it. */
export type Role = "owner" | "admin" | "member";

export type Caller = {
	readonly userId: string;
	readonly role: Role;
	/** The OAuth client, or `key:<id>` for an API key. */
	readonly clientId: string;
	/** Null for an API key. */
	readonly grantId: string | null;
	/** `mcp` or `mcp:<slug>`. */
	readonly scopes: readonly string[];
};

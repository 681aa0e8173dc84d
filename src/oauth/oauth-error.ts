/**
 * An error in the shape its RFC gives it.
 * It carries a redirect only once client and redirect URI are trusted; without one it is told to the person, or to
 * the client that asked. Descriptions are our own fixed sentences: nothing of the request is repeated in them.
 *
 * @see RFC 6749 4.1.2.1 and 5.2, RFC 7591 3.2.2, RFC 8707 2
 */

type OAuthErrorCode =
	| "access_denied"
	| "authorization_pending"
	| "expired_token"
	| "invalid_client"
	| "invalid_client_metadata"
	| "invalid_grant"
	| "invalid_redirect_uri"
	| "invalid_request"
	| "invalid_scope"
	| "invalid_target"
	| "request_not_supported"
	| "request_uri_not_supported"
	| "server_error"
	| "slow_down"
	| "temporarily_unavailable"
	| "unauthorized_client"
	| "unsupported_grant_type"
	| "unsupported_response_type";

export class OAuthError extends Error {
	readonly error: OAuthErrorCode;
	readonly status: number;
	readonly headers: Readonly<Record<string, string>>;
	/** The exact reason, for the log and the timeline; never for the world. */
	readonly reason: string;

	constructor(
		error: OAuthErrorCode,
		description: string,
		options: {
			readonly status?: number;
			readonly headers?: Readonly<Record<string, string>>;
			readonly reason?: string;
		} = {},
	) {
		super(description);
		this.name = "OAuthError";
		this.error = error;
		this.status = options.status ?? 400;
		this.headers = options.headers ?? {};
		this.reason = options.reason ?? description;
	}
}

/** Too many requests; the client may come back after `seconds`. */
export function tooMany(seconds: number): OAuthError {
	return new OAuthError(
		"temporarily_unavailable",
		"too many requests, try again later",
		{ status: 429, headers: { "Retry-After": String(seconds) } },
	);
}

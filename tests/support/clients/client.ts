/**
 * What every real client can be asked to do, whatever SDK or program is under it. All of it goes through the client's
 * own code: nothing here makes an OAuth or MCP request on its behalf, except to take its access token away.
 */
import type { Browser } from "../browser.ts";

export type Credentials = {
	readonly clientId: string;
	readonly accessToken: string;
	readonly refreshToken: string;
};

export type McpClient = {
	readonly name: string;
	/** Discovers, registers, signs in through the browser and connects. */
	readonly signIn: (browser: Browser) => Promise<void>;
	readonly listTools: () => Promise<readonly string[]>;
	/** The text of the first content block; `isError` throws. */
	readonly callTool: (
		name: string,
		args?: Readonly<Record<string, unknown>>,
	) => Promise<string>;
	/** What the client holds after it signed in. */
	readonly credentials: () => Credentials;
	/** The protocol revision that was agreed on, as the client tells it. */
	readonly revision: () => Promise<string | undefined>;
	readonly close: () => Promise<void>;
};

/** Where signed-in clients want the browser to return to; nobody listens there. */
export const REDIRECT_URI = "http://127.0.0.1:33999/callback";

/**
 * Ends the client's access token at the server (RFC 7009), behind the client's back: its next request is answered
 * 401, and it must refresh by itself.
 */
export async function revokeAccessToken(
	gatewayUrl: string,
	credentials: Credentials,
): Promise<void> {
	const response = await fetch(new URL("/revoke", gatewayUrl), {
		method: "POST",
		body: new URLSearchParams({
			token: credentials.accessToken,
			token_type_hint: "access_token",
			client_id: credentials.clientId,
		}),
	});
	if (!response.ok) throw new Error(`revocation answered ${response.status}`);
}

/** The text of a tool's answer. */
export function textOfResult(result: unknown): string {
	const { content, isError } = result as {
		content?: readonly { text?: string }[];
		isError?: boolean;
	};
	const text = content?.[0]?.text ?? JSON.stringify(result);
	if (isError) throw new Error(text);
	return text;
}

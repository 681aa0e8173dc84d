/** The client documents as their vendors serve them: what is bundled, with the members that we do not keep. */
import { knownDocument } from "../../../src/oauth/known-documents.ts";

/** The answer of the vendor's web site at this URL; 404 for anything else. */
export function serveDocument(url: string): Response {
	const document = knownDocument(url);
	if (!document) return new Response("not found", { status: 404 });
	return Response.json(
		{
			...document,
			client_uri: new URL(url).origin,
			logo_uri: `${new URL(url).origin}/logo.png`,
			grant_types: ["authorization_code", "refresh_token"],
			response_types: ["code"],
			...(url.startsWith("https://chatgpt.com/oauth/") &&
			!url.includes("/codex/")
				? {
						token_endpoint_auth_method: "private_key_jwt",
						token_endpoint_auth_methods_supported: ["private_key_jwt", "none"],
						jwks_uri: "https://chatgpt.com/oauth/jwks.json",
					}
				: { token_endpoint_auth_method: "none" }),
		},
		{ headers: { "Cache-Control": "max-age=300" } },
	);
}

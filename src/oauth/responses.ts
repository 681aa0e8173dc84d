/**
 * How the endpoints that programs talk to answer: JSON, never stored, readable from any origin.
 * No cookie means anything on these routes, so `*` gives nothing away; credentials are never allowed with it.
 */
import type { StepName } from "../store/timeline.ts";
import type { OAuthDeps } from "./authorization-server.ts";
import { OAuthError } from "./oauth-error.ts";

const CORS = { "Access-Control-Allow-Origin": "*" } as const;

const PENDING: readonly string[] = ["authorization_pending", "slow_down"];

/** A JSON answer. */
export function json(
	body: unknown,
	options: {
		readonly status?: number;
		readonly headers?: Readonly<Record<string, string>>;
	} = {},
): Response {
	return new Response(JSON.stringify(body), {
		status: options.status ?? 200,
		headers: {
			...CORS,
			"Content-Type": "application/json",
			"Cache-Control": "no-store",
			...options.headers,
		},
	});
}

/** A real 404 that a program can read: never a page (oauth.md 3.1 rule 4). */
export function notFound(): Response {
	return json(
		{ error: "not_found", error_description: "there is nothing here" },
		{ status: 404 },
	);
}

/**
 * Does a step's work; a refusal is put on the timeline with its exact reason on its way out.
 * @param clientId who asked, if that can be said; only a refusal wants to know
 */
export async function noting(
	deps: Pick<OAuthDeps, "note">,
	request: Request,
	step: StepName,
	clientId: () => string | null,
	work: () => Promise<Response> | Response,
): Promise<Response> {
	try {
		return await work();
	} catch (error) {
		// A device that asks whether its person has decided yet takes no step.
		if (error instanceof OAuthError && !PENDING.includes(error.error)) {
			deps.note(request, {
				step,
				outcome: "refused",
				clientId: clientId(),
				detail: error.reason,
			});
		}
		throw error;
	}
}

/**
 * Answers for one method, with preflight, and turns an OAuthError into its JSON.
 * Anything else that is thrown is a bug and stays one.
 */
export async function answer(
	request: Request,
	method: "GET" | "POST",
	work: () => Promise<Response> | Response,
): Promise<Response> {
	const methods = method === "GET" ? ["GET", "HEAD"] : ["POST"];
	if (request.method === "OPTIONS")
		return new Response(null, {
			status: 204,
			headers: {
				...CORS,
				"Access-Control-Allow-Methods": methods.join(", "),
				"Access-Control-Allow-Headers":
					"Authorization, Content-Type, MCP-Protocol-Version",
				"Access-Control-Max-Age": "86400",
			},
		});
	if (!methods.includes(request.method))
		return json(
			{
				error: "invalid_request",
				error_description: `this endpoint answers ${method}`,
			},
			{ status: 405, headers: { Allow: [...methods, "OPTIONS"].join(", ") } },
		);
	try {
		return await work();
	} catch (error) {
		if (!(error instanceof OAuthError)) throw error;
		return json(
			{ error: error.error, error_description: error.message },
			{ status: error.status, headers: error.headers },
		);
	}
}

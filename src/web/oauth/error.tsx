/** A page that says what went wrong: what happened, what it means, the one thing to do. Nothing of the request is repeated. */
import { httpStatus, SallyportError, sentence } from "../../errors.ts";
import { OAuthError } from "../../oauth/oauth-error.ts";
import { destinationOf } from "../../oauth/redirect-uris.ts";
import type { Client } from "../../store/clients.ts";
import { page } from "../layout.tsx";
import type { Problem } from "../problem.tsx";

/** The page for an authorization request that must not be answered to its client. */
export function refusedPage(error: OAuthError): Response {
	return page(
		{
			title: "Request refused",
			status: error.status === 401 ? 400 : error.status,
			headers: error.headers,
		},
		<>
			<h1>This request was refused</h1>
			<p>{sentence(error.message)} Nothing was changed.</p>
			<p>
				Go back to the client and connect again. If it fails the same way,
				remove this server from the client and add it anew.
			</p>
		</>,
	);
}

/** The page for a client that an administrator has not let in yet. */
export function waitingPage(client: Client): Response {
	return page(
		{ title: "Not let in yet", status: 403 },
		<>
			<h1>An administrator must let this client in first</h1>
			<p>
				Its answers go to{" "}
				<strong>{destinationOf(client.redirectUris[0] ?? "").name}</strong>, and
				nobody here has let it in yet.{" "}
				{client.name === "" ? null : (
					<>
						It calls itself “<bdi>{client.name}</bdi>”.
					</>
				)}
			</p>
			<p>
				Ask whoever runs this gateway to let it in, under Clients or with this
				command. Then connect again.
			</p>
			<p>
				<code class="copy">sallyport clients approve {client.id}</code>
			</p>
		</>,
	);
}

/** The page for something that is not there. */
export function missingPage(message: string): Response {
	return page(
		{ title: "Not found", status: 404 },
		<>
			<h1>There is nothing here</h1>
			<p>{message}</p>
		</>,
	);
}

/** The page for a form that did not come from our own page, or came too late. */
export function staleFormPage(): Response {
	return page(
		{ title: "Start again", status: 403 },
		<>
			<h1>This form cannot be used</h1>
			<p>
				It was used already, is too old, belongs to another sign-in, or did not
				come from this site. Nothing was changed.
			</p>
			<p>Go back to where you came from and start again.</p>
		</>,
	);
}

/** The page for an expected failure; anything else is thrown on. */
export function problemPage(error: unknown): Response {
	if (error instanceof OAuthError) return refusedPage(error);
	if (!(error instanceof SallyportError)) throw error;
	return page(
		{
			title: "Not done",
			status: httpStatus(error.code),
			...(error.code === "unavailable"
				? { headers: { "Retry-After": "5" } }
				: {}),
		},
		<>
			<h1>This was not done</h1>
			<p>{sentence(error.message)}</p>
			{error.hint === undefined ? null : <p>{sentence(error.hint)}</p>}
		</>,
	);
}

/** What can be put right in a form, as its page says it; anything else is thrown on. */
export function problemOf(error: unknown): Problem {
	if (
		!(error instanceof SallyportError) ||
		!["invalid", "conflict", "upstream"].includes(error.code)
	)
		throw error;
	return { status: httpStatus(error.code), text: sentence(error.message) };
}

/** What a person sees on the way to a service, and when they are back. */
import { page } from "../layout.tsx";

/**
 * Sends the browser to a service. Not with a redirect: a form of ours was sent, and browsers hold our own
 * `form-action` against wherever its redirects lead.
 */
export function leavingPage(place: string, url: string): Response {
	return page(
		{ title: `On to ${place}`, onward: url },
		<>
			<h1>On to {place}</h1>
			<p>
				<a href={url} rel="noreferrer">
					Go on
				</a>{" "}
				if nothing happens.
			</p>
		</>,
	);
}

/** The service said yes. @param isSettingUp whether the person came from the wizard, which goes on with the tools */
export function connectedPage(slug: string, isSettingUp: boolean): Response {
	return page(
		{ title: `${slug} is connected` },
		<>
			<h1>
				<strong>{slug}</strong> is connected
			</h1>
			<p>
				You can close this page and go back to your client. A call that waited
				for you goes on by itself.
			</p>
			{isSettingUp ? (
				<p class="actions">
					<a class="button primary" href={`/setup/server/tools?slug=${slug}`}>
						Go on setting up
					</a>
				</p>
			) : null}
			<p>
				<a href="/connections">All your connections</a>
			</p>
		</>,
	);
}

/**
 * A service sent back a browser that nobody is signed in with. What it brought stays unread and goes no further: it is
 * good only under the login that it was asked for. Signing in leads to where a connection is begun. The name is not
 * shown, because whoever made the link chose it.
 */
export function signedOutPage(slug: string): Response {
	const next = `/connect/${encodeURIComponent(slug)}`;
	return page(
		{ title: "Not connected yet", status: 403 },
		<>
			<h1>You are not signed in here</h1>
			<p>
				The service sent you back, but nobody is signed in to this gateway in
				this browser, or no longer. Nothing was connected.
			</p>
			<p>
				Sign in, and connect the server again. If you began in another browser,
				you can also do that there.
			</p>
			<p class="actions">
				<a
					class="button primary"
					href={`/login?${new URLSearchParams({ next })}`}
				>
					Sign in
				</a>
			</p>
		</>,
	);
}

/**
 * The page on which a person connects to a server: who asks, where they are sent, what the server will see; and the
 * secrets of their own that it wants. Fields: `do=sign-in|disconnect|secrets|client`, `secret:<slot>`; for an
 * administrator, where nobody has registered this gateway yet, `client-id` and `client-secret`.
 */
import type { VNode } from "preact";
import { sentence } from "../../errors.ts";
import type { ListedConnection } from "../../store/connections.ts";
import type { Slot } from "../../store/servers.ts";
import type { Outlook } from "../../upstream/connect.ts";
import { showDate } from "../dates.ts";
import { Form } from "../form.tsx";
import { Notice, page } from "../layout.tsx";

export type SignIn = {
	/** What signing in means; or why it cannot be done; or the page where it is, when this is not the place. */
	readonly outlook:
		| Outlook
		| { readonly problem: string }
		| { readonly elsewhere: string };
	readonly connection: ListedConnection | null;
	/** What to register by hand, where that is needed. */
	readonly redirectUri: string;
};

export type OwnSecret = { readonly slot: Slot; readonly isSet: boolean };

export function connectPage(fields: {
	readonly slug: string;
	readonly email: string;
	readonly isAdmin: boolean;
	readonly signIn: SignIn | null;
	readonly secrets: readonly OwnSecret[];
	readonly csrf: string;
	readonly saved: boolean;
}): Response {
	const { slug, signIn, secrets, csrf, saved } = fields;
	return page(
		{ title: `Connect ${slug}` },
		<>
			<h1>
				Connect <strong>{slug}</strong>
			</h1>
			{saved ? <Notice word="Saved">Your next call uses it.</Notice> : null}
			{signIn === null && secrets.length === 0 ? (
				<p>This server needs nothing of yours. You can use it as it is.</p>
			) : null}
			{signIn === null ? null : <SignInPart {...fields} signIn={signIn} />}
			{secrets.length === 0 ? null : (
				<SecretsPart
					slug={slug}
					secrets={secrets}
					csrf={csrf}
					isAll={signIn === null}
				/>
			)}
			<p class="quiet">
				Signed in here as {fields.email}. What you connect is used for your own
				calls and nobody else's.
			</p>
			<p>
				<a href="/connections">All your connections</a>
			</p>
		</>,
	);
}

function SignInPart(props: {
	readonly slug: string;
	readonly isAdmin: boolean;
	readonly signIn: SignIn;
	readonly csrf: string;
}): VNode {
	const { slug, isAdmin, csrf } = props;
	const { outlook, connection, redirectUri } = props.signIn;
	const action = `/connect/${slug}`;
	return (
		<>
			<State slug={slug} connection={connection} />
			{"problem" in outlook ? (
				<Notice word="Cannot sign in" danger>
					{sentence(outlook.problem)}
				</Notice>
			) : "elsewhere" in outlook ? (
				<Elsewhere link={outlook.elsewhere} />
			) : (
				<>
					<Terms slug={slug} outlook={outlook} />
					{outlook.client === "unknown" ? (
						<Unregistered
							slug={slug}
							isAdmin={isAdmin}
							outlook={outlook}
							redirectUri={redirectUri}
							csrf={csrf}
						/>
					) : null}
				</>
			)}
			<Form action={action} csrf={csrf}>
				<p class="actions">
					{"problem" in outlook ||
					"elsewhere" in outlook ||
					outlook.client === "unknown" ? null : (
						<button type="submit" name="do" value="sign-in" class="primary">
							{connection ? "Reconnect" : "Sign in"} at {outlook.place}
						</button>
					)}
					{connection ? (
						<button type="submit" name="do" value="disconnect" class="plain">
							Disconnect
						</button>
					) : null}
				</p>
			</Form>
		</>
	);
}

/** The service sends the browser to the gateway's own address, where this browser has to be known by then. */
function Elsewhere({ link }: { readonly link: string }): VNode {
	const { host } = new URL(link);
	return (
		<>
			<Notice word="Not from here">
				The service sends you back to {host}, so signing in begins there. You
				sign in to the gateway once more at that address.
			</Notice>
			<p class="actions">
				<a class="button primary" href={link}>
					Go on at {host}
				</a>
			</p>
		</>
	);
}

function State({
	slug,
	connection,
}: {
	readonly slug: string;
	readonly connection: ListedConnection | null;
}): VNode {
	if (!connection) return <p>You have not connected {slug} yet.</p>;
	if (connection.lostAt !== null)
		return (
			<Notice word="Sign in again">
				{slug} has not accepted your sign-in since {showDate(connection.lostAt)}
				.
			</Notice>
		);
	return (
		<p>
			Connected
			{connection.account === null ? null : (
				<>
					{" "}
					as <bdi>{connection.account}</bdi>
				</>
			)}{" "}
			since {showDate(connection.createdAt)}.
			{connection.wanted === null
				? null
				: " It now asks for more than you allowed then."}
		</p>
	);
}

function Terms({
	slug,
	outlook,
}: {
	readonly slug: string;
	readonly outlook: Outlook;
}): VNode {
	return (
		<>
			<p>
				You are sent to <strong>{outlook.place}</strong> and asked there. The
				answer comes back here, is kept sealed, and goes to{" "}
				<strong>{slug}</strong> with your own calls. Your clients never see it.
			</p>
			{outlook.scopes.length === 0 ? (
				<p>It asks for what {outlook.place} gives by itself.</p>
			) : (
				<>
					<p>It asks for:</p>
					<ul>
						{outlook.scopes.map((scope) => (
							<li key={scope}>
								<code>{scope}</code>
							</li>
						))}
					</ul>
				</>
			)}
		</>
	);
}

function Unregistered(props: {
	readonly slug: string;
	readonly isAdmin: boolean;
	readonly outlook: Outlook;
	readonly redirectUri: string;
	readonly csrf: string;
}): VNode {
	const { slug, outlook } = props;
	return (
		<>
			<Notice word="Not registered yet">
				{outlook.place} lets nobody register by themselves, so an administrator
				of this gateway does it there once.
			</Notice>
			<p>Register a web application there with this redirect URI:</p>
			<p>
				<code class="copy">{props.redirectUri}</code>
			</p>
			{props.isAdmin ? (
				<Form action={`/connect/${slug}`} csrf={props.csrf}>
					<label for="client-id">Client ID</label>
					<input id="client-id" name="client-id" autocomplete="off" required />
					<label for="client-secret">Client secret, if it gives one</label>
					<input
						id="client-secret"
						name="client-secret"
						type="password"
						autocomplete="off"
					/>
					<p class="actions">
						<button type="submit" name="do" value="client" class="primary">
							Save
						</button>
					</p>
				</Form>
			) : (
				<p>Send this page's address to whoever runs this gateway.</p>
			)}
		</>
	);
}

function SecretsPart(props: {
	readonly slug: string;
	readonly secrets: readonly OwnSecret[];
	readonly csrf: string;
	/** Whether the server wants nothing else: a page has one thing to do first. */
	readonly isAll: boolean;
}): VNode {
	return (
		<Form action={`/connect/${props.slug}`} csrf={props.csrf}>
			<h2>Secrets of yours</h2>
			<p>
				They are kept sealed and go to {props.slug} alone. They are never shown
				again, not to you either. A field that is left empty changes nothing.
			</p>
			{props.secrets.map(({ slot, isSet }) => (
				<SecretField key={slot.name} slot={slot} isSet={isSet} />
			))}
			<p class="actions">
				<button
					type="submit"
					name="do"
					value="secrets"
					class={props.isAll ? "primary" : undefined}
				>
					Save
				</button>
			</p>
		</Form>
	);
}

function SecretField({ slot, isSet }: OwnSecret): VNode {
	const id = `secret-${slot.name}`;
	return (
		<>
			<label for={id}>{slot.name}</label>
			<input
				id={id}
				name={`secret:${slot.name}`}
				type="password"
				autocomplete="off"
				aria-describedby={`${id}-hint`}
			/>
			<p class="hint" id={`${id}-hint`}>
				{isSet
					? "Set."
					: slot.optional
						? "Not set. It may stay so."
						: "Not set."}
			</p>
		</>
	);
}

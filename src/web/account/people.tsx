/**
 * The pages about people. Form fields: invite `email`, `role`; a person's page `do=<what>`, `role` and `sure`; each with
 * a hidden `csrf`.
 */
import type { ComponentChildren, VNode } from "preact";
import type { Role } from "../../caller.ts";
import type { SecondFactors } from "../../people/second-factors.ts";
import type { User } from "../../store/users.ts";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";
import { Table } from "../table.tsx";
import { Time } from "../time.tsx";

export type PersonView = User &
	SecondFactors & {
		/** Whether they have not chosen a password yet. */
		readonly isInvited: boolean;
		readonly lastSeenAt: number | null;
	};

const NAV = { current: "/users", administers: true } as const;

type GivenRole = "admin" | "member";

export const ROLE_NAMES: Readonly<Record<Role, string>> = {
	owner: "owner",
	admin: "administrator",
	member: "member",
};

export function peoplePage(fields: {
	readonly people: readonly PersonView[];
	/** What the person who looks may invite others as. */
	readonly roles: readonly GivenRole[];
	readonly csrf: string;
	readonly problem?: Problem;
}): Response {
	const { people, roles, csrf, problem } = fields;
	return page(
		{
			title: "Users",
			nav: NAV,
			...problemOptions(problem),
		},
		<>
			<h1>Users</h1>
			<Table
				caption="Everyone who may sign in"
				columns={["Who", "Role", "Second step", "Last seen"]}
			>
				{people.map((person) => (
					<tr key={person.id}>
						<th scope="row">
							<a href={`/users/${person.id}`}>{person.email}</a>
							<State person={person} />
						</th>
						<td data-label="Role">{ROLE_NAMES[person.role]}</td>
						<td data-label="Second step">{nameFactors(person)}</td>
						<td data-label="Last seen">
							{person.lastSeenAt === null ? (
								"not signed in"
							) : (
								<Time at={person.lastSeenAt} />
							)}
						</td>
					</tr>
				))}
			</Table>
			<h2>Invite someone</h2>
			<p>
				You get a link to give them. It works once, for seven days, and lets
				them choose a password.
			</p>
			<NotDone problem={problem} />
			<Form action="/users" csrf={csrf}>
				<Field name="email" label="E-mail" type="email" autocomplete="off" />
				<Roles roles={roles} chosen="member" />
				<p class="actions">
					<button type="submit" class="primary">
						Make the link
					</button>
				</p>
			</Form>
			<p>
				<a href="/users/provider">Sign-in with accounts elsewhere</a>
			</p>
		</>,
	);
}

export function personPage(fields: {
	readonly person: PersonView;
	readonly isSelf: boolean;
	/** Whether the person who looks may change this account. */
	readonly isManaged: boolean;
	readonly roles: readonly GivenRole[];
	readonly mayHandOver: boolean;
	readonly csrf: string;
	readonly problem?: Problem;
}): Response {
	const { person, isManaged, csrf, problem } = fields;
	return page(
		{ title: person.email, nav: NAV, ...problemOptions(problem) },
		<>
			<h1>{person.email}</h1>
			<p>
				A{person.role === "member" ? "" : "n"} {ROLE_NAMES[person.role]}
				<State person={person} />, here since <Time at={person.createdAt} />.
				Second step: {nameFactors(person)}.
			</p>
			<NotDone problem={problem} />
			{isManaged ? (
				<Changes {...fields} />
			) : (
				<p>
					{fields.isSelf ? (
						<>
							This is you. Change your own account under{" "}
							<a href="/account">Account</a>.
						</>
					) : (
						"Only the owner changes this account."
					)}
				</p>
			)}
			{isManaged && fields.mayHandOver && person.disabledAt === null ? (
				<Action csrf={csrf} id={person.id} value="hand over" label="Make owner">
					<h2>Hand the gateway over</h2>
					<p>
						They become its owner, and you an administrator. Only they can give
						it back.
					</p>
					<Sure>Yes, hand it to {person.email}</Sure>
				</Action>
			) : null}
			<p>
				<a href="/users">Back to users</a>
			</p>
		</>,
	);
}

function Changes(props: {
	readonly person: PersonView;
	readonly roles: readonly GivenRole[];
	readonly csrf: string;
}): VNode {
	const { person, roles, csrf } = props;
	const shared = { csrf, id: person.id };
	const isOff = person.disabledAt !== null;
	return (
		<>
			{roles.length > 1 ? (
				<Action {...shared} value="role" label="Change role">
					<Roles roles={roles} chosen={person.role} isSection />
				</Action>
			) : null}
			{isOff ? null : (
				<Action {...shared} value="reset-password" label="Reset password">
					<h2>Password</h2>
					<p>
						Theirs ends now, with their browsers, clients and keys. You get a
						link by which they choose another.
					</p>
				</Action>
			)}
			{person.app || person.passkeys > 0 ? (
				<Action {...shared} value="reset-2fa" label="Take it away">
					<h2>Second step</h2>
					<p>
						For someone who lost their phone and their recovery codes. Their
						password alone signs them in afterwards.
					</p>
				</Action>
			) : null}
			<Action
				{...shared}
				value={isOff ? "enable" : "disable"}
				label={isOff ? "Enable" : "Disable"}
			>
				<h2>{isOff ? "Let them in again" : "Keep them out"}</h2>
				<p>
					{isOff
						? "They sign in with the password they had. Clients and keys start afresh."
						: "Their browsers, clients and keys end now. What they own stays."}
				</p>
			</Action>
			<Action {...shared} value="remove" label="Remove" isDanger>
				<h2>Remove them</h2>
				<p>
					With their secrets, clients and keys. The audit trail stays. This
					cannot be undone.
				</p>
				<Sure>Yes, remove {person.email}</Sure>
			</Action>
		</>
	);
}

function Action(props: {
	readonly csrf: string;
	readonly id: string;
	readonly value: string;
	readonly label: string;
	readonly isDanger?: boolean;
	readonly children: ComponentChildren;
}): VNode {
	return (
		<Form action={`/users/${props.id}`} csrf={props.csrf}>
			{props.children}
			<p class="actions">
				<button
					type="submit"
					name="do"
					value={props.value}
					{...(props.isDanger ? { class: "danger" } : {})}
				>
					{props.label}
				</button>
			</p>
		</Form>
	);
}

/** A box to tick before what cannot be taken back. */
function Sure(props: { readonly children: ComponentChildren }): VNode {
	return (
		<label class="box">
			<input type="checkbox" name="sure" required />
			<span>{props.children}</span>
		</label>
	);
}

/** The page that shows a one-time link, once. */
export function linkPage(fields: {
	readonly email: string;
	readonly link: string;
}): Response {
	return page(
		{ title: "A link to give away" },
		<>
			<h1>Give this link to {fields.email}</h1>
			<p>
				It works once, for seven days, and is shown only now. Whoever opens it
				first chooses the password.
			</p>
			<p>
				<code class="copy">{fields.link}</code>
			</p>
			<p class="actions">
				<a class="button" href="/users">
					Done
				</a>
			</p>
		</>,
	);
}

function Roles(props: {
	readonly roles: readonly GivenRole[];
	readonly chosen: Role;
	/** Whether its legend is a heading of the page. */
	readonly isSection?: boolean;
}): VNode {
	return (
		<fieldset>
			<legend>{props.isSection ? <h2>Role</h2> : "Role"}</legend>
			{props.roles.map((role) => (
				<label key={role} class="box">
					<input
						type="radio"
						name="role"
						value={role}
						checked={role === props.chosen}
					/>
					<span>
						{ROLE_NAMES[role]}
						<span class="quiet"> {ROLE_HINTS[role]}</span>
					</span>
				</label>
			))}
		</fieldset>
	);
}

const ROLE_HINTS: Readonly<Record<GivenRole, string>> = {
	member: "uses servers",
	admin: "also runs the gateway: servers, clients, members",
};

function State({ person }: { readonly person: PersonView }): VNode | null {
	const state =
		person.disabledAt !== null
			? "disabled"
			: person.isInvited
				? "has no password yet"
				: null;
	return state === null ? null : <span class="quiet"> {state}</span>;
}

function nameFactors({ app, passkeys }: SecondFactors): string {
	return (
		[
			...(app ? ["app"] : []),
			...(passkeys > 0
				? [passkeys === 1 ? "1 passkey" : `${passkeys} passkeys`]
				: []),
		].join(", ") || "none"
	);
}

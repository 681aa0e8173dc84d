/**
 * What each role may do: the one table. Everyone manages their own account, secrets, clients and keys; that needs no
 * right. Over other people there is one rule more, `mayManage`.
 */
import type { Role } from "./caller.ts";

export type Right =
	/** Servers, their shared secrets and who may use them; clients, settings, the certificate. */
	| "run the gateway"
	/** See people; invite, disable, remove and reset members. */
	| "manage members"
	/** The same for administrators, and make them. */
	| "manage administrators"
	/** Ask in another person's name, but the owner's. */
	| "act for others"
	/** Ask in the owner's name. */
	| "act as the owner"
	/** Make someone else the owner. */
	| "hand the gateway over";

const RIGHTS: Readonly<Record<Role, readonly Right[]>> = {
	member: [],
	admin: ["run the gateway", "manage members", "act for others"],
	owner: [
		"run the gateway",
		"manage members",
		"manage administrators",
		"act for others",
		"act as the owner",
		"hand the gateway over",
	],
};

/** Whether a role has a right. */
export function may(role: Role, right: Right): boolean {
	return RIGHTS[role].includes(right);
}

/** Whether a role may change, disable, reset or remove someone of another role. Nobody may, to the owner. */
export function mayManage(role: Role, other: Role): boolean {
	if (other === "owner") return false;
	return may(
		role,
		other === "admin" ? "manage administrators" : "manage members",
	);
}

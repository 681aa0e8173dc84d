/** What each role may do. */
import { expect, test } from "bun:test";
import type { Role } from "../src/caller.ts";
import { may, mayManage } from "../src/rights.ts";

const ROLES: readonly Role[] = ["owner", "admin", "member"];

test("nobody manages the owner, only the owner manages administrators, and members manage nobody", () => {
	const managed = ROLES.map((role) =>
		ROLES.filter((other) => mayManage(role, other)),
	);
	expect(managed).toEqual([["admin", "member"], ["member"], []]);
});

test("an administrator runs the gateway, but neither acts as the owner nor hands it over", () => {
	expect(ROLES.map((role) => may(role, "run the gateway"))).toEqual([
		true,
		true,
		false,
	]);
	for (const right of ["act as the owner", "hand the gateway over"] as const)
		expect(ROLES.filter((role) => may(role, right))).toEqual(["owner"]);
});

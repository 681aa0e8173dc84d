import { expect, test } from "bun:test";
import { openDatabase } from "../../src/store/database.ts";
import {
	deleteSecret,
	findSecret,
	listSecrets,
	type SecretPlace,
	SHARED,
	setSecret,
} from "../../src/store/secrets.ts";
import { createServer, deleteServer } from "../../src/store/servers.ts";
import { createUser } from "../../src/store/users.ts";

function fixture() {
	const db = openDatabase(":memory:");
	const slot = (name: string, personal: boolean) =>
		({
			name,
			injection: "env",
			target: name.toUpperCase(),
			personal,
			optional: false,
		}) as const;
	const server = createServer(
		db,
		"s",
		{
			transport: { kind: "command", command: "x", args: [], env: {} },
			slots: [slot("mine", true), slot("ours", false)],
			access: "everyone",
			tools: null,
			enabled: true,
		},
		1,
	);
	const user = createUser(
		db,
		{ email: "ada@example.org", role: "member", passwordHash: null },
		1,
	);
	return { db, server, user };
}

/** Bytes that tell the place they were made for. */
function seal(place: SecretPlace): Uint8Array {
	return Buffer.from(JSON.stringify(place));
}

test("a value is sealed for the very row and version it is kept under, and a new one for the next version", () => {
	const { db, server, user } = fixture();
	const key = { serverId: server.id, slot: "mine", owner: user.id };
	const first = setSecret(db, key, 5, seal);
	const second = setSecret(db, key, 6, seal);
	expect(second).toMatchObject({ id: first.id, version: 2, updatedAt: 6 });
	const kept = findSecret(db, server.id, "mine", user.id);
	expect(kept && JSON.parse(Buffer.from(kept.sealed).toString())).toEqual({
		id: first.id,
		owner: user.id,
		version: 2,
	});
	expect(listSecrets(db, server.id)).toHaveLength(1);
});

test("each owner has a value of their own, and clearing one leaves the others", () => {
	const { db, server, user } = fixture();
	setSecret(db, { serverId: server.id, slot: "mine", owner: user.id }, 1, seal);
	setSecret(db, { serverId: server.id, slot: "ours", owner: SHARED }, 1, seal);
	expect(listSecrets(db, server.id).map(({ owner }) => owner)).toEqual([
		user.id,
		SHARED,
	]);
	expect(deleteSecret(db, server.id, "mine", user.id)).toBe(true);
	expect(deleteSecret(db, server.id, "mine", user.id)).toBe(false);
	expect(findSecret(db, server.id, "mine", user.id)).toBeNull();
	expect(findSecret(db, server.id, "ours", SHARED)).not.toBeNull();
});

test("a slot that is not declared and a user who is not there are refused, and nothing is kept", () => {
	const { db, server } = fixture();
	for (const [slot, owner] of [
		["nothing", SHARED],
		["mine", "usr_nobody"],
	] as const)
		expect(() =>
			setSecret(db, { serverId: server.id, slot, owner }, 1, seal),
		).toThrow(expect.objectContaining({ code: "not_found" }));
	expect(listSecrets(db, server.id)).toEqual([]);
});

test("values go with their server", () => {
	const { db, server } = fixture();
	setSecret(db, { serverId: server.id, slot: "ours", owner: SHARED }, 1, seal);
	deleteServer(db, "s");
	expect(listSecrets(db, server.id)).toEqual([]);
});

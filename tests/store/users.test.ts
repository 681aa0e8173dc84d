/** People, links, logins, keys and settings as rows. */
import { expect, test } from "bun:test";
import { mintId } from "../../src/mint.ts";
import {
	createApiKey,
	findApiKey,
	listApiKeys,
	revokeApiKey,
} from "../../src/store/api-keys.ts";
import { openDatabase } from "../../src/store/database.ts";
import {
	findSetting,
	insertKeyring,
	listKeyring,
	setSetting,
} from "../../src/store/instance.ts";
import {
	consumeInvite,
	createInvite,
	findInvite,
} from "../../src/store/invites.ts";
import {
	createUser,
	findPasswordHash,
	findUserByEmail,
	hasOwner,
	listUsers,
	requireUser,
	setPassword,
} from "../../src/store/users.ts";

const NOW = 1_800_000_000;
const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const member = { role: "member", passwordHash: null } as const;

test("an address is one person, however it is written", () => {
	const db = openDatabase(":memory:");
	const user = createUser(db, { ...member, email: "  Ada@Example.ORG " }, NOW);
	expect(user.email).toBe("ada@example.org");
	expect(findUserByEmail(db, "ADA@example.org")?.id).toBe(user.id);
	expect(() =>
		createUser(db, { ...member, email: "ada@EXAMPLE.org" }, NOW),
	).toThrow("already");
	for (const email of [
		"",
		"ada",
		"a b@c",
		"@c",
		"ada@",
		`${"a".repeat(250)}@b.cd`,
		"a\n@b",
	])
		expect(() => createUser(db, { ...member, email }, NOW), email).toThrow(
			"e-mail",
		);
	expect(listUsers(db)).toHaveLength(1);
	expect(() => requireUser(db, mintId("usr"))).toThrow("no user");
});

test("there is one owner", () => {
	const db = openDatabase(":memory:");
	expect(hasOwner(db)).toBe(false);
	createUser(db, { email: "a@b.c", role: "owner", passwordHash: "x" }, NOW);
	expect(hasOwner(db)).toBe(true);
	expect(() =>
		createUser(db, { email: "d@b.c", role: "owner", passwordHash: "x" }, NOW),
	).toThrow("has an owner");
	// Not by asking first alone: the schema refuses a second one too.
	expect(() =>
		db.run(
			"INSERT INTO users (id, email, role, created_at) VALUES ('usr_x', 'x@y.z', 'owner', 1)",
		),
	).toThrow("UNIQUE");
});

test("a disabled user's password is not found", () => {
	const db = openDatabase(":memory:");
	const { id } = createUser(db, { ...member, email: "a@b.c" }, NOW);
	expect(findPasswordHash(db, id)).toBeNull();
	setPassword(db, id, "hash");
	expect(findPasswordHash(db, id)).toBe("hash");
	db.run("UPDATE users SET disabled_at = 1");
	expect(findPasswordHash(db, id)).toBeNull();
});

test("a link works once, for its kind, until it expires or is replaced", () => {
	const db = openDatabase(":memory:");
	const link = { kind: "setup", userId: null, expiresAt: NOW + 10 } as const;
	createInvite(db, hash(1), link, NOW);
	createInvite(db, hash(2), link, NOW);
	expect(findInvite(db, hash(1), "setup", NOW)).toBeNull();
	expect(findInvite(db, hash(2), "invite", NOW)).toBeNull();
	expect(consumeInvite(db, hash(2), "setup", NOW + 10)).toBeNull();
	expect(consumeInvite(db, hash(2), "setup", NOW)).toEqual(link);
	expect(consumeInvite(db, hash(2), "setup", NOW)).toBeNull();
});

test("a key is found by its hash until it is revoked by someone who may", () => {
	const db = openDatabase(":memory:");
	const ada = createUser(db, { ...member, email: "a@b.c" }, NOW);
	const bob = createUser(db, { ...member, email: "b@b.c" }, NOW);
	const key = createApiKey(db, hash(1), { userId: ada.id, name: " ci " }, NOW);
	expect(key).toMatchObject({ name: "ci", email: "a@b.c", lastUsedAt: null });
	expect(findApiKey(db, hash(1))).toEqual({
		id: key.id,
		userId: ada.id,
		role: "member",
	});
	expect(findApiKey(db, hash(2))).toBeNull();
	expect(listApiKeys(db, bob.id)).toEqual([]);
	expect(() => revokeApiKey(db, key.id, NOW, bob.id)).toThrow("no key");
	revokeApiKey(db, key.id, NOW, ada.id);
	expect(findApiKey(db, hash(1))).toBeNull();
	expect(() => revokeApiKey(db, key.id, NOW)).toThrow("no key");
	expect(() =>
		createApiKey(db, hash(3), { userId: ada.id, name: " " }, NOW),
	).toThrow("name");
});

test("settings are replaced, keys of the keyring never", () => {
	const db = openDatabase(":memory:");
	expect(findSetting(db, "a")).toBeNull();
	setSetting(db, "a", "1");
	setSetting(db, "a", "2");
	expect(findSetting(db, "a")).toBe("2");
	const key = {
		keyId: 1,
		purpose: "data",
		wrapped: hash(1),
		state: "active",
		createdAt: NOW,
	} as const;
	insertKeyring(db, [key]);
	expect(listKeyring(db)).toEqual([key]);
	expect(() => insertKeyring(db, [{ ...key, keyId: 2 }, key])).toThrow(
		"UNIQUE",
	);
	expect(listKeyring(db)).toHaveLength(1);
});

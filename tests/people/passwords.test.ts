/** Password hashing and its bounds. */
import { expect, test } from "bun:test";
import { createPasswords } from "../../src/people/passwords.ts";

test("a password is known by its hash, in any spelling of its characters", async () => {
	const passwords = createPasswords("testing");
	const hash = await passwords.hash("pa\u00dfwort \u00e9t\u00e9");
	expect(hash).toStartWith("$argon2id$v=19$");
	expect(await passwords.verify(hash, "pa\u00dfwort e\u0301te\u0301")).toBe(
		true,
	);
	expect(await passwords.verify(hash, "passwort ete")).toBe(false);
	// Bun's own implementation reads it too: the fallback can take over.
	expect(await Bun.password.verify("pa\u00dfwort \u00e9t\u00e9", hash)).toBe(
		true,
	);
});

test("in production a hash costs 64 MiB and three passes", async () => {
	const hash = await createPasswords().hash("correct horse battery");
	expect(hash).toContain("$m=65536,t=3,p=1$");
});

test("nobody's hash is verified by nothing, not even by the right guess", async () => {
	expect(await createPasswords("testing").verify(null, "")).toBe(false);
});

test("a password that is too short or too long is refused", async () => {
	const passwords = createPasswords("testing");
	for (const password of ["", "123456789", "x".repeat(257)])
		expect(passwords.hash(password)).rejects.toMatchObject({ code: "invalid" });
});

// 63
test("of many at once two work, twenty wait, and the rest are turned away", async () => {
	const passwords = createPasswords("testing");
	const results = await Promise.allSettled(
		Array.from({ length: 40 }, () => passwords.verify(null, "x")),
	);
	const refused = results.filter(({ status }) => status === "rejected");
	expect(refused).toHaveLength(18);
	expect(refused[0]).toMatchObject({ reason: { code: "unavailable" } });
	expect(await passwords.verify(null, "x")).toBe(false);
});

/** Codes of an app, recovery codes, and passkeys, as far as they are judged. Numbers are rows of the attack list. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
	assertionOptions,
	judgePasskey,
	passkeyHost,
	registerPasskey,
	registrationOptions,
} from "../../src/people/passkeys.ts";
import {
	makeRecoveryCodes,
	takeRecoveryCode,
} from "../../src/people/recovery-codes.ts";
import { confirmTotp, offerTotp, spendTotp } from "../../src/people/totp.ts";
import { openDatabase } from "../../src/store/database.ts";
import { listNotices } from "../../src/store/notices.ts";
import { listPasskeys } from "../../src/store/passkeys.ts";
import { countRecoveryCodes } from "../../src/store/recovery-codes.ts";
import { createUser, type User } from "../../src/store/users.ts";
import { createKeyring, openVault } from "../../src/vault.ts";
import {
	appCode,
	createAuthenticator,
	type Tampering,
} from "../support/authenticator.ts";

const ISSUER = "https://gw.example";
const BROWSER = "browser";

let now: number;
let deps: Parameters<typeof judgePasskey>[0];
let ada: User;
let bob: User;

beforeEach(() => {
	now = 1_800_000_000;
	const kek = new Uint8Array(32).fill(7);
	const db = openDatabase(":memory:");
	deps = {
		db,
		vault: openVault(kek, createKeyring(kek, now)),
		clock: { now: () => now, nowMs: () => now * 1000 },
		issuer: ISSUER,
	};
	const member = { role: "member", passwordHash: null } as const;
	ada = createUser(db, { ...member, email: "ada@example.org" }, now);
	bob = createUser(db, { ...member, email: "bob@example.org" }, now);
});
afterEach(() => deps.db.close());

function setUpApp(user = ada): string {
	const { handle, key } = offerTotp(deps, user, "sallyport gw.example");
	expect(confirmTotp(deps, user.id, handle, appCode(key, now))).toBe(true);
	now += 60;
	return key;
}

test("an offered seed is one that every app reads, and is kept only with a code of it", () => {
	const { handle, uri, key } = offerTotp(deps, ada, "sallyport gw.example");
	const url = new URL(uri);
	expect(url.host + url.pathname).toBe(
		"totp/sallyport%20gw.example:ada%40example.org",
	);
	expect(Object.fromEntries(url.searchParams)).toMatchObject({
		secret: key.replaceAll(" ", ""),
		algorithm: "SHA1",
		digits: "6",
		period: "30",
	});
	expect(key.replaceAll(" ", "")).toHaveLength(32);
	const right = appCode(key, now);
	const wrong = right === "000000" ? "000001" : "000000";
	expect(confirmTotp(deps, ada.id, handle, wrong)).toBe(false);
	expect(confirmTotp(deps, bob.id, handle, right)).toBe(false);
	expect(spendTotp(deps, ada.id, right)).toBe(false);
	// Shown again after a mistyped code, it is the same seed.
	expect(offerTotp(deps, ada, "x", handle).key).toBe(key);
	expect(confirmTotp(deps, ada.id, handle, right)).toBe(true);
});

test("the seed is sealed in the store", () => {
	const key = setUpApp();
	const rows = deps.db.query("SELECT * FROM totp").all();
	expect(Buffer.from(JSON.stringify(rows)).toString()).not.toContain(
		key.replaceAll(" ", ""),
	);
	// Copied to another user's row it does not open.
	deps.db.run(
		"INSERT INTO totp SELECT ?, sealed, last_counter, created_at FROM totp",
		[bob.id],
	);
	expect(() => spendTotp(deps, bob.id, appCode(key, now))).toThrow(
		"does not open",
	);
});

// 64
test("a code is good within one interval of its own, once, and none before it afterwards", () => {
	const key = setUpApp();
	for (const steps of [-3, -2, 2, 3])
		expect(spendTotp(deps, ada.id, appCode(key, now, steps)), `${steps}`).toBe(
			false,
		);
	expect(spendTotp(deps, ada.id, appCode(key, now, 1))).toBe(true);
	expect(spendTotp(deps, ada.id, appCode(key, now, 1))).toBe(false);
	expect(spendTotp(deps, ada.id, appCode(key, now, 0))).toBe(false);
	now += 60;
	const spaced = appCode(key, now).replace(/(...)/, "$1 ");
	expect(spendTotp(deps, ada.id, spaced)).toBe(true);
});

test("the code that set the app up does not sign in as well", () => {
	const { handle, key } = offerTotp(deps, ada, "x");
	const code = appCode(key, now);
	expect(confirmTotp(deps, ada.id, handle, code)).toBe(true);
	expect(spendTotp(deps, ada.id, code)).toBe(false);
});

// 66
test("a recovery code is good once, for its person, however it is written", () => {
	const codes = makeRecoveryCodes(deps, ada.id);
	expect(new Set(codes).size).toBe(10);
	for (const code of codes)
		expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/);
	const [first = "", second = ""] = codes;
	expect(takeRecoveryCode(deps, bob.id, first)).toBe(false);
	const sloppy = ` ${first.toLowerCase().replace("-", " ").replaceAll("0", "o").replaceAll("1", "l")} `;
	expect(takeRecoveryCode(deps, ada.id, sloppy)).toBe(true);
	expect(takeRecoveryCode(deps, ada.id, first)).toBe(false);
	expect(countRecoveryCodes(deps.db, ada.id)).toBe(9);
	expect(
		JSON.stringify(deps.db.query("SELECT * FROM recovery_codes").all()),
	).not.toContain(second);
	makeRecoveryCodes(deps, ada.id);
	expect(takeRecoveryCode(deps, ada.id, second)).toBe(false);
});

type Occasion = Parameters<typeof assertionOptions>[1];
const SIGN_IN: Occasion = { purpose: "sign in", binding: BROWSER };
const SECOND: Occasion = { purpose: "second factor", binding: BROWSER };

async function addPasskey(
	user = ada,
	tampering: Tampering = {},
): Promise<ReturnType<typeof createAuthenticator>> {
	const authenticator = createAuthenticator(ISSUER);
	const options = registrationOptions(deps, BROWSER, user);
	await registerPasskey(deps, BROWSER, user.id, {
		name: "phone",
		answer: authenticator.create(options, tampering),
	});
	return authenticator;
}

test("a passkey is kept, and signs in by itself or as the second factor", async () => {
	const options = registrationOptions(deps, BROWSER, ada);
	expect(options).toMatchObject({
		rp: { id: "gw.example" },
		attestation: "none",
		authenticatorSelection: {
			residentKey: "preferred",
			userVerification: "preferred",
		},
	});
	const phone = await addPasskey();
	const alone = assertionOptions(deps, SIGN_IN, null);
	expect(alone).toMatchObject({
		allowCredentials: [],
		userVerification: "required",
	});
	expect(
		await judgePasskey(deps, SIGN_IN, null, phone.get(alone)),
	).toMatchObject({ id: ada.id });
	const beside = assertionOptions(deps, SECOND, ada.id);
	expect(beside).toMatchObject({
		allowCredentials: [{ id: phone.id, transports: ["internal"] }],
		userVerification: "preferred",
	});
	const touched = phone.get(beside, { isVerified: false });
	expect(await judgePasskey(deps, SECOND, ada.id, touched)).toMatchObject({
		id: ada.id,
	});
	expect(listPasskeys(deps.db, ada.id)[0]).toMatchObject({
		name: "phone",
		rpId: "gw.example",
		counter: 2,
		lastUsedAt: now,
	});
});

// 65
test.each<[string, Tampering]>([
	["another origin", { origin: "https://evil.example" }],
	["the same host without TLS", { origin: "http://gw.example" }],
	["another relying party", { rpId: "evil.example" }],
	[
		"a challenge of its own",
		{ challenge: Buffer.from("x").toString("base64url") },
	],
	["nobody verified", { isVerified: false }],
	[
		"a signature of something else",
		{ signature: Buffer.from("x").toString("base64url") },
	],
	[
		"another person's handle",
		{ userHandle: Buffer.from("usr_other").toString("base64url") },
	],
	["no handle", { userHandle: null }],
	[
		"an unknown passkey",
		{ id: Buffer.from("x".repeat(32)).toString("base64url") },
	],
	["an answer to a registration", { type: "webauthn.create" }],
])("an assertion with %s is refused", async (_, tampering) => {
	const phone = await addPasskey();
	const answer = phone.get(assertionOptions(deps, SIGN_IN, null), tampering);
	expect(await judgePasskey(deps, SIGN_IN, null, answer)).toBeNull();
});

// 65
test("a challenge is answered once, within five minutes, in its browser, for its purpose", async () => {
	const phone = await addPasskey();
	const options = assertionOptions(deps, SIGN_IN, null);
	const elsewhere = { ...SIGN_IN, binding: "another browser" };
	expect(
		await judgePasskey(deps, elsewhere, null, phone.get(options)),
	).toBeNull();
	const other: Occasion = { purpose: "prove", binding: BROWSER };
	expect(await judgePasskey(deps, other, null, phone.get(options))).toBeNull();
	const answer = phone.get(options);
	expect(await judgePasskey(deps, SIGN_IN, null, answer)).not.toBeNull();
	expect(await judgePasskey(deps, SIGN_IN, null, answer)).toBeNull();
	expect(
		await judgePasskey(deps, SIGN_IN, null, phone.get(options)),
	).toBeNull();
	const late = phone.get(assertionOptions(deps, SIGN_IN, null));
	now += 300;
	expect(await judgePasskey(deps, SIGN_IN, null, late)).toBeNull();
});

// 65
test("another person's passkey is no second factor of mine, and neither is a registration of theirs", async () => {
	const bobs = await addPasskey(bob);
	const options = assertionOptions(deps, SECOND, ada.id);
	expect(
		await judgePasskey(deps, SECOND, ada.id, bobs.get(options)),
	).toBeNull();
	const forAda = registrationOptions(deps, BROWSER, ada);
	expect(
		registerPasskey(deps, BROWSER, ada.id, {
			name: "x",
			answer: bobs.create(forAda),
		}),
	).rejects.toMatchObject({ code: "conflict" });
});

test.each<[string, Tampering]>([
	["another origin", { origin: "https://evil.example" }],
	["another relying party", { rpId: "evil.example" }],
	["a challenge of its own", { challenge: "eA" }],
	["an answer to a sign-in", { type: "webauthn.get" }],
])("a registration with %s is refused", async (_, tampering) => {
	expect(addPasskey(ada, tampering)).rejects.toMatchObject({ code: "invalid" });
	expect(listPasskeys(deps.db, ada.id)).toEqual([]);
});

test.each(["", "{}", "[]", "null", '{"id":1}', "x".repeat(20_000)])(
	"an answer that is none is refused: %p",
	async (answer) => {
		expect(await judgePasskey(deps, SIGN_IN, null, answer)).toBeNull();
		expect(
			registerPasskey(deps, BROWSER, ada.id, { name: "x", answer }),
		).rejects.toMatchObject({ code: "invalid" });
	},
);

test("a counter that goes back signs in, and is told", async () => {
	const phone = await addPasskey();
	const answer = (counter: number): string =>
		phone.get(assertionOptions(deps, SIGN_IN, null), { counter });
	expect(await judgePasskey(deps, SIGN_IN, null, answer(7))).not.toBeNull();
	expect(listNotices(deps.db, ada.id)).toEqual([]);
	expect(await judgePasskey(deps, SIGN_IN, null, answer(3))).not.toBeNull();
	expect(listNotices(deps.db, ada.id)).toMatchObject([
		{ kind: "passkey counter went back", detail: "phone" },
	]);
});

test("a disabled person's passkey signs nobody in", async () => {
	const phone = await addPasskey();
	deps.db.run("UPDATE users SET disabled_at = 1");
	const answer = phone.get(assertionOptions(deps, SIGN_IN, null));
	expect(await judgePasskey(deps, SIGN_IN, null, answer)).toBeNull();
});

test("there are no passkeys for a bare address", () => {
	expect(passkeyHost("https://192.0.2.1")).toBeNull();
	expect(passkeyHost("https://[2001:db8::1]:8443")).toBeNull();
	expect(passkeyHost("http://localhost:8080")).toBe("localhost");
	const bare = { ...deps, issuer: "https://192.0.2.1" };
	expect(() => registrationOptions(bare, BROWSER, ada)).toThrow("need a name");
});

import { expect, test } from "bun:test";
import { findDetour, findPublicAddress } from "../../src/ops/whereabouts.ts";

test.each([
	[["127.0.0.1", "10.0.0.4", "fe80::1"], null],
	[["10.0.0.4", "2600:1f18::9", "8.8.4.9"], "8.8.4.9"],
	[["::1", "fd00::2", "2600:1f18::9"], "2600:1f18::9"],
	[["100.64.1.1", "169.254.169.254", "192.0.2.2"], null],
])("of %j the world reaches %p", (addresses, expected) => {
	expect(findPublicAddress(() => addresses)).toBe(expected);
});

test("a name that leads here, or to loopback as in a hosts file, has no detour", async () => {
	expect(await findDetour("localhost", () => ["8.8.4.9"])).toBeNull();
	expect(await findDetour("8.8.4.9", () => ["8.8.4.9"])).toBeNull();
});

test("a name that leads elsewhere is told with where, and the record that would be right", async () => {
	const detour = await findDetour("9.9.9.9", () => ["8.8.4.9"]);
	expect(detour?.message).toBe(
		"9.9.9.9 leads to 9.9.9.9, which is not this machine",
	);
	expect(detour?.hint).toBe(
		"point the record at this machine, then check again; the right record: 9.9.9.9. A 8.8.4.9",
	);
});

test("Cloudflare before a name is told here as in the wizard", async () => {
	const detour = await findDetour("104.16.1.2", () => ["8.8.4.9"]);
	expect(detour?.message).toContain("which is Cloudflare");
});

test("a name that is nowhere is told as such", async () => {
	const detour = await findDetour("nowhere.invalid", () => []);
	expect(detour?.message).toBe("nowhere.invalid has no address yet");
	expect(detour?.hint).toContain("create an A record");
});

test("behind a translation only the CA can tell", async () => {
	expect(await findDetour("9.9.9.9", () => ["10.0.0.4"])).toBeNull();
	expect(await findDetour("2600:1f18::9", () => ["10.0.0.4"])).toBeNull();
});

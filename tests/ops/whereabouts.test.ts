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

test("a name that leads elsewhere is told with both ends, and the record that would be right", async () => {
	const detour = await findDetour("9.9.9.9", () => ["8.8.4.9"]);
	expect(detour?.message).toBe(
		"9.9.9.9 leads to 9.9.9.9, and this machine is 8.8.4.9",
	);
	expect(detour?.hint).toContain("point its A record at 8.8.4.9");
});

test("a name that is nowhere is told as such", async () => {
	const detour = await findDetour("nowhere.invalid", () => []);
	expect(detour?.message).toBe("nowhere.invalid is not in the DNS");
	expect(detour?.hint).toContain("point its A record");
});

test("behind a translation only the CA can tell", async () => {
	expect(await findDetour("9.9.9.9", () => ["10.0.0.4"])).toBeNull();
});

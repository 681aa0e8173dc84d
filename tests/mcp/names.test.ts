import { expect, test } from "bun:test";
import {
	exposeName,
	exposeUri,
	splitName,
	splitUri,
} from "../../src/mcp/names.ts";

test("a name splits at its first underscore, whatever follows", () => {
	for (const name of ["read", "read_file", "_x", "a.b-c", ""])
		expect(splitName(exposeName("my-notes", name))).toEqual({
			slug: "my-notes",
			name,
		});
});

test("a name without a slug is nobody's", () => {
	for (const name of [
		"read",
		"_read",
		"My_read",
		"9a_read",
		`${"a".repeat(33)}_read`,
	])
		expect(splitName(name)).toBeNull();
});

test("a URI comes back as it was, and stays a legal URI", () => {
	for (const uri of [
		"file:///a+b_c",
		"test://x/{id}",
		"ui://app/main.html",
		"git+ssh://host/x",
		"plain",
	]) {
		const exposed = exposeUri("notes", uri);
		expect(splitUri(exposed)).toEqual({ slug: "notes", name: uri });
		expect(exposed).toMatch(/^[a-z][a-z0-9+.-]*:|^notes\+plain$/);
	}
});

test("a web address keeps its spelling", () => {
	expect(exposeUri("notes", "https://example.org/a")).toBe(
		"https://example.org/a",
	);
	expect(splitUri("https://example.org/a")).toBeNull();
});

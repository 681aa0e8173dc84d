import { expect, test } from "bun:test";
import fc from "fast-check";
import {
	CLIENT_NAME_LENGTH_MAX,
	clientName,
	exposeNames,
	exposeUri,
	splitName,
	splitUri,
} from "../../src/mcp/names.ts";

test("a name splits at its first underscore, whatever follows", () => {
	for (const name of ["read", "read_file", "_x", "a.b-c", ""])
		expect(splitName(exposeNames("my-notes", [name]).get(name) ?? "")).toEqual({
			slug: "my-notes",
			name,
		});
});

test("a name that fits is never touched, and a long one fits with the client's own prefix", () => {
	const long = "list_all_the_organisation_wide_deployment_environments";
	const names = exposeNames("github", ["read", long]);
	expect(names.get("read")).toBe("github_read");
	const short = names.get(long) ?? "";
	expect(short).toStartWith("github_list_all_the");
	expect(clientName(null, short).length).toBeLessThanOrEqual(
		CLIENT_NAME_LENGTH_MAX,
	);
	expect(clientName(null, short)).toBe(`mcp__sallyport__${short}`);
});

test("a server may give a tool the very name that another is shortened to", () => {
	const long = "x".repeat(80);
	const short = exposeNames("s", [long]).get(long)?.slice(2) ?? "";
	const names = exposeNames("s", [short, long]);
	expect(names.get(short)).toBe(`s_${short}`);
	expect(names.get(long)).not.toBe(`s_${short}`);
	expect(names.get(long)).toMatch(/^s_x+_[a-z2-7]{10}$/);
});

const slug = fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/);
const toolName = fc.oneof(
	fc.string({ minLength: 1, maxLength: 100, unit: "grapheme" }),
	fc.stringMatching(/^[A-Za-z0-9_.-]{1,128}$/),
	fc.string({ minLength: 40, maxLength: 60, unit: fc.constantFrom("a", "b") }),
);
const toolNames = fc.uniqueArray(toolName, { maxLength: 40 });

test("shortening is injective, within the budget, and begins with the server's slug", () => {
	fc.assert(
		fc.property(slug, toolNames, (slug, names) => {
			const exposed = [...exposeNames(slug, names).values()];
			expect(new Set(exposed).size).toBe(names.length);
			for (const name of exposed) {
				expect(splitName(name)?.slug).toBe(slug);
				expect(clientName(null, name).length).toBeLessThanOrEqual(60);
				expect(name.isWellFormed()).toBe(true);
			}
		}),
	);
});

test("a short name depends on the server and the name alone: not on order, nor on what else is listed", () => {
	fc.assert(
		fc.property(slug, toolNames, toolNames, (slug, names, others) => {
			const alone = exposeNames(slug, names);
			const among = exposeNames(slug, [...others, ...names].toReversed());
			for (const name of names)
				expect(among.get(name)).toBe(alone.get(name) as string);
		}),
	);
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

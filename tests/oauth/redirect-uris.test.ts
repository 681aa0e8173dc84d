/** Redirect URIs by themselves. Numbers are rows of the attack list (research/oauth.md 5 A). */
import { expect, test } from "bun:test";
import {
	destinationOf,
	formActionSource,
	isAdmissible,
	matchesRedirectUri,
	withParameters,
} from "../../src/oauth/redirect-uris.ts";

test("callbacks on this computer and of known clients can be registered", () => {
	for (const uri of [
		"http://localhost/callback",
		"http://localhost:3118/callback",
		"http://127.0.0.1:33418/",
		"http://127.0.0.1/",
		"http://127.3.2.1:1/x?y=z",
		"http://[::1]:9/cb",
		"https://claude.ai/api/mcp/auth_callback",
		"https://chatgpt.com/connector/oauth/abc_DEF-1",
		"cursor://anysphere.cursor-mcp/oauth/callback",
		"https://grok.com/connectors-oauth-exchange-code/",
	])
		expect(isAdmissible(uri, "known"), uri).toBe(true);
});

// 5, 6, 10, 13
test("schemes that run or read something, foreign hosts and wildcards cannot be registered", () => {
	for (const uri of [
		"javascript:alert(1)",
		"JavaScript:alert(1)",
		" javascript:alert(1)",
		"\tjavascript:alert(1)",
		"\njavascript:alert(1)",
		"java%0ascript:alert(1)",
		"java\nscript:alert(1)",
		"\0javascript:alert(1)",
		"data:text/html,x",
		"vbscript:x",
		"file:///etc/passwd",
		"blob:https://a/b",
		"about:blank",
		"intent://x#Intent;end",
		"http://evil.example/cb",
		"https://evil.example/cb",
		"https://*.example/cb",
		"http://localhost:*/cb",
		"http://localhost/*",
		"http://localhost/cb#f",
		"http://user@localhost/cb",
		"http://localhost@evil.example/cb",
		"http://localhost:1@evil.example/cb",
		"http://localhost.evil.example:1/",
		"http://127.0.0.1.nip.io/",
		"http://localhost./cb",
		"http://0x7f.1/",
		"http://2130706433/",
		"http://127.1/",
		"http://0.0.0.0/cb",
		"http://LOCALHOST/cb",
		"http://localhost/a/../b",
		"http://localhost/a/%2e%2E/b",
		"http://localhost\\@evil.example/",
		"http://localhost:123456/cb",
		"https://localhost/cb",
		"cursor:evil",
		"cursor://other/path",
		"cursor://anysphere.cursor-mcp/oauth/callback/",
		"vscode://x/y",
		"https://claude.ai/api/mcp/auth_callback/",
		"https://chatgpt.com/connector/oauth/",
		"https://chatgpt.com/connector/oauth/a/b",
		"https://chatgpt.com/connector/oauth/../x",
		`http://localhost/${"a".repeat(512)}`,
		"",
	])
		expect(isAdmissible(uri, "known"), JSON.stringify(uri)).toBe(false);
});

test("a document may name any https host, and still nothing odd", () => {
	expect(isAdmissible("https://client.example/cb?x=1", "any")).toBe(true);
	for (const uri of [
		"https://a@evil.example/cb",
		"https://A.example/cb",
		"https://a.example/cb#f",
		"https://a.example/*",
		"https://a.example/x/../y",
		"https://a\\.evil.example/cb",
		"https://a.example:80@evil.example/",
		"http://client.example/cb",
		"javascript:alert(1)",
		"https://ä.example/cb",
	])
		expect(isAdmissible(uri, "any"), uri).toBe(false);
});

// 7: RFC 8252 7.3
test("on this computer the port does not matter", () => {
	const registered = [
		"http://localhost/callback",
		"http://127.0.0.1:33418/",
		"http://[::1]/cb?a=1",
	];
	for (const sent of [
		"http://localhost:58135/callback",
		"http://localhost/callback",
		"http://127.0.0.1:1/",
		"http://127.0.0.1/",
		"http://[::1]:80/cb?a=1",
	])
		expect(matchesRedirectUri(registered, sent), sent).toBe(true);
});

// 2, 3, 4, 8, 9
test("anything else must be the same bytes", () => {
	const registered = ["http://localhost/cb?a=1&b=2", "https://a.example/cb"];
	for (const sent of [
		"http://127.0.0.1/cb?a=1&b=2",
		"http://localhost/cb?b=2&a=1",
		"http://localhost/cb?a=1&b=2&c=3",
		"http://localhost/cb",
		"http://localhost/other?a=1&b=2",
		"https://localhost:1/cb?a=1&b=2",
		"http://localhost:1/cb?a=1&b=2#f",
		"http://localhost.evil.example:1/cb?a=1&b=2",
		"http://localhost:1@evil.example/cb?a=1&b=2",
		"https://a.example/cb/",
		"https://a.example/cb/../x",
		"https://a.example/cb%2f..",
		"https://a.example//cb",
		"https://a.example:443/cb",
		"https://a.example:8443/cb",
		"https://A.example/cb",
		"https://a.example/cb?x",
		"https://a.example/cb#",
		"https://a.example@evil.example/cb",
		"https://a.example%40evil.example/cb",
		"https://a.example\\.evil.example/cb",
		"https://a.example.evil.example/cb",
		" https://a.example/cb",
	])
		expect(matchesRedirectUri(registered, sent), sent).toBe(false);
});

test("parameters are added to the redirect URI's own bytes, and cannot break out of them", () => {
	expect(
		withParameters("http://localhost/cb?a=%7E", { state: "x\r\ny: z" }),
	).toBe("http://localhost/cb?a=%7E&state=x%0D%0Ay%3A+z");
	expect(withParameters("cursor://a/b", { code: "1", state: null })).toBe(
		"cursor://a/b?code=1",
	);
});

test("a destination says where the answer really goes", () => {
	expect(destinationOf("https://claude.ai/api/mcp/auth_callback")).toEqual({
		kind: "host",
		name: "claude.ai",
		known: true,
	});
	expect(destinationOf("https://claude.example:8/x").known).toBe(false);
	expect(destinationOf("http://localhost:1/claude.ai").kind).toBe("loopback");
	expect(destinationOf("cursor://anysphere.cursor-mcp/oauth/callback")).toEqual(
		{ kind: "app", name: "cursor", known: true },
	);
});

test("the content security policy names what the answer may lead to", () => {
	expect(formActionSource("https://claude.ai/x")).toBe("https://claude.ai");
	expect(formActionSource("http://localhost:8/x")).toBe("http://localhost:8");
	expect(formActionSource("http://[::1]:8/x")).toBe("http:");
	expect(formActionSource("cursor://a/b")).toBe("cursor:");
});

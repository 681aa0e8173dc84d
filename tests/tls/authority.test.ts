import { expect, test } from "bun:test";
import { authorityOf } from "../../src/tls/authority.ts";

test("without a directory the authority is Let's Encrypt, which has a staging one", () => {
	const authority = authorityOf({});
	expect(authority.directory).toContain("letsencrypt.org");
	expect(authority.staging).toContain("staging");
	expect(authority.staging).not.toBe(authority.directory);
});

test("a directory that is not known has no staging: it is rehearsed nowhere", () => {
	const directory = "https://ca.internal.example/acme/directory";
	expect(authorityOf({ directory, profile: "brief" })).toEqual({
		directory,
		staging: null,
		profile: "brief",
		email: null,
		binding: null,
	});
});

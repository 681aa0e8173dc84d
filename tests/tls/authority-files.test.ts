import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBindingKey, readTrust } from "../../src/tls/authority-files.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-authority-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(text: string): string {
	const path = join(folder, "file");
	writeFileSync(path, text);
	return path;
}

test("a binding key is base64url, with or without padding and line end (RFC 8555 7.3.4)", () => {
	expect(
		readBindingKey(
			write(
				"zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W==\n",
			),
		),
	).toBe("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");
});

test.each(["", "two words", "a+b/c"])(
	"%p is no binding key, and is not quoted",
	(text) => {
		const path = write(text);
		expect(() => readBindingKey(path)).toThrow(`${path} holds no binding key`);
	},
);

test("what holds no certificate is nothing to trust a directory by", () => {
	expect(() => readTrust(write("x"))).toThrow("holds no certificate");
	expect(() => readTrust(write("x".repeat(300_000)))).toThrow("too large");
	expect(() => readTrust(join(folder, "absent"))).toThrow("cannot read");
});

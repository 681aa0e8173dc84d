import { describe, expect, test } from "bun:test";
import { parseConfig } from "../src/config.ts";
import type { Serving } from "../src/serving.ts";

/** What a command line comes down to. */
function serving(line: string): Serving {
	return parseConfig(line.split(" ").filter(Boolean), {
		SALLYPORT_CONFIG: "/nonexistent/sallyport.toml",
	});
}

const GATE = "--public-url https://gate.example.org";

test("without any flag it is localhost in clear", () => {
	expect(serving("")).toMatchObject({
		listen: [{ host: "localhost", port: 8080 }],
		publicUrl: null,
		tls: { mode: "off" },
		httpListen: null,
	});
});

test("a public https URL means a certificate of our own, on 443 and 80 of every address", () => {
	expect(serving(GATE)).toMatchObject({
		listen: [{ host: "::", port: 443 }],
		publicUrl: "https://gate.example.org",
		tls: {
			mode: "acme",
			directory: null,
			staging: null,
			caFile: null,
			profile: null,
			email: null,
			binding: null,
		},
		httpListen: { host: "::", port: 80 },
	});
});

test("with a CA the name may come later: it is asked for in the browser", () => {
	expect(serving("--listen 0.0.0.0:443")).toMatchObject({
		publicUrl: null,
		tls: { mode: "acme" },
	});
});

test("port 80 is that of the first address, unless it is said", () => {
	const line = `${GATE} --listen 192.0.2.1:443 --listen [2001:db8::1]:443`;
	expect(serving(line).httpListen).toEqual({ host: "192.0.2.1", port: 80 });
	expect(serving(`${line} --http-listen localhost:8081`).httpListen).toEqual({
		host: "localhost",
		port: 8081,
	});
});

test("behind a trusted proxy any address may be in clear, said or not", () => {
	const line = `${GATE} --listen 0.0.0.0:8080 --trusted-proxy 10.0.0.1`;
	expect(serving(line).tls).toEqual({ mode: "off" });
	expect(serving(`${line} --tls off`).tls).toEqual({ mode: "off" });
	expect(serving(`${line} --tls acme`).tls.mode).toBe("acme");
});

test("files are absolute paths, and on loopback need no public URL", () => {
	expect(
		serving("--listen localhost:8443 --tls files --tls-cert a --tls-key /b"),
	).toMatchObject({
		tls: {
			mode: "files",
			chainFile: `${process.cwd()}/a`,
			keyFile: "/b",
		},
		httpListen: null,
	});
});

test("another CA is named with its directories, its root and an account binding", () => {
	expect(
		serving(
			`${GATE} --acme-directory https://ca.lan/dir --acme-staging https://ca.lan/try --acme-ca /r --acme-profile p --acme-email a@b --acme-eab-kid k --acme-eab-key-file /k`,
		).tls,
	).toEqual({
		mode: "acme",
		directory: "https://ca.lan/dir",
		staging: "https://ca.lan/try",
		caFile: "/r",
		profile: "p",
		email: "a@b",
		binding: { keyId: "k", keyFile: "/k" },
		fallback: null,
	});
});

test("a second CA is one of its own, under the same contact", () => {
	const { tls } = serving(
		`${GATE} --acme-email a@b --acme-fallback-directory https://ca.lan/dir --acme-fallback-ca /r --acme-fallback-eab-kid k --acme-fallback-eab-key-file /k`,
	);
	expect(tls).toMatchObject({
		directory: null,
		fallback: {
			directory: "https://ca.lan/dir",
			caFile: "/r",
			email: "a@b",
			binding: { keyId: "k", keyFile: "/k" },
		},
	});
});

describe("what does not go together is refused, with what to do", () => {
	test.each<[string, string, string, string]>([
		[
			"clear text on a public address",
			"--listen 0.0.0.0:80 --tls off",
			"in clear",
			"--trusted-proxy",
		],
		[
			"clear text under a public name",
			"--public-url http://gate.example.org --tls off",
			"in clear",
			"--trusted-proxy",
		],
		[
			"clear text on loopback under a public name, without a proxy",
			`${GATE} --listen localhost:8080 --tls off`,
			"in clear",
			"--trusted-proxy",
		],
		[
			"an http URL with a certificate",
			"--public-url http://gate.example.org",
			"tls acme serves https",
			"--public-url https://…",
		],
		[
			"a certificate of a public CA for localhost",
			"--public-url https://localhost:8443 --tls acme",
			"no public CA issues a certificate for localhost",
			"--tls off",
		],
		["files without any", `${GATE} --tls files`, "--tls-cert", "--tls-key"],
		[
			"a certificate without its key",
			`${GATE} --tls files --tls-cert /c`,
			"--tls-key is not set",
			"give both --tls-cert and --tls-key",
		],
		[
			"files on a public address without a name",
			"--listen 0.0.0.0:443 --tls files --tls-cert /c --tls-key /k",
			"tls files needs to know",
			"--public-url",
		],
		[
			"files without saying so",
			`${GATE} --tls-cert /c --tls-key /k`,
			"--tls-cert has no meaning with tls acme",
			"--tls files",
		],
		[
			"a directory without tls",
			"--acme-directory https://ca.lan/dir",
			"--acme-directory has no meaning with tls off",
			"--tls acme",
		],
		[
			"port 80 without tls",
			"--http-listen localhost:80",
			"--http-listen has no meaning with tls off",
			"--tls acme or files",
		],
		[
			"a directory that is not https",
			`${GATE} --acme-directory http://ca.lan/dir`,
			"is not an ACME directory",
			"https URL",
		],
		[
			"half an account binding",
			`${GATE} --acme-eab-kid k`,
			"--acme-eab-key-file is not set",
			"--acme-eab-kid",
		],
		[
			"a contact that is none",
			`${GATE} --acme-email ada`,
			"is not an e-mail address",
			"left away",
		],
		[
			"https on the port for http",
			`${GATE} --listen 0.0.0.0:80`,
			"port 80 cannot speak http and https at once",
			"--http-listen",
		],
		["a mode that is none", "--tls on", "tls on is not known", "acme, files"],
	])("%s", (_what, line, message, hint) => {
		expect(() => serving(line)).toThrow(
			expect.objectContaining({
				code: "invalid",
				message: expect.stringContaining(message),
				hint: expect.stringContaining(hint),
			}),
		);
	});
});

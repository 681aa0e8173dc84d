/**
 * Bad certificates, names and authorities, given to the executable. What makes no sense ends it before it serves, what
 * the world does wrong does not; either way a sentence says what happened and another one what to do.
 */
import { afterAll, afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseIdentifiers } from "../../../src/tls/identifiers.ts";
import { createSelfSigned } from "../../../src/tls/self-signed.ts";
import {
	freePort,
	type Running,
	run,
	runToEnd,
} from "../../support/processes.ts";
import { describeWith, executable } from "../../support/tools.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(60_000);

const NAME = "gate.example.org";
const GATE = ["--public-url", `https://${NAME}`];
const folder = mkdtempSync(join(tmpdir(), "sallyport-bad-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
	writeFileSync(join(folder, name), text);
	return join(folder, name);
}

const now = Math.floor(Date.now() / 1000);
const right = await createSelfSigned(parseIdentifiers([NAME]), now);
const other = await createSelfSigned(parseIdentifiers([NAME]), now);
const old = await createSelfSigned(parseIdentifiers([NAME]), now - 4e8);
const files = (chain: string, key: string): readonly string[] => [
	...[...GATE, "--tls", "files"],
	...[
		"--tls-cert",
		write("chain.pem", chain),
		"--tls-key",
		write("key.pem", key),
	],
];

describeWith([executable()], "the executable with bad certificates", () => {
	const program = executable().path as string;

	test.each<[string, () => readonly string[], string, string]>([
		[
			"a key of another certificate",
			() => files(right.chain, other.key),
			"the key does not belong to the certificate",
			"name the key that the certificate was requested with",
		],
		[
			"a certificate that has ended",
			() => files(old.chain, old.key),
			"the certificate ended on",
			"renew it where it came from",
		],
		[
			"a certificate that is none",
			() => files("hello\n", right.key),
			"not a chain in PEM",
			"between BEGIN and END lines",
		],
		[
			"a certificate that is not there",
			() => [
				...files(right.chain, right.key).slice(0, -4),
				...["--tls-cert", "/nowhere", "--tls-key", "/nowhere"],
			],
			"cannot read /nowhere",
			"check the path",
		],
		[
			"a name that no certificate can be for",
			() => ["--public-url", "https://my_gate.example.org"],
			"my_gate.example.org is not a name a certificate can be for",
			"a name looks like gate.example.org",
		],
		[
			"a bare word for a name",
			() => ["--public-url", "https://gate"],
			"gate is not a name a certificate can be for",
			"a name looks like gate.example.org",
		],
		[
			"a directory over http",
			() => [...GATE, "--acme-directory", "http://ca.example/dir"],
			"http://ca.example/dir is not an ACME directory",
			"a directory is an https URL",
		],
		[
			"a second CA with a key and no address",
			() => [
				...GATE,
				...[
					"--acme-fallback-eab-kid",
					"k",
					"--acme-fallback-eab-key-file",
					"/k",
				],
			],
			"--acme-fallback-directory is not set",
			"it names the second CA",
		],
		[
			"a webhook that is no URL, which is not quoted",
			() => ["--alert-webhook", "hooks/T0K3N"],
			"the alert webhook is not a URL",
			"it looks like https://",
		],
	])(
		"%s ends it with a sentence and what to do",
		async (_what, flags, what, hint) => {
			const port = await freePort();
			const { code, stderr } = await runToEnd([
				...[program, "serve", "--data-dir", join(folder, "data")],
				...["--listen", `localhost:${port}`],
				...flags(),
			]);
			expect(code).toBe(2);
			expect(stderr).toStartWith("sallyport: error: ");
			expect(stderr).toContain(what);
			expect(stderr).toContain("sallyport: hint: ");
			expect(stderr).toContain(hint);
			expect(stderr).not.toContain("T0K3N");
		},
	);

	let service: Running | null = null;
	afterEach(async () => {
		await service?.stop();
		service = null;
	});

	test("a directory that is not there keeps nobody out: it serves, and says why there is no certificate", async () => {
		const port = await freePort();
		const data = join(folder, "serving");
		const cli = (...args: readonly string[]) =>
			runToEnd([program, ...args, "--data-dir", data]);
		service = run([
			...[program, "serve", "--data-dir", data, ...GATE],
			...["--listen", `localhost:${port}`, "--http-listen", "localhost:0"],
			...["--acme-directory", "https://127.0.0.1:1/dir"],
		]);
		await until(
			"it says why",
			async () => {
				const { stdout } = await cli("certificate", "show");
				return stdout.includes("last error");
			},
			30_000,
		);
		const { stdout } = await cli("certificate", "show");
		expect(stdout).toContain("cannot be reached: the connection was refused");
		expect(stdout).toContain(
			"check that this machine can reach the internet, and the URL of --acme-directory",
		);
		const ready = await fetch(`https://localhost:${port}/readyz`, {
			headers: { host: NAME },
			tls: { rejectUnauthorized: false },
		});
		expect(ready.status).toBe(200);
		const renewed = await cli("certificate", "renew");
		expect(renewed.code).toBe(7);
		expect(renewed.stderr).toContain("sallyport: hint: ");
	});
});

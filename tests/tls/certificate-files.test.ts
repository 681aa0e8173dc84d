import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import { type KeyPair, readCertificate } from "../../src/tls/certificate.ts";
import { openCertificateFiles } from "../../src/tls/certificate-files.ts";
import { parseIdentifiers } from "../../src/tls/identifiers.ts";
import { createSelfSigned } from "../../src/tls/self-signed.ts";

const folders: string[] = [];
afterEach(() => {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function createPair(
	now = systemClock.now(),
	name = "gate.example.org",
): Promise<KeyPair> {
	return createSelfSigned(parseIdentifiers([name]), now);
}

async function open() {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-files-"));
	folders.push(folder);
	const paths = {
		chain: join(folder, "cert.pem"),
		key: join(folder, "key.pem"),
	};
	const write = ({ chain, key }: Partial<KeyPair>): void => {
		if (chain !== undefined) writeFileSync(paths.chain, chain);
		if (key !== undefined) writeFileSync(paths.key, key);
	};
	const first = await createPair();
	write(first);
	const lines: string[] = [];
	const shown: string[] = [];
	const log = createLog({
		level: "info",
		format: "json",
		write: (line) => lines.push(line),
	});
	const files = openCertificateFiles(
		{
			clock: systemClock,
			log,
			show: async ([material]) => void shown.push(material!.chain),
		},
		paths,
		parseIdentifiers(["gate.example.org"]),
	);
	return { files, first, lines, paths, shown, write };
}

test("files that change are shown; files that do not are left alone", async () => {
	const { files, shown, write } = await open();
	await files.check();
	expect(shown).toEqual([]);
	const second = await createPair();
	write(second);
	await files.check();
	expect(shown).toEqual([second.chain]);
	expect(files.facts()).toEqual(readCertificate(second.chain));
	expect(files.materials()).toEqual([{ serverName: null, ...second }]);
});

test("a pair of which only one half is written keeps the old one, says why once, and heals", async () => {
	const { files, first, lines, shown, write } = await open();
	const second = await createPair();
	write({ chain: second.chain });
	await files.check();
	await files.check();
	expect(files.problem()?.message).toBe(
		"the key does not belong to the certificate",
	);
	expect(files.problem()?.hint).toContain("name the key");
	expect(files.materials()).toEqual([{ serverName: null, ...first }]);
	expect(lines.filter((line) => line.includes("not reloaded"))).toHaveLength(1);
	write({ key: second.key });
	await files.check();
	expect(files.problem()).toBeNull();
	expect(shown).toEqual([second.chain]);
});

test.each([
	["garbage", { chain: "garbage" }, "not a chain in PEM"],
	["a file without end", { chain: "x".repeat(300_000) }, "too large"],
])("%s keeps the old pair", async (_what, bad, message) => {
	const { files, first, write } = await open();
	write(bad);
	await files.check();
	expect(files.problem()?.message).toContain(message);
	expect(files.materials()[0]?.chain).toBe(first.chain);
});

test("a certificate for another name keeps the old pair, and says for which", async () => {
	const { files, shown, write } = await open();
	write(await createPair(undefined, "other.example.org"));
	await files.check();
	expect(files.problem()?.message).toBe(
		"the certificate is for other.example.org, not for gate.example.org",
	);
	expect(files.problem()?.hint).toContain("--public-url");
	expect(shown).toEqual([]);
});

test("files that are gone keep the old pair", async () => {
	const { files, paths, shown } = await open();
	rmSync(paths.key);
	await files.check();
	expect(files.problem()?.message).toBe(`cannot read ${paths.key}`);
	expect(shown).toEqual([]);
});

test("a certificate that has ended is refused at the start, with what to do", async () => {
	const { paths, write } = await open();
	write(await createPair(systemClock.now() - 11 * 365 * 86_400));
	const log = createLog({ level: "error", format: "json" });
	const start = () =>
		openCertificateFiles(
			{ clock: systemClock, log, show: async () => {} },
			paths,
		);
	expect(start).toThrow("the certificate ended on");
});

/**
 * Builds the executable: `dist/sallyport` for this machine, with `--target linux-arm64` one for another, or with `--all`
 * a release: one for every target, each also compressed, with SHA256SUMS, and `install.sh` with what belongs to this
 * release filled in.
 *
 * Nothing outside the file is read at run time: `.env` and `bunfig.toml` of the working directory are left alone,
 * because whoever can write there must not run code in the gateway. The Argon2 add-on of this machine's C library and
 * processor is inside; on other targets it is not found, and Bun's own takes its place (`src/people/passwords.ts`).
 *
 * A release is signed when `SALLYPORT_SIGNING_KEY` names a file with a P-256 private key (PEM); `SALLYPORT_RELEASE_URL`
 * is where its files will be found, in a folder named like the version.
 */
import { createHash, createPublicKey, sign } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { install, ROOT, run } from "./install.ts";

const TARGETS = [
	"linux-x64",
	"linux-x64-baseline",
	"linux-arm64",
	"linux-x64-musl",
	"linux-arm64-musl",
] as const;
const DIST = join(ROOT, "dist");

function compile(outfile: string, target?: string): void {
	run([
		"build",
		"src/main.ts",
		"--compile",
		"--minify",
		"--bytecode",
		"--format=esm",
		"--no-compile-autoload-dotenv",
		"--no-compile-autoload-bunfig",
		...(target ? [`--target=bun-${target}`] : []),
		`--outfile=${outfile}`,
	]);
}

/** One target, plain and compressed. @returns its lines of SHA256SUMS */
function release(target: string): readonly string[] {
	const name = `sallyport-${target}`;
	compile(join(DIST, name), target);
	const plain = readFileSync(join(DIST, name));
	const packed = Bun.gzipSync(plain, { level: 6, library: "libdeflate" });
	writeFileSync(join(DIST, `${name}.gz`), packed);
	return [line(name, plain), line(`${name}.gz`, packed)];
}

function line(name: string, bytes: Uint8Array): string {
	return `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`;
}

/** Fills in what `install.sh` leaves empty in the repository. */
function stamp(script: string, name: string, value: string): string {
	const empty = `${name}=''\n`;
	if (!script.includes(empty) || value.includes("'"))
		throw new Error(`install.sh cannot be given its ${name}`);
	return script.replace(empty, () => `${name}='${value}'\n`);
}

function releaseAll(): void {
	const sums = Buffer.from(TARGETS.flatMap(release).join(""));
	writeFileSync(join(DIST, "SHA256SUMS"), sums);
	rmSync(join(DIST, "SHA256SUMS.sig"), { force: true });
	let script = readFileSync(join(ROOT, "install.sh"), "utf8");
	const { SALLYPORT_SIGNING_KEY: keyFile, SALLYPORT_RELEASE_URL: url } =
		process.env;
	if (url) script = stamp(script, "RELEASE_URL", url);
	if (keyFile) {
		const key = readFileSync(keyFile);
		writeFileSync(join(DIST, "SHA256SUMS.sig"), sign("sha256", sums, key));
		const publicKey = createPublicKey(key);
		const pem = publicKey.export({ type: "spki", format: "pem" });
		script = stamp(script, "RELEASE_KEY", String(pem).trim());
	}
	writeFileSync(join(DIST, "install.sh"), script);
}

install();
mkdirSync(DIST, { recursive: true });
const [flag, target = ""] = process.argv.slice(2);
if (flag === "--all") releaseAll();
else if (flag === "--target")
	compile(join(DIST, `sallyport-${target}`), target);
else compile(join(DIST, "sallyport"));

/**
 * Builds the executable: `dist/sallyport` for this machine, or with `--all` one for every target with SHA256SUMS.
 *
 * Nothing outside the file is read at run time: `.env` and `bunfig.toml` of the working directory are left alone,
 * because whoever can write there must not run code in the gateway.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
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

install();
mkdirSync(DIST, { recursive: true });
if (!process.argv.includes("--all")) compile(join(DIST, "sallyport"));
else {
	const names = TARGETS.map((target) => `sallyport-${target}`);
	for (const [index, target] of TARGETS.entries())
		compile(join(DIST, names[index] as string), target);
	const sums = names.map((name) => {
		const sum = createHash("sha256")
			.update(readFileSync(join(DIST, name)))
			.digest("hex");
		return `${sum}  ${name}\n`;
	});
	writeFileSync(join(DIST, "SHA256SUMS"), sums.join(""));
}

/**
 * An installed package's own `package.json`: which version it is, and which of its files is the server.
 * The file comes from outside: it is judged, and a path in it never leads out of the package.
 *
 * @see https://docs.npmjs.com/cli/configuring-npm/package-json (bin, main)
 */
import {
	closeSync,
	openSync,
	readFileSync,
	readSync,
	realpathSync,
} from "node:fs";
import { extname, join, relative, sep } from "node:path";
import * as z from "zod";
import { SallyportError } from "../errors.ts";

const SHEBANG_BYTES = 128;
const BINS_SHOWN_MAX = 10;
const SCRIPTS = new Set([".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"]);

const Manifest = z.object({
	name: z.string(),
	version: z.string().regex(/^[0-9A-Za-z.+-]{1,200}$/),
	bin: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
	main: z.string().optional(),
});
type Manifest = z.infer<typeof Manifest>;

/** Reads the manifest of the package in `root`. @throws SallyportError `upstream` when it is not that package's */
export function readManifest(name: string, root: string): Manifest {
	try {
		const manifest = Manifest.parse(
			JSON.parse(readFileSync(join(root, "package.json"), "utf8")),
		);
		if (manifest.name === name) return manifest;
	} catch (cause) {
		throw new SallyportError(
			"upstream",
			`the package.json of ${name} cannot be read`,
			{
				hint: "tell the package's author, or choose another version",
				cause,
			},
		);
	}
	throw new SallyportError(
		"upstream",
		`the package under the name ${name} says it is another`,
		{
			hint: "check the name's spelling; nothing was installed",
		},
	);
}

/**
 * The script that is the server, relative to the package: its only `bin`, else the `bin` with the package's own
 * name, else `main`.
 * @throws SallyportError `invalid` when there is none, or it is not a script that we can run
 */
export function findEntry(manifest: Manifest, root: string): string {
	const named = namedEntry(manifest);
	if (named === null)
		throw new SallyportError(
			"invalid",
			`${manifest.name} has no program to run`,
			{
				hint: "this package is a library, not a server; look for the server's own package",
			},
		);
	const path = insideOf(root, named);
	if (path === null)
		throw new SallyportError(
			"invalid",
			`the program that ${manifest.name} names is not in the package`,
			{
				hint: "choose another version of the package",
			},
		);
	if (!isScript(join(root, path)))
		throw new SallyportError(
			"invalid",
			`the program of ${manifest.name} is not a JavaScript program`,
			{
				hint: "install it yourself and add it with --command",
			},
		);
	return path;
}

function namedEntry(manifest: Manifest): string | null {
	if (typeof manifest.bin === "string") return manifest.bin;
	const bins = Object.entries(manifest.bin ?? {});
	if (bins.length === 0) return manifest.main ?? null;
	const own = manifest.name.slice(manifest.name.indexOf("/") + 1);
	const paths = new Set(bins.map(([, path]) => path));
	const chosen = paths.size === 1 ? bins[0] : bins.find(([bin]) => bin === own);
	if (chosen) return chosen[1];
	const names = bins.slice(0, BINS_SHOWN_MAX).map(([bin]) => bin);
	throw new SallyportError(
		"invalid",
		`${manifest.name} has several programs: ${names.join(", ")}`,
		{
			hint: "install it yourself and add the right one with --command",
		},
	);
}

/** The path relative to `root`, links followed; null when it is not there or not inside. */
function insideOf(root: string, path: string): string | null {
	for (const candidate of [path, `${path}.js`, join(path, "index.js")]) {
		try {
			const real = realpathSync(join(root, candidate));
			readFirst(real);
			const inside = relative(root, real);
			return inside.startsWith(`..${sep}`) ? null : inside;
		} catch {
			// Not there, or a folder: the next spelling that Node accepts for `main`.
		}
	}
	return null;
}

function isScript(path: string): boolean {
	return (
		SCRIPTS.has(extname(path)) || /^#!.*\b(?:node|bun)\b/.test(readFirst(path))
	);
}

function readFirst(path: string): string {
	const descriptor = openSync(path, "r");
	try {
		const bytes = Buffer.alloc(SHEBANG_BYTES);
		return bytes.toString(
			"latin1",
			0,
			readSync(descriptor, bytes, 0, SHEBANG_BYTES, 0),
		);
	} finally {
		closeSync(descriptor);
	}
}

/**
 * npm packages: installed by this executable itself, at an exact version, when a server is added.
 *
 * The executable is also Bun (`BUN_BE_BUN=1`), so the machine needs no Node. Install scripts never run, no shell is
 * involved, names and versions are judged before they become arguments, and what fails leaves nothing behind.
 * It knows folders and packages; what a server is and when its package is replaced is the caller's matter.
 *
 * @see https://docs.npmjs.com/cli/configuring-npm/package-json (name, version, bin, main)
 */
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	realpathSync,
	renameSync,
	rmdirSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { explainFailure } from "./npm-failure.ts";
import { findEntry, readManifest } from "./npm-manifest.ts";
import { type PackageSpec, parsePackageSpec } from "./npm-spec.ts";

const INSTALL_TIMEOUT_MS = 180_000;
const OUTPUT_BYTES_MAX = 64 * 1024;
const TEMPORARY = ".install-";
const INSTALLED = "npm-";

/** What the installer may know of this machine: how to reach the registry. Nothing of ours, nothing of the user's. */
const ENVIRONMENT = [
	"PATH",
	"HOME",
	"TMPDIR",
	"HTTP_PROXY",
	"HTTPS_PROXY",
	"NO_PROXY",
	"http_proxy",
	"https_proxy",
	"no_proxy",
	"NODE_EXTRA_CA_CERTS",
	"SSL_CERT_FILE",
	"SSL_CERT_DIR",
	"NPM_CONFIG_REGISTRY",
	"npm_config_registry",
	"NPM_CONFIG_USERCONFIG",
	"npm_config_userconfig",
] as const;

export type InstalledNpm = {
	readonly name: string;
	/** The exact version that was installed. */
	readonly version: string;
	/** The script to run, relative to the server's folder. */
	readonly entry: string;
};

export type Npm = {
	/**
	 * Installs into the server's folder, beside whatever is installed there. The caller lets one install a slug run at a time.
	 * @throws SallyportError `not_found` (package, version), `upstream` (registry), `invalid` (cannot be run)
	 */
	readonly install: (request: {
		readonly slug: string;
		readonly package: string;
		readonly version?: string | undefined;
		readonly signal?: AbortSignal;
	}) => Promise<InstalledNpm>;
	/**
	 * Installs what was installed before and is not there any more, as its lock file says if that is there.
	 * @returns false when nothing is missing
	 * @throws SallyportError as `install`
	 */
	readonly reinstall: (
		slug: string,
		installed: InstalledNpm,
	) => Promise<boolean>;
	/** Removes every installed version of a server but the one that `entry` belongs to. */
	readonly prune: (slug: string, entry: string | null) => void;
	/** Removes the server's whole folder, with all that the server wrote there. */
	readonly remove: (slug: string) => void;
};

/**
 * An installer that runs `execPath` as Bun.
 * @param deps.dir the folder of a server, by its slug
 * @param deps.environment the machine's variables; only the ones named above reach the installer
 */
export function createNpm(deps: {
	readonly dir: (slug: string) => string;
	readonly cacheDir: string;
	readonly execPath: string;
	readonly environment: Readonly<Record<string, string | undefined>>;
}): Npm {
	const environment: Record<string, string> = { BUN_BE_BUN: "1" };
	for (const name of ENVIRONMENT) {
		const value = deps.environment[name];
		if (value !== undefined) environment[name] = value;
	}

	async function run(
		spec: PackageSpec,
		folder: string,
		signal: AbortSignal | undefined,
		isLocked = false,
	): Promise<void> {
		mkdirSync(deps.cacheDir, { recursive: true, mode: 0o700 });
		const child = Bun.spawn(
			[
				deps.execPath,
				...(isLocked ? ["install", "--frozen-lockfile"] : ["add", "--exact"]),
				"--ignore-scripts",
				"--no-progress",
				"--linker=hoisted",
				// Not hard links: a server that writes into its own files must not write into another's.
				"--backend=copyfile",
				`--cache-dir=${deps.cacheDir}`,
				...(isLocked ? [] : [spelled(spec)]),
			],
			{
				cwd: folder,
				env: environment,
				stdin: "ignore",
				stdout: "ignore",
				stderr: "pipe",
				detached: true,
			},
		);
		const deadline = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
		const stop = AbortSignal.any(signal ? [signal, deadline] : [deadline]);
		const end = (): void => killGroup(child.pid);
		stop.addEventListener("abort", end, { once: true });
		if (stop.aborted) end();
		const output = readBounded(child.stderr);
		const code = await child.exited;
		// A later deadline must not reach whoever has that number then.
		stop.removeEventListener("abort", end);
		// What it started, and left holding its output, ends with it.
		end();
		if (code !== 0) throw explainFailure(spec, await output, stop.aborted);
	}

	const install: Npm["install"] = async (request) => {
		const spec = parsePackageSpec(
			request.version === undefined
				? request.package
				: `${request.package}@${request.version}`,
		);
		const home = deps.dir(request.slug);
		const fresh = !existsSync(home);
		mkdirSync(home, { recursive: true, mode: 0o700 });
		removeMatching(home, (name) => name.startsWith(TEMPORARY));
		const temporary = mkdtempSync(join(home, TEMPORARY));
		try {
			writeFileSync(join(temporary, "package.json"), '{ "private": true }\n');
			await run(spec, temporary, request.signal);
			const root = join(temporary, "node_modules", spec.name);
			const manifest = readManifest(spec.name, root);
			const entry = findEntry(manifest, realpathSync(root));
			const final = join(home, INSTALLED + manifest.version);
			swap(temporary, final);
			return {
				name: manifest.name,
				version: manifest.version,
				entry: relative(home, join(final, "node_modules", spec.name, entry)),
			};
		} catch (error) {
			rmSync(temporary, { recursive: true, force: true });
			if (fresh) rmdirSync(home);
			throw error;
		}
	};

	return {
		install,
		reinstall: async (slug, { name, version, entry }) => {
			const home = deps.dir(slug);
			if (existsSync(join(home, entry))) return false;
			const folder = join(home, entry.split("/")[0] ?? "");
			if (existsSync(join(folder, "bun.lock")))
				await run({ name, version }, folder, undefined, true);
			else await install({ slug, package: name, version });
			return true;
		},
		prune: (slug, entry) => {
			const home = deps.dir(slug);
			const kept = entry?.split("/")[0];
			if (existsSync(home))
				removeMatching(
					home,
					(name) =>
						name !== kept &&
						(name.startsWith(INSTALLED) || name.startsWith(TEMPORARY)),
				);
		},
		remove: (slug) => rmSync(deps.dir(slug), { recursive: true, force: true }),
	};
}

function spelled({ name, version }: PackageSpec): string {
	return version === undefined ? name : `${name}@${version}`;
}

/** Moves a folder into place; what was there goes only when the new one stands. */
function swap(fresh: string, final: string): void {
	const old = `${fresh}-old`;
	if (existsSync(final)) renameSync(final, old);
	renameSync(fresh, final);
	rmSync(old, { recursive: true, force: true });
}

function killGroup(pid: number): void {
	try {
		process.kill(-pid, "SIGKILL");
	} catch {
		// Nothing of it is left.
	}
}

function removeMatching(
	folder: string,
	matches: (name: string) => boolean,
): void {
	for (const name of readdirSync(folder)) {
		if (matches(name))
			rmSync(join(folder, name), { recursive: true, force: true });
	}
}

/** The text of a stream, its middle dropped when there is too much; read to the end so that the writer never blocks. */
async function readBounded(
	stream: ReadableStream<Uint8Array>,
): Promise<string> {
	let text = "";
	const decoder = new TextDecoder();
	for await (const chunk of stream) {
		text += decoder.decode(chunk, { stream: true });
		if (text.length > 2 * OUTPUT_BYTES_MAX)
			text = text.slice(-OUTPUT_BYTES_MAX);
	}
	return text.slice(-OUTPUT_BYTES_MAX);
}

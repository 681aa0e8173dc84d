/**
 * Releases for the installer: a folder of versions as a mirror has it, signed with a key made for the test, served on
 * loopback; and `install.sh` as a release ships it, with that key inside.
 */
import {
	createHash,
	generateKeyPairSync,
	type KeyObject,
	sign,
} from "node:crypto";
import {
	cpSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeyPair } from "../../src/tls/certificate.ts";
import { runToEnd } from "./processes.ts";
import { REPOSITORY } from "./tools.ts";

/** The name of this computer's executable in a release, as the installer will ask for it. */
export const ARTEFACT = `sallyport-linux-${process.arch}${process.arch === "x64" && !hasAvx2() ? "-baseline" : ""}`;

function hasAvx2(): boolean {
	return /\bavx2\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
}

export type Releases = {
	readonly url: string;
	/** `install.sh` with the key of these releases; with their address too it is at `/install.sh`. */
	readonly script: string;
	/** Publishes an executable. */
	readonly add: (version: string, program: Uint8Array | string) => void;
	/** Says which version a channel has now. */
	readonly point: (version: string) => void;
	/** A file of a version, to look at or to damage. */
	readonly file: (version: string, name: string) => string;
	readonly stop: () => Promise<void>;
};

/** A mirror without releases. @param on where, and with which certificate; plain on loopback if it is not said */
export function startReleases(on?: {
	readonly address: string;
	readonly tls: KeyPair;
}): Releases {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-releases-"));
	const { privateKey, publicKey } = generateKeyPairSync("ec", {
		namedCurve: "P-256",
	});
	const server = Bun.serve({
		hostname: on?.address ?? "127.0.0.1",
		port: 0,
		...(on && { tls: { cert: on.tls.chain, key: on.tls.key } }),
		fetch: async (request): Promise<Response> => {
			const { pathname } = new URL(request.url);
			if (pathname === "/install.sh") return new Response(stamped);
			const file = Bun.file(join(folder, pathname));
			return (await file.exists())
				? new Response(file)
				: new Response("no such file\n", { status: 404 });
		},
	});
	const pem = String(publicKey.export({ type: "spki", format: "pem" })).trim();
	const script = readFileSync(join(REPOSITORY, "install.sh"), "utf8").replace(
		"RELEASE_KEY=''\n",
		() => `RELEASE_KEY='${pem}'\n`,
	);
	const url: string = on
		? `https://${on.address}:${server.port}`
		: `http://127.0.0.1:${server.port}`;
	const stamped = script.replace("RELEASE_URL=''\n", `RELEASE_URL='${url}'\n`);
	return {
		url,
		script,
		add: (version, program) =>
			publish(
				join(folder, version),
				new Uint8Array(Buffer.from(program)),
				privateKey,
			),
		point: (version) => writeFileSync(join(folder, "stable"), `${version}\n`),
		file: (version, name) => join(folder, version, name),
		async stop() {
			await server.stop(true);
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

function publish(
	folder: string,
	program: Uint8Array<ArrayBuffer>,
	key: KeyObject,
): void {
	mkdirSync(folder, { recursive: true });
	const packed = Bun.gzipSync(program, { level: 1, library: "libdeflate" });
	const files = { [ARTEFACT]: program, [`${ARTEFACT}.gz`]: packed };
	let sums = "";
	for (const [name, bytes] of Object.entries(files)) {
		writeFileSync(join(folder, name), bytes, { mode: 0o755 });
		sums += `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`;
	}
	writeFileSync(join(folder, "SHA256SUMS"), sums);
	writeFileSync(
		join(folder, "SHA256SUMS.sig"),
		sign("sha256", Buffer.from(sums), key),
	);
}

/** The executable of a release that does not exist yet: another version, and one migration more. */
export async function buildNextRelease(version: string): Promise<Uint8Array> {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-next-"));
	try {
		for (const name of ["src", "migrations", "tsconfig.json"])
			cpSync(join(REPOSITORY, name), join(folder, name), { recursive: true });
		symlinkSync(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
		const manifest = readFileSync(join(REPOSITORY, "package.json"), "utf8");
		writeFileSync(
			join(folder, "package.json"),
			JSON.stringify({ ...JSON.parse(manifest), version }),
		);
		const index = join(folder, "migrations/index.ts");
		writeFileSync(
			index,
			readFileSync(index, "utf8").replace(
				/(readonly string\[\] = \[[^\]]*?),?\s*\]/,
				'$1, "CREATE TABLE next_release (id INTEGER PRIMARY KEY) STRICT"]',
			),
		);
		const { code, stderr } = await runToEnd(
			[
				process.execPath,
				"build",
				"src/main.ts",
				"--compile",
				"--format=esm",
				"--outfile=next",
			],
			{ cwd: folder },
		);
		if (code !== 0) throw new Error(stderr);
		return readFileSync(join(folder, "next"));
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

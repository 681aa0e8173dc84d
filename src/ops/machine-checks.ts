/** The machine, judged: permissions, the key and its place, space, the clock, what confines servers. Pure. */
import { type Finding, ill, well } from "./finding.ts";
import type { MachineFacts } from "./machine.ts";

const OTHERS = 0o077;
const MIB = 1024 * 1024;
const FREE_BYTES = { error: 100 * MIB, warning: 1024 * MIB } as const;

/** What the facts say. */
export function judgeMachine(facts: MachineFacts): readonly Finding[] {
	return [
		judgeFolder(facts),
		judgeKey(facts),
		judgeSpace(facts),
		judgeClock(facts),
		judgeIsolation(facts),
	];
}

function judgeFolder({ dataDir, openFiles }: MachineFacts): Finding {
	const { path, mode } = dataDir;
	if (mode === null)
		return ill(
			"notice",
			"data-folder",
			`there is no data in ${path} yet, or this user may not see it`,
			"name the gateway's own folder with --data-dir, or use sudo",
		);
	// A folder that nobody else may enter keeps what is in it, whatever the files' own permissions are.
	if ((mode & OTHERS) === 0)
		return well("data-folder", `${path} is its owner's alone`);
	if (openFiles.length === 0)
		return ill(
			"warning",
			"data-folder",
			`others may enter ${path} (mode ${mode.toString(8)})`,
			`chmod 700 ${path}`,
		);
	return ill(
		"error",
		"data-folder",
		`others may read ${openFiles.join(", ")} in ${path}`,
		`chmod 700 ${path} && chmod 600 ${path}/sallyport.db*`,
	);
}

function judgeKey({ kek, hasStore }: MachineFacts): Finding {
	if (kek.problem !== null)
		return !hasStore
			? ill("notice", "master-key", "there is no master key yet", null)
			: ill(
					"error",
					"master-key",
					kek.problem.message,
					kek.problem.hint ?? null,
				);
	return kek.isBesideData
		? ill(
				"warning",
				"master-key",
				"the master key lies beside the data that it opens: whoever copies the folder has both",
				"keep a copy of the key elsewhere; to keep it apart: --kek-file, or LoadCredential= of systemd, which the installer uses",
			)
		: well("master-key", `the master key is readable and apart (${kek.path})`);
}

function judgeSpace({ freeBytes }: MachineFacts): Finding {
	if (freeBytes === null)
		return ill("notice", "disk", "free space could not be read", null);
	const text = `${Math.floor(freeBytes / MIB)} MiB are free where the data is`;
	const remedy =
		"make room: old backups, package caches (they can be made again), logs of other programs";
	if (freeBytes < FREE_BYTES.error) return ill("error", "disk", text, remedy);
	if (freeBytes < FREE_BYTES.warning)
		return ill("warning", "disk", text, remedy);
	return well("disk", text);
}

function judgeClock({ isClockKept }: MachineFacts): Finding {
	if (isClockKept === true)
		return well("clock", "the machine's clock is kept right");
	if (isClockKept === null)
		return ill(
			"notice",
			"clock",
			"whether the machine's clock is kept right could not be asked",
			null,
		);
	return ill(
		"warning",
		"clock",
		"nothing keeps this machine's clock right, as far as its kernel knows; certificates, tokens and codes depend on it",
		"timedatectl set-ntp true, or install chrony; in a container it is the host's matter",
	);
}

/** What is in force today, said plainly: nothing. */
function judgeIsolation({ landlock }: MachineFacts): Finding {
	const kernel =
		landlock === null
			? "the kernel could not be asked for Landlock"
			: landlock === 0
				? "this kernel has no Landlock"
				: `this kernel has Landlock (version ${landlock}), and this release does not use it yet`;
	return ill(
		"warning",
		"isolation",
		`isolation in force: none. Servers on this machine run as the gateway's own user and can read its files; ${kernel}`,
		"run only servers that you trust on this machine, and reach others over https",
	);
}

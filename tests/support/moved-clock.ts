/**
 * A clock that a test can move, for a program that is not in this process: libfaketime answers its questions for the
 * time, and asks a file how far off it is. Both clocks move, the wall's and the monotonic one, as after a suspend.
 */
import { existsSync, mkdtempSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type MovedClock = {
	/** What the program's environment must say. */
	readonly env: Readonly<Record<string, string>>;
	/** How many seconds it is off, from now on. */
	readonly moveTo: (offsetSeconds: number) => void;
};

/** The one for programs of many threads: without its lock a thread may read another's half of the offset. */
const LIBRARIES = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(
	(machine) => `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`,
);

/** @throws when the library is not there: an attack that waits must not be skipped in silence */
export function createMovedClock(): MovedClock {
	const library = LIBRARIES.find((path) => existsSync(path));
	if (library === undefined)
		throw new Error("libfaketime is absent: apt-get install faketime");
	const file = join(mkdtempSync(join(tmpdir(), "sallyport-clock-")), "offset");
	// In one go: a program that looks while the file is empty would be back in the present for a moment.
	const moveTo = (offsetSeconds: number): void => {
		const sign = offsetSeconds < 0 ? "-" : "+";
		writeFileSync(`${file}.next`, `${sign}${Math.abs(offsetSeconds)}s\n`);
		renameSync(`${file}.next`, file);
	};
	moveTo(0);
	return {
		env: {
			LD_PRELOAD: library,
			FAKETIME_TIMESTAMP_FILE: file,
			FAKETIME_NO_CACHE: "1",
		},
		moveTo,
	};
}

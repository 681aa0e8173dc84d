/**
 * What the doctor wants to know of the machine, as it is now: permissions, free space, the clock, the kernel. Facts
 * only; `doctor.ts` judges them. A fact that cannot be read is null. (Doors: it looks at the data directory's files,
 * and asks the kernel through libc, because Bun has no call for either question.)
 *
 * @see landlock_create_ruleset(2), adjtimex(2)
 */
import { FFIType } from "bun:ffi";
import { readdirSync, statfsSync, statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { SallyportError } from "../errors.ts";
import { openLibc } from "../libc.ts";
import { readKek } from "../vault.ts";

export type MachineFacts = {
	readonly dataDir: { readonly path: string; readonly mode: number | null };
	/** Whether there is anything that the master key opens. */
	readonly hasStore: boolean;
	/** Files of the store that others than its owner may read. */
	readonly openFiles: readonly string[];
	readonly kek: {
		readonly path: string;
		/** Whether it lies in the folder whose secrets it opens. */
		readonly isBesideData: boolean;
		readonly problem: SallyportError | null;
	};
	readonly freeBytes: number | null;
	/** Whether the kernel says that something keeps its clock right. */
	readonly isClockKept: boolean | null;
	/** The version of the kernel's Landlock; 0: it has none. */
	readonly landlock: number | null;
};

const STORE = "sallyport.db";
const STORE_FILE = /^(sallyport\.db|lock)/;
const OTHERS = 0o077;
/** The same number on every architecture (Linux 5.13). */
const SYS_LANDLOCK_CREATE_RULESET = 444n;
const LANDLOCK_CREATE_RULESET_VERSION = 1;
/** `adjtimex` gives the clock's state; 5 is TIME_ERROR: not synchronised. */
const TIME_ERROR = 5;
/** More than `sizeof(struct timex)`; all zero asks and changes nothing. */
const TIMEX_BYTES = 512;

/** Looks at the machine. */
export function readMachine(place: {
	readonly dataDir: string;
	readonly kekFile: string;
}): MachineFacts {
	const { dataDir, kekFile } = place;
	const mode = modeOf(dataDir);
	const isBesideData = !relative(dataDir, kekFile).startsWith("..");
	return {
		dataDir: { path: dataDir, mode },
		hasStore: modeOf(join(dataDir, STORE)) !== null,
		openFiles: mode === null ? [] : openFilesIn(dataDir),
		kek: { path: kekFile, isBesideData, problem: problemOfKek(kekFile) },
		freeBytes: freeBytesAt(dataDir),
		...askKernel(),
	};
}

function modeOf(path: string): number | null {
	try {
		return statSync(path).mode & 0o777;
	} catch {
		return null; // not there, or not for us to see
	}
}

function openFilesIn(dataDir: string): readonly string[] {
	return readdirSync(dataDir)
		.filter((name) => STORE_FILE.test(name))
		.filter((name) => ((modeOf(join(dataDir, name)) ?? 0) & OTHERS) !== 0)
		.map((name) => basename(name));
}

function problemOfKek(path: string): SallyportError | null {
	try {
		readKek(path);
		return null;
	} catch (error) {
		if (error instanceof SallyportError) return error;
		throw error;
	}
}

function freeBytesAt(path: string): number | null {
	try {
		const { bavail, bsize } = statfsSync(path);
		return bavail * bsize;
	} catch {
		return null; // no such folder yet
	}
}

function askKernel(): Pick<MachineFacts, "isClockKept" | "landlock"> {
	try {
		const libc = openLibc(LIBC);
		try {
			const version = Number(
				libc.symbols.syscall(
					SYS_LANDLOCK_CREATE_RULESET,
					null,
					0n,
					LANDLOCK_CREATE_RULESET_VERSION,
				),
			);
			const state = libc.symbols.adjtimex(new Uint8Array(TIMEX_BYTES));
			return {
				landlock: Math.max(0, version),
				isClockKept: state < 0 ? null : state !== TIME_ERROR,
			};
		} finally {
			libc.close();
		}
	} catch {
		return { isClockKept: null, landlock: null }; // no Linux
	}
}

const LIBC = {
	syscall: {
		args: [FFIType.i64, FFIType.ptr, FFIType.u64, FFIType.u32],
		returns: FFIType.i64,
	},
	adjtimex: { args: [FFIType.ptr], returns: FFIType.i32 },
} as const;

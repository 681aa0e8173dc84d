/**
 * The C library, for the few calls that Bun has no words for. Who makes one says what it looks like.
 */
import { dlopen, type FFIFunction, type Library } from "bun:ffi";

/** glibc; then musl's, which goes by the name of its loader. */
const NAMES = ["libc.so.6", "libc.so"];

/** Opens it. @throws where there is none, or it lacks one of the calls */
export function openLibc<Calls extends Record<string, FFIFunction>>(
	calls: Calls,
): Library<Calls> {
	for (const name of NAMES)
		try {
			return dlopen(name, calls);
		} catch {
			// Another C library.
		}
	throw new Error("no C library was found");
}

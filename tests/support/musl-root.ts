/**
 * A root in which only musl is: its loader from Debian, and the C++ library that a wheel for musl brings along
 * (Debian has none). Alpine has the same two. Made once, in the folder of roots, by `.ci/run` or by hand as written
 * there.
 */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tool } from "./tools.ts";

const ROOT = join(tmpdir(), "sallyport-roots/musl");

export function muslRoot(): Tool {
	return {
		name: "a musl root",
		package: `nothing, but make ${ROOT} as .ci/run does`,
		path: existsSync(join(ROOT, "lib/ld-musl-x86_64.so.1")) ? ROOT : null,
	};
}

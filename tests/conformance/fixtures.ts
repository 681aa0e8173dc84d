/** Starts the conformance fixture in each of its kinds. */
import { join } from "node:path";
import { run } from "../support/processes.ts";
import { REPOSITORY } from "../support/tools.ts";
import type { HttpKind, Kind } from "./expected.ts";

export type FixtureServer = {
	/** Its endpoint. */
	readonly url: string;
	readonly stop: () => Promise<void>;
};

/** The command line of the fixture. */
export function fixtureCommand(
	kind: Kind,
	...args: readonly string[]
): readonly [string, ...string[]] {
	return [
		process.execPath,
		join(REPOSITORY, "tests/conformance/fixture.ts"),
		kind,
		...args,
	];
}

/** The fixture, listening. */
export async function startFixture(kind: HttpKind): Promise<FixtureServer> {
	const running = run(fixtureCommand(kind, "0"));
	const [, port] = await running.printed(/^listening (\d+)$/m);
	return { url: `http://127.0.0.1:${port}/mcp`, stop: () => running.stop() };
}

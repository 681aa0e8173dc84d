/** The command line and a service in one process, over a real Unix socket; the servers behind it are scripted. */
import { join } from "node:path";
import { runCli } from "../../src/cli/cli.ts";
import { createFixture, type Fixture, SOCKET } from "../api/fixture.ts";

export type Result = {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
};

type Sallyport = (argv: readonly string[], input?: string) => Promise<Result>;

export type Service = {
	readonly fixture: Fixture;
	readonly sallyport: Sallyport;
	readonly stop: () => Promise<void>;
};

export function startService(): Service {
	const fixture = createFixture();
	const server = listen(fixture);
	return {
		fixture,
		sallyport: commandLine(fixture),
		stop: async () => {
			await server.stop(true);
			fixture.close();
		},
	};
}

/** The service of a fixture, at its admin socket. */
export function listen(fixture: Fixture): Bun.Server<undefined> {
	return Bun.serve({
		unix: join(fixture.folder, "admin.sock"),
		fetch: (request) => fixture.api.handle(request, SOCKET),
	});
}

/** The command line in a fixture's data directory, whether its service runs or not. */
export function commandLine(fixture: Fixture): Sallyport {
	return async (argv, input = "") => {
		let [stdout, stderr] = ["", ""];
		const end = argv.indexOf("--");
		const at = end < 0 ? argv.length : end;
		const code = await runCli(
			[...argv.slice(0, at), "--data-dir", fixture.folder, ...argv.slice(at)],
			{
				stdout: (text) => {
					stdout += text;
				},
				stderr: (text) => {
					stderr += text;
				},
				stdin: () => new Response(input).body ?? new ReadableStream(),
				env: {},
				isTty: { stdin: false, stdout: false, stderr: false },
			},
			{
				version: "1.2.3",
				openData: () => ({
					db: fixture.deps.db,
					vault: fixture.deps.vault,
					close: () => {},
				}),
			},
		);
		return { code, stdout, stderr };
	};
}

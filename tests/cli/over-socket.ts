/** The command line and a service in one process, over a real Unix socket; the servers behind it are scripted. */
import { join } from "node:path";
import { runCli } from "../../src/cli/cli.ts";
import { createFixture, type Fixture, SOCKET } from "../api/fixture.ts";

export type Result = {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
};

export type Service = {
	readonly fixture: Fixture;
	readonly sallyport: (
		argv: readonly string[],
		input?: string,
	) => Promise<Result>;
	readonly stop: () => Promise<void>;
};

export function startService(): Service {
	const fixture = createFixture();
	const server = Bun.serve({
		unix: join(fixture.folder, "admin.sock"),
		fetch: (request) => fixture.api.handle(request, SOCKET),
	});
	return {
		fixture,
		sallyport: async (argv, input = "") => {
			let stdout = "";
			let stderr = "";
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
					openData: () => {
						throw new Error("not in this test");
					},
				},
			);
			return { code, stdout, stderr };
		},
		stop: async () => {
			await server.stop(true);
			fixture.close();
		},
	};
}

/**
 * From argv to an exit code: `serve` runs the gateway, everything else is the command line.
 * The only file that sees the process: its arguments, its environment, its streams and its signals.
 */
import { type App, checkData, openData, startApp } from "./app.ts";
import { runCli } from "./cli/cli.ts";
import { asFailure, printError, processIo } from "./cli/output.ts";
import { parseConfig } from "./config.ts";
import { exitCode } from "./errors.ts";
import { createLog } from "./log.ts";
import { createNotify } from "./ops/notify.ts";
import { VERSION } from "./version.ts";

const CHECK = "--check";

/** Serves until it is told to stop. What it writes is for its own user alone. */
async function serve(args: readonly string[]): Promise<number> {
	process.umask(0o077);
	const config = parseConfig(args, process.env);
	const log = createLog({ level: config.logLevel, format: config.logFormat });
	const notify = createNotify(process.env, log);
	const stopping = new Promise<string>((resolve) => {
		process.once("SIGTERM", () => resolve("SIGTERM"));
		process.once("SIGINT", () => resolve("SIGINT"));
	});
	const start = (): Promise<App> =>
		startApp(config, { log, environment: process.env });
	let app = await start();
	notify.ready();
	let signal: string | null = null;
	while (signal === null) {
		signal = await Promise.race([stopping, app.wantsRestart.then(() => null)]);
		if (signal !== null) break;
		log.info("starting anew");
		await app.stop();
		app = await start();
	}
	log.info("stopping", { reason: signal });
	notify.stopping();
	// A second signal means now.
	process.once("SIGINT", () => process.exit(1));
	await app.stop();
	return 0;
}

/** What the installer asks a new release before it replaces the old one: `serve --check` with serve's own flags. */
function check(args: readonly string[]): number {
	const config = parseConfig(args, process.env);
	const found = checkData(config);
	process.stdout.write(
		`sallyport ${VERSION} can serve ${found ? config.dataDir : "a new data directory"}\n`,
	);
	return 0;
}

async function main(argv: readonly string[]): Promise<number> {
	const [noun, ...rest] = argv;
	try {
		if (noun === "serve" && !rest.includes("--help"))
			return rest.includes(CHECK)
				? check(rest.filter((word) => word !== CHECK))
				: await serve(rest);
		return await runCli(argv, processIo(process.env), {
			version: VERSION,
			openData,
		});
	} catch (error) {
		const failure = asFailure(error);
		printError(processIo(process.env), failure, false);
		return exitCode(failure.code);
	}
}

/** A pipe takes what it is given only as fast as its reader does: leaving before that would cut it off. */
function ended(stream: NodeJS.WriteStream): Promise<void> {
	return new Promise((resolve) => {
		stream.once("error", () => resolve()); // the reader has gone
		stream.end(() => resolve());
	});
}

const code = await main(process.argv.slice(2));
await Promise.all([ended(process.stdout), ended(process.stderr)]);
process.exit(code);

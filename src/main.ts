/**
 * From argv to an exit code: `serve` runs the gateway, everything else is the command line.
 * The only file that sees the process: its arguments, its environment, its streams and its signals.
 */
import { openData, startApp } from "./app.ts";
import { runCli } from "./cli/cli.ts";
import { asFailure, printError, processIo } from "./cli/output.ts";
import { parseConfig } from "./config.ts";
import { exitCode } from "./errors.ts";
import { createLog } from "./log.ts";
import { VERSION } from "./version.ts";

async function serve(args: readonly string[]): Promise<number> {
	const config = parseConfig(args, process.env);
	const log = createLog({ level: config.logLevel, format: config.logFormat });
	const app = await startApp(config, { log, environment: process.env });
	const signal = await new Promise<string>((resolve) => {
		process.once("SIGTERM", () => resolve("SIGTERM"));
		process.once("SIGINT", () => resolve("SIGINT"));
	});
	log.info("stopping", { reason: signal });
	// A second signal means now.
	process.once("SIGINT", () => process.exit(1));
	await app.stop();
	return 0;
}

async function main(argv: readonly string[]): Promise<number> {
	const [noun, ...rest] = argv;
	try {
		if (noun === "serve" && !rest.includes("--help")) return await serve(rest);
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

process.exit(await main(process.argv.slice(2)));

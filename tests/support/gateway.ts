/**
 * A gateway for a test: in a temporary data directory, on a free port, with an owner. By default the real `App` in
 * this process; with `compiled`, the executable as an operator runs it. The command line is always a process of its
 * own, as it is for people.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startApp } from "../../src/app.ts";
import type { Clock } from "../../src/clock.ts";
import { parseConfig } from "../../src/config.ts";
import type { Person } from "./browser.ts";
import { freePort, type Running, run, runToEnd } from "./processes.ts";
import { executable, REPOSITORY } from "./tools.ts";

export type CliResult = {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
};

export type Gateway = {
	readonly url: string;
	/** `/mcp`, or one server's endpoint. */
	readonly endpoint: (slug?: string) => string;
	readonly dataDir: string;
	readonly owner: Person;
	/** The command line; whatever it ends with. */
	readonly tryCli: (
		args: readonly string[],
		input?: string,
	) => Promise<CliResult>;
	/** The command line; anything but 0 throws what it said. @returns standard output */
	readonly cli: (args: readonly string[], input?: string) => Promise<string>;
	/** Adds servers, each with its flags. */
	readonly addServers: (
		servers: Readonly<Record<string, readonly string[]>>,
	) => Promise<void>;
	/** A new API key; the owner's if nobody is named. */
	readonly apiKey: (name: string, person?: Person) => Promise<string>;
	readonly addUser: (email: string, password?: string) => Promise<Person>;
	/** What the compiled gateway has logged, over all its starts; empty for one in this process. */
	readonly logs: () => string;
	/** The process of the compiled gateway; null for one in this process. */
	readonly pid: () => number | null;
	/** `kill -9`, and nothing else. Compiled only. */
	readonly kill: () => Promise<void>;
	/** Stops, and leaves the data; `restart` starts it again. */
	readonly pause: () => Promise<void>;
	/** Starts again on the same data and the same address. */
	readonly restart: () => Promise<void>;
	/** Does something while the gateway is stopped. */
	readonly stopped: (work: () => Promise<void>) => Promise<void>;
	/** Stops, and takes the data away. */
	readonly stop: () => Promise<void>;
};

export type GatewayOptions = {
	readonly compiled?: boolean;
	readonly flags?: readonly string[];
	/** The private networks where servers may be; loopback if absent, because that is where the fixtures are. */
	readonly allowPrivate?: readonly string[];
	/** Its public URL, when that is not the address it listens on. Compiled only. */
	readonly publicUrl?: (port: number) => string;
	/** Where it listens; a free port if absent. */
	readonly port?: number;
	/** The command line of `serve`, made to run somewhere else (another network). Compiled only. */
	readonly inside?: (command: readonly string[]) => readonly string[];
	/** Variables of the gateway's own process. Compiled only. */
	readonly env?: Readonly<Record<string, string>>;
	readonly ownerPassword?: string;
	/** Nobody owns it yet. */
	readonly unclaimed?: boolean;
	/** The gateway's own clock. In this process only. */
	readonly clock?: Clock;
	/** The URL of its own client document. In this process only. */
	readonly clientDocumentUrl?: string;
	/** What answers for clients' documents; without it the internet, if there is one. In this process only. */
	readonly documents?: (url: string | URL) => Promise<Response>;
};

const READY_TIMEOUT_MS = 20_000;

/** Starts one. */
export async function startGateway(
	options: GatewayOptions = {},
): Promise<Gateway> {
	const dataDir = mkdtempSync(join(tmpdir(), "sallyport-"));
	const owner: Person = {
		email: "owner@example.org",
		password: options.ownerPassword ?? "correct horse battery",
	};
	const port = options.port ?? (await freePort());
	const url = options.publicUrl?.(port) ?? `http://localhost:${port}`;
	const program = options.compiled
		? [executable().path ?? ""]
		: [process.execPath, join(REPOSITORY, "src/main.ts")];
	const flags = [
		...["--data-dir", dataDir],
		...["--listen", `localhost:${port}`],
		...(options.allowPrivate ?? ["127.0.0.0/8"]).flatMap((network) => [
			"--allow-private-upstreams",
			network,
		]),
		...(options.publicUrl ? ["--public-url", url] : []),
		...(options.flags ?? []),
	];
	const environment = { HOME: dataDir, ...options.env };

	function tryCli(args: readonly string[], input = ""): Promise<CliResult> {
		const end = args.indexOf("--");
		const at = end < 0 ? args.length : end;
		const all = [
			...args.slice(0, at),
			"--data-dir",
			dataDir,
			...args.slice(at),
		];
		return runToEnd([...program, ...all], { env: environment, input });
	}

	async function cli(args: readonly string[], input = ""): Promise<string> {
		const { code, stdout, stderr } = await tryCli(args, input);
		if (code !== 0)
			throw new Error(
				`sallyport ${args.join(" ")} ended with ${code}: ${stderr}`,
			);
		return stdout;
	}

	let logs = "";
	let running: Running | null = null;
	let stopApp: (() => Promise<void>) | null = null;

	async function start(): Promise<void> {
		if (!options.compiled) {
			const app = await startApp(
				parseConfig([...flags, "--log-level", "error"]),
				{
					environment: Bun.env,
					...(options.clock && { clock: options.clock }),
					...(options.clientDocumentUrl && {
						clientDocumentUrl: options.clientDocumentUrl,
					}),
					...(options.documents && {
						documents: { fetch: options.documents },
					}),
				},
			);
			stopApp = app.stop;
			return;
		}
		const command = [...program, "serve", ...flags];
		running = run(options.inside?.(command) ?? command, { env: environment });
		await ready(join(dataDir, "admin.sock"), running);
	}

	async function end(signal: NodeJS.Signals): Promise<void> {
		if (running) {
			await running.stop(signal);
			await running.exited;
			logs += running.output();
			running = null;
		}
		await stopApp?.();
		stopApp = null;
	}

	const init = ["init", "--admin-email", owner.email, "--no-input"];
	if (!options.unclaimed)
		await cli([...init, "--admin-password-file", "-"], owner.password);
	await start();

	return {
		url,
		dataDir,
		owner,
		tryCli,
		cli,
		endpoint: (slug) => `${url}/mcp${slug === undefined ? "" : `/${slug}`}`,
		async addServers(servers) {
			for (const [slug, flags] of Object.entries(servers))
				await cli(["servers", "add", slug, ...flags]);
		},
		apiKey: async (name, { email } = owner) =>
			(await cli(["keys", "create", name, "--user", email])).trim(),
		async addUser(email, password = "a password of a member") {
			await cli(
				["users", "add", email, "--role", "member", "--password-file", "-"],
				password,
			);
			return { email, password };
		},
		logs: () => logs + (running?.output() ?? ""),
		pid: () => running?.pid ?? null,
		kill: () => end("SIGKILL"),
		pause: () => end("SIGTERM"),
		async restart() {
			await end("SIGTERM");
			await start();
		},
		async stopped(work) {
			await end("SIGTERM");
			await work();
			await start();
		},
		async stop() {
			await end("SIGTERM");
			rmSync(dataDir, { recursive: true, force: true });
		},
	};
}

/** Waits until it serves; there is nothing to await but its first answer. The socket opens after all else stands. */
async function ready(socket: string, running: Running): Promise<void> {
	const deadline = performance.now() + READY_TIMEOUT_MS;
	let dead = false;
	void running.exited.then(() => {
		dead = true;
	});
	while (!dead && performance.now() < deadline) {
		const response = await fetch("http://sallyport/api/version", {
			unix: socket,
		}).catch(() => null);
		if (response?.ok) return;
		await Bun.sleep(20);
	}
	throw new Error(`the gateway did not start: ${running.output()}`);
}

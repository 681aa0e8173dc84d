/**
 * Runs the official MCP conformance suite as its users do, on Node 22, and reads the checks that it saves. A scenario
 * fails when one of its checks does; a warning (a SHOULD) fails nothing, but is kept.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Running, run } from "../support/processes.ts";
import { node22, packagedTool, REPOSITORY } from "../support/tools.ts";

/** A frozen set of scenarios, run on the wire of its revision. */
export type Requirements = "2026-07-28" | "2025-11-25";

/** The ids of the checks that did not succeed, without repeats, sorted. */
export type Verdict = {
	readonly failed: readonly string[];
	readonly warned: readonly string[];
	/** No check of the scenario's own came to a result: it passed without having looked. */
	readonly hollow: boolean;
	/** What the suite said about each failed check, for people. */
	readonly messages: readonly string[];
};

export type Report = {
	readonly scenarios: ReadonlyMap<string, Verdict>;
	/** What the suite printed. */
	readonly output: string;
};

/** Scenario → the ids of its checks that did not succeed; a scenario without any is not in it. */
export type Shortfalls = Readonly<Record<string, readonly string[]>>;

export type Outcome = {
	readonly failed: Shortfalls;
	/** SHOULDs that are not met; they fail nothing. */
	readonly warned: Shortfalls;
	/** Scenarios that looked at nothing, and so pass without a meaning. */
	readonly hollow: readonly string[];
};

type Check = {
	readonly id: string;
	readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";
	readonly errorMessage?: string;
};

/** Above the longest honest scenario, below a person's patience. */
const SCENARIO_TIMEOUT_MS = 15_000;
/** The client scenarios all run at once, on as many processors as there are: each waits for the others. */
const CLIENT_TIMEOUT_MS = 120_000;

const PACKAGE = "@modelcontextprotocol/conformance";

const SUITE = packagedTool(PACKAGE, "dist/index.js");

/** The suite, and the Node that it runs on. */
export const SUITE_TOOLS = [SUITE, node22()];

/** Scenarios of one leg of a revision. */
export type Scenarios = {
	readonly required: readonly string[];
	readonly notScored: readonly string[];
};

/** The scenarios that a revision requires of a server, and those that are run without being scored. */
export function serverScenarios(requirements: Requirements): Scenarios {
	return scenariosOf(requirements, "server");
}

/** The same of a client. */
export function clientScenarios(requirements: Requirements): Scenarios {
	return scenariosOf(requirements, "client");
}

function scenariosOf(
	requirements: Requirements,
	leg: "server" | "client",
): Scenarios {
	const path = join(
		REPOSITORY,
		"node_modules",
		PACKAGE,
		`requirements/${requirements}.yaml`,
	);
	const set = Bun.YAML.parse(readFileSync(path, "utf8")) as {
		readonly server: readonly string[];
		readonly client: readonly string[];
		readonly not_scored: readonly { scenario: string; leg: string }[];
	};
	return {
		required: set[leg],
		notScored: set.not_scored
			.filter((each) => each.leg === leg)
			.map(({ scenario }) => scenario),
	};
}

/**
 * Runs all client scenarios of a revision.
 * @param command what the suite starts for each, with the URL of its server as the last argument
 * @param env what that command is given beside the suite's own variables
 */
export function runClientSuite(
	command: readonly string[],
	requirements: Requirements,
	env: Readonly<Record<string, string>>,
): Promise<Report> {
	return runSuite(
		"",
		[
			...["client", "--command", command.join(" ")],
			...["--requirements", requirements],
			...["--timeout", String(CLIENT_TIMEOUT_MS)],
		],
		async () => {},
		env,
	);
}

/** Runs all server scenarios of a revision against a URL that asks for no credentials. */
export function runServerSuite(
	url: string,
	requirements: Requirements,
): Promise<Report> {
	return runSuite("server", [
		...["server", "--url", url],
		...["--requirements", requirements],
		...["--timeout", String(SCENARIO_TIMEOUT_MS)],
	]);
}

/**
 * Runs the scenarios for authorization servers.
 * @param visit what a person does with the URL that the suite prints
 */
export function runAuthorizationSuite(
	options: {
		readonly issuer: string;
		readonly clientId: string;
		readonly resource: string;
		readonly callbackPort: number;
	},
	visit: (url: string) => Promise<void>,
): Promise<Report> {
	return runSuite(
		"authorization-server",
		[
			...["authorization", "--url", options.issuer],
			...["--client-id", options.clientId],
			...["--resource", options.resource],
			...["--port", String(options.callbackPort)],
		],
		async (running) => {
			const [url] = await running.printed(/^https?:\/\/\S+\?\S+$/m);
			await visit(url);
		},
	);
}

/** What did not succeed, and nothing else. */
export function outcomeOf({ scenarios }: Report): Outcome {
	const pick = (kind: "failed" | "warned"): Shortfalls =>
		Object.fromEntries(
			[...scenarios]
				.map(([scenario, verdict]) => [scenario, verdict[kind]] as const)
				.filter(([, ids]) => ids.length > 0),
		);
	return {
		failed: pick("failed"),
		warned: pick("warned"),
		hollow: [...scenarios].flatMap(([scenario, { hollow }]) =>
			hollow ? [scenario] : [],
		),
	};
}

/** @param prefix what the suite puts before a scenario's name in the name of its results' directory */
async function runSuite(
	prefix: string,
	args: readonly string[],
	meanwhile: (running: Running) => Promise<void> = async () => {},
	env: Readonly<Record<string, string>> = {},
): Promise<Report> {
	const results = mkdtempSync(join(tmpdir(), "sallyport-conformance-"));
	try {
		const running = run(
			[
				...SUITE_TOOLS.map(({ path }) => path ?? "").reverse(),
				...args,
				...["--output-dir", results],
			],
			{ env },
		);
		try {
			await meanwhile(running);
			await running.exited;
		} finally {
			await running.stop();
		}
		return {
			scenarios: readResults(results, prefix),
			output: running.output(),
		};
	} finally {
		rmSync(results, { recursive: true, force: true });
	}
}

/** Each scenario's checks stand in `[<prefix>-]<scenario>-<timestamp>/checks.json`; a scenario's name may have a `/`. */
function readResults(
	directory: string,
	prefix: string,
): ReadonlyMap<string, Verdict> {
	const scenarios = new Map<string, Verdict>();
	const files = readdirSync(directory, { recursive: true, encoding: "utf8" })
		.filter((name) => name.endsWith("/checks.json"))
		.sort();
	for (const file of files) {
		const scenario = file
			.slice(prefix === "" ? 0 : prefix.length + 1)
			.replace(/-\d{4}-\d\d-\d\dT[\dZ-]+\/checks\.json$/, "");
		const checks = JSON.parse(
			readFileSync(join(directory, file), "utf8"),
		) as readonly Check[];
		scenarios.set(scenario, judge(checks));
	}
	return scenarios;
}

function judge(checks: readonly Check[]): Verdict {
	const withStatus = (status: Check["status"]): readonly Check[] =>
		checks.filter((check) => check.status === status);
	const ids = (some: readonly Check[]): readonly string[] =>
		[...new Set(some.map(({ id }) => id))].sort();
	const failures = withStatus("FAILURE");
	const judged = checks.filter(
		({ id, status }) =>
			["SUCCESS", "FAILURE", "WARNING"].includes(status) &&
			!id.startsWith("wire-schema-"),
	);
	return {
		hollow: judged.length === 0,
		failed: ids(failures),
		warned: ids(withStatus("WARNING")),
		messages: failures.map(
			({ id, errorMessage }) => `${id}: ${errorMessage ?? "failed"}`,
		),
	};
}

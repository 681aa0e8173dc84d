/** P1 calls over HTTP, P3 what one call adds, P2 calls over stdio. */
import { join } from "node:path";
import { stdioFlags } from "../support/processes.ts";
import { QUICK, report, short } from "./bench.ts";
import {
	credentialsFor,
	type Era,
	interleaved,
	openSession,
	requestOf,
	type Sample,
	type Target,
} from "./load.ts";
import { type Gateway, LOAD, MEASURED, start } from "./processes.ts";

const SIZES = QUICK ? [100, 16_384] : [100, 16_384, 1_048_576];
const CONNECTIONS = QUICK ? [1, 16] : [1, 16, 64];
const ERAS: readonly Era[] = ["legacy", "modern"];
/** Where every connection is busy and results are ordinary, more is asked for. */
const STRETCH = 1.2;

/** P1 and P3. */
export async function measureHttpCalls(gateway: Gateway): Promise<void> {
	const { url, pid } = await gateway.start();
	for (const era of ERAS) {
		const upstream = await start(LOAD, "upstream.ts", "0", era);
		for (const size of SIZES) {
			const direct = `http://127.0.0.1:${upstream.port}/${size}`;
			const pass = await start(MEASURED, "pass-through.ts", "0", direct);
			const slug = `calls-${era}-${size}`;
			gateway.cli("servers", "add", slug, "--url", direct);
			const endpoint = `${url}/mcp/${slug}`;
			const plain = requestOf(era, "tools/call", "sized");
			const own = requestOf(
				era,
				"tools/call",
				"sized",
				await credentialsFor(era, endpoint, gateway.key),
			);
			const targets: readonly Target[] = [
				{ url: direct, request: plain, pid: upstream.pid },
				{
					url: `http://127.0.0.1:${pass.port}/`,
					request: plain,
					pid: pass.pid,
				},
				{ url: endpoint, request: own, pid },
			];
			for (const connections of CONNECTIONS) {
				const [alone, passed, ours] = interleaved(targets, connections) as [
					Sample,
					Sample,
					Sample,
				];
				reportCell(era, size, connections, alone, passed, ours);
				if (connections === 1 && size === 100)
					reportAdded(era, alone, passed, ours);
			}
		}
	}
	await gateway.stop();
}

function reportCell(
	era: Era,
	size: number,
	connections: number,
	direct: Sample,
	pass: Sample,
	ours: Sample,
): void {
	const goal = connections === 16 && size < 1_000_000 ? STRETCH : 0.9;
	const ratio = ours.perSecond / pass.perSecond;
	const cpu = pass.cpuUs / ours.cpuUs;
	const wrong = direct.wrong + pass.wrong + ours.wrong;
	report(
		"P1",
		`${era} ${short(size)} B × ${connections}: direct ${short(direct.perSecond)}, pass ${short(pass.perSecond)}, ours ${short(ours.perSecond)}/s`,
		`${ratio.toFixed(2)} (by CPU ${cpu.toFixed(2)})`,
		`≥ ${goal} of pass${wrong > 0 ? `, ${wrong} wrong` : ""}`,
		ratio >= goal && wrong === 0,
	);
}

function reportAdded(
	era: Era,
	direct: Sample,
	pass: Sample,
	ours: Sample,
): void {
	for (const [name, figure] of [
		["p50", "p50Us"],
		["p99", "p99Us"],
	] as const) {
		const limit = (pass[figure] - direct[figure]) * 1.2;
		const added = ours[figure] - direct[figure];
		report(
			"P3",
			`${era}: added time of one call, ${name}`,
			`${short(added)} µs`,
			`≤ ${short(limit)} µs`,
			added <= limit,
		);
	}
}

/** P2. */
export async function measureStdioCalls(gateway: Gateway): Promise<void> {
	const { url, pid } = await gateway.start();
	const command = [
		"taskset",
		"-c",
		String(LOAD),
		process.execPath,
		join(import.meta.dir, "upstream.ts"),
		"stdio",
		"100",
	] as const;
	gateway.cli("servers", "add", "stdio", ...stdioFlags(command));
	const endpoint = `${url}/mcp/stdio`;
	const targets: readonly Target[] = [
		await sdkGateway("json", command),
		await sdkGateway("events", command),
		{
			url: endpoint,
			request: requestOf(
				"legacy",
				"tools/call",
				"sized",
				await credentialsFor("legacy", endpoint, gateway.key),
			),
			pid,
		},
	];
	const [json, events, ours] = interleaved(targets, 16) as [
		Sample,
		Sample,
		Sample,
	];
	reportStdio("SDK with plain JSON", json, ours);
	reportStdio("SDK as it comes", events, ours);
	await gateway.stop();
}

async function sdkGateway(
	answers: "json" | "events",
	command: readonly string[],
): Promise<Target> {
	const { port, pid } = await start(
		MEASURED,
		"sdk-gateway.ts",
		"0",
		answers,
		...command,
	);
	const url = `http://127.0.0.1:${port}/`;
	const session = { "Mcp-Session-Id": await openSession(url, "") };
	return {
		url,
		request: requestOf("legacy", "tools/call", "sized", session),
		pid,
	};
}

function reportStdio(name: string, sdk: Sample, ours: Sample): void {
	const ratio = ours.perSecond / sdk.perSecond;
	const wrong = sdk.wrong + ours.wrong;
	report(
		"P2",
		`stdio 100 B × 16: ${name} ${short(sdk.perSecond)}, ours ${short(ours.perSecond)}/s`,
		`${ratio.toFixed(1)} (by CPU ${(sdk.cpuUs / ours.cpuUs).toFixed(1)})`,
		`≥ 5 × SDK${wrong > 0 ? `, ${wrong} wrong` : ""}`,
		ratio >= 5 && wrong === 0,
	);
}

/** P4: a warm `tools/list` of many servers against one server that has as many tools. */
import { QUICK, report, short } from "./bench.ts";
import {
	callOnce,
	credentialsFor,
	interleaved,
	requestOf,
	type Sample,
} from "./load.ts";
import { createGateway, LOAD, start } from "./processes.ts";

const SHAPES: readonly (readonly [servers: number, tools: number])[] = QUICK
	? [
			[1, 10],
			[10, 100],
		]
	: [
			[1, 10],
			[1, 100],
			[1, 1000],
			[10, 100],
			[50, 50],
			[50, 1000],
		];

export async function measureLists(): Promise<void> {
	const upstream = await start(LOAD, "upstream.ts", "0", "legacy");
	const at = `http://127.0.0.1:${upstream.port}`;
	for (const [servers, tools] of SHAPES) {
		const gateway = await createGateway();
		for (let server = 0; server < servers; server++)
			gateway.cli(
				"servers",
				"add",
				`list-${server}`,
				"--url",
				`${at}/${server}/list/${tools / servers}`,
			);
		const { url, pid } = await gateway.start();
		const headers = await credentialsFor("legacy", `${url}/mcp`, gateway.key);
		const listed = await callOnce(
			`${url}/mcp`,
			gateway.key,
			"tools/list",
			{},
			headers["Mcp-Session-Id"],
		);
		const count = ((await listed.json()) as { result: { tools: unknown[] } })
			.result.tools.length;
		const [direct, ours] = interleaved(
			[
				{
					url: `${at}/list/${tools}`,
					request: requestOf("legacy", "tools/list", null),
					pid: upstream.pid,
				},
				{
					url: `${url}/mcp`,
					request: requestOf("legacy", "tools/list", null, headers),
					pid,
				},
			],
			16,
		) as [Sample, Sample];
		const ratio = ours.perSecond / direct.perSecond;
		report(
			"P4",
			`${servers} servers, ${count} tools: one server ${short(direct.perSecond)}, ours ${short(ours.perSecond)}/s`,
			`${ratio.toFixed(2)} (by CPU ${(direct.cpuUs / ours.cpuUs).toFixed(2)})`,
			"≥ 0.9",
			ratio >= 0.9 && count === tools,
		);
		await gateway.stop();
	}
}

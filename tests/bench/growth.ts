/** P10: calls a second of a gateway with a long life and many people, against one that has neither. */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { QUICK, report, short } from "./bench.ts";
import { credentialsFor, interleaved, requestOf, type Sample } from "./load.ts";
import { createGateway, type Gateway, LOAD, start } from "./processes.ts";
import { fillAudit } from "./starts.ts";

const AUDIT_ROWS = QUICK ? 100_000 : 1_000_000;

export async function measureScale(): Promise<void> {
	const upstream = await start(LOAD, "upstream.ts", "0", "legacy");
	const at = `http://127.0.0.1:${upstream.port}`;
	const grown: readonly (readonly [
		string,
		(gateway: Gateway) => Promise<void>,
	])[] = [
		["1 against 1,000 users", async (gateway) => fillUsers(gateway, 1000)],
		[
			`10 against ${short(AUDIT_ROWS)} audit rows`,
			async (gateway) => fillAudit(gateway, AUDIT_ROWS),
		],
		[
			"1 against 200 servers",
			async (gateway) => {
				await gateway.start();
				for (let server = 0; server < 199; server++)
					gateway.cli(
						"servers",
						"add",
						`other-${server}`,
						"--url",
						`${at}/${server}/list/1`,
					);
				await gateway.stop();
			},
		],
	];
	for (const [what, grow] of grown) {
		const gateways = [await createGateway(), await createGateway()] as const;
		for (const gateway of gateways) {
			gateway.cli("servers", "add", "scale", "--url", `${at}/100`);
			await gateway.stop();
		}
		await grow(gateways[1]);
		const targets = [];
		for (const gateway of gateways) {
			const { url, pid } = await gateway.start();
			const endpoint = `${url}/mcp`;
			const headers = await credentialsFor("legacy", endpoint, gateway.key);
			targets.push({
				url: endpoint,
				request: requestOf("legacy", "tools/call", "scale_sized", headers),
				pid,
			});
		}
		const [small, large] = interleaved(targets, 16) as [Sample, Sample];
		const ratio = large.perSecond / small.perSecond;
		report(
			"P10",
			`${what}: ${short(small.perSecond)} and ${short(large.perSecond)} calls/s`,
			`${ratio.toFixed(2)} (by CPU ${(small.cpuUs / large.cpuUs).toFixed(2)})`,
			"≥ 0.9",
			ratio >= 0.9 && small.wrong + large.wrong === 0,
		);
		for (const gateway of gateways) await gateway.stop();
	}
}

function fillUsers(gateway: Gateway, users: number): void {
	const db = new Database(join(gateway.folder, "sallyport.db"));
	db.run(
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${users - 1})
		 INSERT INTO users (id, email, role, password_hash, disabled_at, created_at)
		 SELECT 'usr_' || i, 'user' || i || '@example.org', 'member', NULL, NULL, 1700000000 FROM n`,
	);
	db.close();
}

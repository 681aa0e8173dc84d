/** P7 a start with history, and the first answer of a stdio server; P8 the wake of a sleeping npm server. */
import { Database } from "bun:sqlite";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stdioFlags } from "../support/processes.ts";
import { median, ROUNDS, report, skipped } from "./bench.ts";
import { callOnce, openSession } from "./load.ts";
import { createGateway, EXECUTABLE, type Gateway } from "./processes.ts";

const SERVERS = 20;
const AUDIT_ROWS = 100_000;
const NPM = "@modelcontextprotocol/server-everything";

/** P7. */
export async function measureStarts(): Promise<void> {
	const gateway = await createGateway();
	for (let server = 0; server < SERVERS; server++)
		gateway.cli(
			"servers",
			"add",
			`start-${server}`,
			"--url",
			`http://127.0.0.1:9/${server}`,
		);
	const command = [
		process.execPath,
		join(import.meta.dir, "upstream.ts"),
		"stdio",
		"100",
	] as const;
	gateway.cli("servers", "add", "stdio", ...stdioFlags(command));
	await gateway.stop();
	fillAudit(gateway, AUDIT_ROWS);
	const ready: number[] = [];
	const first: number[] = [];
	for (let round = 0; round < Math.max(3, ROUNDS); round++) {
		const { url, readyMs } = await gateway.start();
		ready.push(readyMs);
		const startedMs = performance.now();
		const session = await openSession(`${url}/mcp/stdio`, gateway.key);
		await (
			await callOnce(
				`${url}/mcp/stdio`,
				gateway.key,
				"tools/call",
				{ name: "sized", arguments: {} },
				session,
			)
		).bytes();
		first.push(performance.now() - startedMs - (await bareStart(command)));
		await gateway.stop();
	}
	report(
		"P7",
		`start to ready, ${SERVERS} servers and ${AUDIT_ROWS} audit rows`,
		`${median(ready).toFixed(0)} ms`,
		"≤ 100 ms",
		median(ready) <= 100,
	);
	const beyond = median(first);
	report(
		"P7",
		"ready to the first answer of a stdio server, beyond its own start",
		`${beyond.toFixed(0)} ms`,
		"≤ 120 ms",
		beyond <= 120,
	);
}

/** P8. */
export async function measureWake(): Promise<void> {
	const gateway = await createGateway();
	try {
		gateway.cli("servers", "add", "npm", "--npm", NPM);
	} catch (error) {
		skipped(
			"P8",
			"wake of a sleeping npm server",
			`it cannot be installed (${String(error).slice(0, 80)})`,
		);
		return;
	}
	const [manifest = ""] = new Bun.Glob(
		`*/node_modules/${NPM}/package.json`,
	).scanSync({ cwd: join(gateway.folder, "servers", "npm"), absolute: true });
	const { bin } = JSON.parse(readFileSync(manifest, "utf8"));
	const entry = join(
		dirname(manifest),
		Object.values(bin as Record<string, string>)[0] as string,
	);
	const { url } = await gateway.start();
	const session = await openSession(`${url}/mcp/npm`, gateway.key);
	const call = async (): Promise<number> => {
		const startedMs = performance.now();
		await (
			await callOnce(
				`${url}/mcp/npm`,
				gateway.key,
				"tools/call",
				{ name: "echo", arguments: { message: "a" } },
				session,
			)
		).bytes();
		return performance.now() - startedMs;
	};
	await call();
	const shares: number[] = [];
	for (let round = 0; round < 5; round++) {
		// After a start no server runs before it is called, and none is on its way either.
		await gateway.stop();
		await gateway.start();
		const woken = await call();
		shares.push(woken - (await bareStart([EXECUTABLE, entry, "stdio"])));
	}
	const share = median(shares);
	report(
		"P8",
		"wake of a sleeping npm server, beyond its bare start",
		`${share.toFixed(0)} ms`,
		"≤ 30 ms",
		share <= 30,
	);
	await gateway.stop();
}

/** How long a server takes by itself, from its start to its first answer. */
async function bareStart(command: readonly string[]): Promise<number> {
	const startedMs = performance.now();
	const child = Bun.spawn(["taskset", "-c", "0", ...command], {
		stdin: "pipe",
		stdout: "pipe",
		stderr: "ignore",
		env: { ...process.env, BUN_BE_BUN: "1" },
	});
	child.stdin.write(
		'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}\n',
	);
	child.stdin.flush();
	for await (const chunk of child.stdout) if (chunk.includes(0x0a)) break;
	const tookMs = performance.now() - startedMs;
	child.kill();
	await child.exited;
	return tookMs;
}

/** Writes history into the store of a gateway that does not run. */
export function fillAudit(gateway: Gateway, rows: number): void {
	const db = new Database(join(gateway.folder, "sallyport.db"));
	db.run(
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
		 INSERT INTO audit (at, actor, action, object, detail) SELECT 1700000000 + i, 'bench', 'server.update', 'server', NULL FROM n`,
	);
	db.close();
}

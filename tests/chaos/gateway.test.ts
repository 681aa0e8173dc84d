/**
 * The executable under load: killed with 50 clients of both eras at work, and flooded while its memory is watched.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { signedIn } from "../support/clients/sdk2.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	fixtureCommand,
	type Running,
	run,
	stdioFlags,
} from "../support/processes.ts";
import { describeWith, executable, REPOSITORY } from "../support/tools.ts";
import { until } from "../support/until.ts";
import {
	openLegacySession,
	openModern,
	sendModern,
	type WireAnswer,
} from "../support/wire.ts";

setDefaultTimeout(120_000);

const CLIENTS = 50;
const SIGN_INS = 5;
const MEGABYTE = 1024 * 1024;

/** One client at work: it calls again and again, and keeps what came of it. */
type Worker = {
	/** What it asked for, and whether an answer came; `at` is when the call began. */
	readonly calls: { readonly at: number; readonly ok: boolean }[];
	/** What a call is answered with beside a result: HTTP statuses that mean "sign in" or "start anew". */
	readonly statuses: Set<number>;
	readonly stop: () => Promise<void>;
};

describeWith([executable()], "the executable", () => {
	let gateway: Gateway;
	let chaos: Running;

	beforeAll(async () => {
		gateway = await startGateway({ compiled: true });
		chaos = run([
			process.execPath,
			join(REPOSITORY, "tests/fixtures/chaos.ts"),
			"0",
		]);
		const [, port] = await chaos.printed(/^listening (\d+)$/m);
		await gateway.addServers({
			http: ["--url", `http://127.0.0.1:${port}/mcp`],
			stdio: stdioFlags(fixtureCommand("modern", "stdio")),
		});
	});

	afterAll(async () => {
		await gateway?.stop();
		await chaos?.stop("SIGKILL");
	});

	/** A client that calls tools of both servers in turn, in its own era. */
	async function startWorker(token: string, index: number): Promise<Worker> {
		const endpoint = gateway.endpoint();
		const session =
			index % 2 === 0 ? null : await openLegacySession(endpoint, token);
		const ask = (turn: number): Promise<WireAnswer> => {
			const params =
				turn % 2 === 0
					? { name: "http_called", arguments: {} }
					: { name: "stdio_echo", arguments: { text: "on" } };
			return session
				? session.request("tools/call", params)
				: sendModern(endpoint, token, "tools/call", params);
		};
		const calls: { at: number; ok: boolean }[] = [];
		const statuses = new Set<number>();
		let working = true;
		const work = (async () => {
			for (let turn = 0; working; turn++) {
				const at = performance.now();
				const answer = await ask(turn).catch(() => null);
				if (answer) statuses.add(answer.status);
				const content = JSON.stringify(answer?.last?.result ?? {});
				calls.push({ at, ok: /"text":"(on|\d+ \d+)"/.test(content) });
				// Nobody is there: a client waits a moment before it tries again.
				await Bun.sleep(answer ? 5 : 50);
			}
		})();
		return {
			calls,
			statuses,
			stop: async () => {
				working = false;
				await work;
			},
		};
	}

	test("killed and started again under 50 clients, it loses no call that was not in flight, and nobody signs in again", async () => {
		const people = await Promise.all(
			Array.from({ length: SIGN_INS }, () =>
				signedIn(gateway.endpoint(), gateway.owner),
			),
		);
		const workers = await Promise.all(
			Array.from({ length: CLIENTS }, (_, index) =>
				startWorker(
					people[index % SIGN_INS]?.credentials().accessToken ?? "",
					index,
				),
			),
		);
		const allCalled = (since: number) => (): boolean =>
			workers.every(({ calls }) =>
				calls.some(({ at, ok }) => ok && at > since),
			);
		await until("every client has worked", allCalled(0), 30_000);
		const killedAt = performance.now();
		await gateway.kill();
		await gateway.restart();
		const backAt = performance.now();
		await until("every client works again", allCalled(backAt), 30_000);
		await Promise.all(workers.map(({ stop }) => stop()));
		for (const { calls, statuses } of workers) {
			const before = calls.filter(({ at }) => at < killedAt);
			// The last of them was in flight when the gateway was killed.
			expect(before.slice(0, -1).filter(({ ok }) => !ok)).toEqual([]);
			expect(calls.filter(({ at, ok }) => at > backAt && !ok)).toEqual([]);
			expect([...statuses]).toEqual([200]);
		}
		for (const person of people) {
			const { refreshToken } = person.credentials();
			expect(await person.callTool("stdio_echo", { text: "on" })).toBe("on");
			expect(person.credentials().refreshToken).toBe(refreshToken);
			await person.close();
		}
	});

	/** What the process holds in memory, in bytes. */
	function memory(): number {
		const status = readFileSync(`/proc/${gateway.pid()}/status`, "utf8");
		return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
	}

	test("100,000 notifications pass through without staying, whether their client reads them or not", async () => {
		const key = await gateway.apiKey("memory");
		const flood = {
			name: "http_notify",
			arguments: { count: 100_000 },
			_meta: { progressToken: "f" },
		};
		const passOnce = async (): Promise<void> => {
			const { text } = await sendModern(
				gateway.endpoint(),
				key,
				"tools/call",
				flood,
			);
			expect(text).toContain('"text":"100000"');
		};
		await passOnce();
		const before = memory();
		for (let times = 0; times < 3; times++) await passOnce();
		// 300,000 notifications are about 40 MB; none of it may stay.
		expect(memory() - before).toBeLessThan(48 * MEGABYTE);

		const unread = await Promise.all(
			Array.from({ length: 5 }, () =>
				openModern(gateway.endpoint(), key, "tools/call", flood),
			),
		);
		await passOnce();
		expect(memory() - before).toBeLessThan(192 * MEGABYTE);
		for (const stream of unread) stream.close();
	});
});

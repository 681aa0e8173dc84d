/** What the doctor says of a machine, a store and a service, from their facts alone. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { SallyportError } from "../../src/errors.ts";
import { createLog } from "../../src/log.ts";
import { createPins } from "../../src/mcp/pins.ts";
import { toBytes } from "../../src/message.ts";
import { type Finding, worstFirst } from "../../src/ops/finding.ts";
import { type MachineFacts, readMachine } from "../../src/ops/machine.ts";
import { judgeMachine } from "../../src/ops/machine-checks.ts";
import {
	judgeAddress,
	judgeBackups,
	judgeCertificates,
	judgeOutside,
	judgeServers,
} from "../../src/ops/service-checks.ts";
import { judgeStore } from "../../src/ops/store-checks.ts";
import { putClient } from "../../src/store/clients.ts";
import { openDatabase } from "../../src/store/database.ts";
import { createServer } from "../../src/store/servers.ts";
import { createTimelineRecorder } from "../../src/store/timeline.ts";
import { createUser } from "../../src/store/users.ts";
import { noCertificates } from "../../src/tls/certificates.ts";

const SOUND: MachineFacts = {
	dataDir: { path: "/data", mode: 0o700 },
	hasStore: true,
	openFiles: [],
	kek: { path: "/etc/master.key", isBesideData: false, problem: null },
	freeBytes: 50 * 1024 ** 3,
	isClockKept: true,
	landlock: 7,
};

/** The severity of one finding. */
function severity(findings: readonly Finding[], code: string): string {
	return findings.find((finding) => finding.code === code)?.severity ?? "none";
}

describe("the machine", () => {
	const cases: readonly [string, Partial<MachineFacts>, string, string][] = [
		["a sound one", {}, "data-folder", "ok"],
		["a sound one", {}, "master-key", "ok"],
		["a sound one", {}, "disk", "ok"],
		["a sound one", {}, "clock", "ok"],
		[
			"a folder that others may enter",
			{ dataDir: { path: "/data", mode: 0o755 } },
			"data-folder",
			"warning",
		],
		[
			"a store that others may read",
			{
				dataDir: { path: "/data", mode: 0o755 },
				openFiles: ["sallyport.db"],
			},
			"data-folder",
			"error",
		],
		[
			"open files behind a closed door",
			{ openFiles: ["sallyport.db"] },
			"data-folder",
			"ok",
		],
		[
			"a key beside the data",
			{ kek: { path: "/data/master.key", isBesideData: true, problem: null } },
			"master-key",
			"warning",
		],
		[
			"a key that is not there",
			{
				kek: {
					path: "/data/master.key",
					isBesideData: true,
					problem: new SallyportError("invalid", "cannot read"),
				},
			},
			"master-key",
			"error",
		],
		["little room", { freeBytes: 500 * 1024 ** 2 }, "disk", "warning"],
		["no room", { freeBytes: 1024 }, "disk", "error"],
		["a clock that nobody keeps", { isClockKept: false }, "clock", "warning"],
		["a clock that cannot be asked", { isClockKept: null }, "clock", "notice"],
		["a kernel with Landlock", {}, "isolation", "warning"],
		["a kernel without Landlock", { landlock: 0 }, "isolation", "warning"],
	];
	for (const [what, facts, code, expected] of cases)
		test(`${what}: ${code} is ${expected}`, () => {
			expect(severity(judgeMachine({ ...SOUND, ...facts }), code)).toBe(
				expected,
			);
		});

	test("which isolation is in force is said plainly", () => {
		for (const landlock of [null, 0, 7]) {
			const findings = judgeMachine({ ...SOUND, landlock });
			const { text = "" } =
				findings.find(({ code }) => code === "isolation") ?? {};
			expect(text).toStartWith("isolation in force: none");
		}
	});

	test("the facts of this one can be read", () => {
		const dataDir = mkdtempSync(join(tmpdir(), "sallyport-machine-"));
		const kekFile = join(dataDir, "master.key");
		writeFileSync(kekFile, "no key", { mode: 0o644 });
		writeFileSync(join(dataDir, "sallyport.db"), "", { mode: 0o644 });
		const facts = readMachine({ dataDir, kekFile });
		expect(facts.dataDir.mode).toBe(0o700);
		expect(facts.hasStore).toBe(true);
		expect(facts.openFiles).toEqual(["sallyport.db"]);
		expect(facts.kek.isBesideData).toBe(true);
		expect(facts.kek.problem?.hint).toBe(`chmod 600 ${kekFile}`);
		expect(facts.freeBytes).toBeGreaterThan(0);
		if (process.platform === "linux") expect(facts.landlock).not.toBeNull();
		rmSync(dataDir, { recursive: true });
	});
});

describe("the store", () => {
	const now = 1000;
	const owner = { role: "owner", passwordHash: null } as const;

	test("an empty one has no owner, and nothing else is wrong", () => {
		const findings = judgeStore(openDatabase(":memory:"), now);
		expect(severity(findings, "database")).toBe("ok");
		expect(severity(findings, "owner")).toBe("notice");
		expect(severity(findings, "waiting-clients")).toBe("ok");
		expect(severity(findings, "secrets")).toBe("ok");
	});

	test("a client that waits is told with the command that lets it in", () => {
		const db = openDatabase(":memory:");
		putClient(db, {
			id: "cli_waits",
			kind: "registered",
			name: "x",
			redirectUris: [],
			authMethod: "none",
			secretHash: null,
			jwks: null,
			userId: null,
			introspects: [],
			createdAt: 1,
			approvedAt: null,
			expiresAt: null,
		});
		const found = judgeStore(db, now).find(
			({ code }) => code === "waiting-clients",
		);
		expect(found?.severity).toBe("notice");
		expect(found?.remedy).toContain("sallyport clients approve cli_waits");
	});

	test("a server without its secret is told, shared or personal", () => {
		const db = openDatabase(":memory:");
		createUser(db, { email: "a@b.example", ...owner }, 1);
		for (const personal of [true, false])
			createServer(
				db,
				personal ? "mine" : "ours",
				{
					transport: {
						kind: "http",
						url: "https://a.example/mcp",
						headers: {},
						mode: "auto",
					},
					access: "everyone",
					tools: null,
					enabled: true,
					slots: [
						{
							name: "TOKEN",
							injection: "header",
							target: "Authorization",
							personal,
							optional: false,
						},
					],
				},
				1,
			);
		const found = judgeStore(db, now).filter(({ code }) => code === "secrets");
		expect(found.map((finding) => finding.severity).sort()).toEqual([
			"notice",
			"warning",
		]);
		expect(found.map(({ remedy }) => remedy).join()).toContain(
			"sallyport secrets set ours TOKEN",
		);
	});

	test("a server that is not as it was approved is told, with how to look and accept", () => {
		const db = openDatabase(":memory:");
		const server = createServer(
			db,
			"notes",
			{
				transport: { kind: "command", command: "true", args: [], env: {} },
				slots: [],
				access: "everyone",
				tools: null,
				enabled: true,
			},
			1,
		);
		const log = createLog({
			level: "error",
			format: "json",
		});
		const pins = createPins({ db, log, clock: systemClock });
		for (const description of ["Reads", "Reads, and mails it"])
			pins.judge(server, "tool", [
				{
					key: "read",
					bytes: toBytes(JSON.stringify({ name: "read", description })),
				},
			]);
		const held = judgeStore(db, now).find(({ code }) => code === "held");
		expect(held?.severity).toBe("warning");
		expect(held?.remedy).toContain("sallyport servers accept notes");
	});

	test("a clock that went back is seen by what happened later", () => {
		const db = openDatabase(":memory:");
		const clock = { now: () => 10_000, nowMs: () => 0 };
		const timeline = createTimelineRecorder({ db, clock });
		timeline.note(
			{ address: "", agent: "" },
			{ step: "challenge", outcome: "ok" },
		);
		timeline.flush();
		timeline.close();
		expect(severity(judgeStore(db, 1000), "clock-back")).toBe("error");
		expect(severity(judgeStore(db, 10_000), "clock-back")).toBe("none");
	});
});

describe("the service", () => {
	test("certificates: none is wrong when tls is off", () => {
		expect(judgeCertificates(noCertificates(), 0)[0]?.severity).toBe("ok");
	});

	test("certificates: one that is not trusted, or about to end, is an error with the CA's words", () => {
		const one = {
			names: ["gw.example"],
			trusted: true,
			issuer: "CA",
			fingerprint: "",
			notBefore: 0,
			notAfter: 1000,
			renewAt: 1,
			explanationUrl: null,
			failure: {
				at: 1,
				directory: "d",
				detail: "rate limited",
				remedy: "wait",
			},
		};
		const judge = (changes: object, now: number): Finding | undefined =>
			judgeCertificates(
				{ source: "acme", list: () => [{ ...one, ...changes }] },
				now,
			)[0];
		expect(judge({}, 990)?.severity).toBe("error");
		expect(judge({}, 990)?.text).toContain("rate limited");
		expect(judge({ trusted: false }, 10)?.severity).toBe("error");
		expect(judge({ failure: null }, 10)?.severity).toBe("ok");
	});

	test("servers: one that failed is named, without its words", () => {
		const servers = [{ id: "srv_a", slug: "memory", enabled: true }] as never;
		const failed = judgeServers(servers, () => [{ state: () => "failed" }]);
		expect(failed[0]?.severity).toBe("error");
		expect(failed[0]?.remedy).toContain("sallyport servers show memory");
		const ready = judgeServers(servers, () => [{ state: () => "ready" }]);
		expect(ready[0]?.severity).toBe("ok");
	});

	test("outside: without a way out, the flag for client documents is a promise that is not kept", async () => {
		const blocked = { fetch: () => Promise.reject(new Error("no route")) };
		const open = { fetch: async () => new Response("") };
		const judge = async (
			egress: Parameters<typeof judgeOutside>[0],
			documents: boolean,
		): Promise<string> =>
			severity(await judgeOutside(egress, { documents }, 0), "outside");
		expect(await judge(blocked, true)).toBe("warning");
		expect(await judge(blocked, false)).toBe("notice");
		expect(await judge(open, true)).toBe("ok");
	});

	test("outside: a clock that is not the web's is an error", async () => {
		const judge = async (date: string): Promise<string> => {
			const fetch = async (): Promise<Response> =>
				new Response("", { headers: { Date: date } });
			const found = await judgeOutside(
				{ fetch },
				{ documents: true },
				1_795_600_000,
			);
			return severity(found, "clock-skew");
		};
		const now = new Date(1_795_600_000_000);
		expect(await judge(now.toUTCString())).toBe("none");
		expect(await judge("not a date")).toBe("none");
		const later = new Date(now.getTime() + 7_200_000);
		expect(await judge(later.toUTCString())).toBe("error");
	});

	test("the public URL: what hosted clients cannot reach is said", async () => {
		const judge = async (url: string): Promise<readonly Finding[]> =>
			judgeAddress(url, () => ["192.168.1.5"]);
		expect((await judge("http://localhost:8080"))[0]?.severity).toBe("notice");
		const inside = await judge("https://192.168.1.5");
		expect(inside[0]?.text).toContain("private network");
		const port = await judge("https://192.168.1.5:8443");
		expect(port[0]?.text).toContain("not https on port 443");
	});

	test("backups: a failure is an error, none at all is worth a word", () => {
		const backups = {
			failure: () => null,
			schedule: () => "nightly" as const,
			list: () => [],
		};
		expect(judgeBackups(backups).severity).toBe("notice");
		expect(judgeBackups({ ...backups, schedule: () => "off" }).severity).toBe(
			"warning",
		);
		const failure = () => ({ message: "no room" });
		expect(judgeBackups({ ...backups, failure }).severity).toBe("error");
		expect(judgeBackups({ ...backups, list: () => [1] }).severity).toBe("ok");
	});
});

test("the worst comes first", () => {
	const of = (severity: Finding["severity"]): Finding => ({
		code: severity,
		severity,
		text: "",
		remedy: null,
	});
	const sorted = worstFirst(
		(["ok", "notice", "error", "warning"] as const).map(of),
	);
	expect(sorted.map(({ code }) => code)).toEqual([
		"error",
		"warning",
		"notice",
		"ok",
	]);
});

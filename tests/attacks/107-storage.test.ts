/**
 * I. Who holds the files, the clock or the logs (research/oauth.md 5, 107–112, 114, 115; 40). The gateway is a
 * process of its own whose data is read, and changed, while it is down.
 */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mintCredential } from "../../src/mint.ts";
import {
	codeFor,
	OWNER,
	type Place,
	redeem,
	refresh,
	register,
	signInClient,
} from "../oauth/authority.ts";
import { type Canaries, createCanaries } from "../support/canaries.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { createMovedClock, type MovedClock } from "../support/moved-clock.ts";
import { fixtureCommand, run } from "../support/processes.ts";
import { describeWith, executable } from "../support/tools.ts";
import { sendModern } from "../support/wire.ts";
import { manyVisitors, TRUST_LOOPBACK } from "./target.ts";

setDefaultTimeout(120_000);

const DAY = 24 * 3600;
const INTERRUPTIONS = 25;

describeWith([executable()], "what is stored", () => {
	const canaries: Canaries = createCanaries();
	const secrets = {
		owner: canaries.make("owner"),
		member: canaries.make("member"),
	};
	const password = canaries.make("password");
	const keys = { owner: "", member: "" };
	let clock: MovedClock;
	let gateway: Gateway;
	let place: Place;

	beforeAll(async () => {
		clock = createMovedClock();
		gateway = await startGateway({
			compiled: true,
			env: clock.env,
			flags: TRUST_LOOPBACK,
		});
		place = manyVisitors(gateway.url);
		const member = await gateway.addUser("member@example.org", password);
		const [command, ...args] = fixtureCommand("env");
		await gateway.cli([
			...["servers", "add", "env", "--command", command],
			...["--slot", "service=env:SERVICE_TOKEN,personal", "--", ...args],
		]);
		for (const [name, email] of [
			["owner", OWNER.email],
			["member", member.email],
		] as const) {
			await gateway.cli(
				["secrets", "set", "env", "service", "--user", email],
				secrets[name],
			);
			keys[name] = /sp_ak_\S+/.exec(
				await gateway.cli(["keys", "create", name, "--user", email]),
			)?.[0] as string;
			canaries.add(`key of ${name}`, keys[name]);
		}
	});
	afterAll(() => gateway?.stop());

	function call(name: "owner" | "member"): Promise<string> {
		return sendModern(gateway.endpoint(), keys[name], "tools/call", {
			name: "env_environment",
			arguments: {},
		}).then(({ text }) => text);
	}

	async function use(token: string): Promise<number> {
		const { status } = await sendModern(
			gateway.endpoint(),
			token,
			"tools/list",
		);
		return status;
	}

	/** Does something to the database while nobody has it open. */
	async function whileDown(work: (db: Database) => void): Promise<void> {
		await gateway.kill();
		const db = new Database(join(gateway.dataDir, "sallyport.db"));
		work(db);
		db.close();
		await gateway.restart();
	}

	test("107, 40: no password, code, token, key or secret is in any file or log, before and after a crash", async () => {
		const client = await register(place);
		const code = await codeFor(place, client);
		const first = await redeem(place, client, code);
		const second = await refresh(place, client, first.refresh_token);
		for (const [name, secret] of Object.entries({
			code,
			"access token": first.access_token,
			"refresh token": first.refresh_token,
			"second access token": second.access_token,
			"second refresh token": second.refresh_token,
		}))
			canaries.add(name, secret);
		expect(await use(second.access_token)).toBe(200);
		expect(await call("owner")).not.toContain('isError":true');
		const search = () =>
			canaries.search({
				directories: [gateway.dataDir],
				texts: { log: gateway.logs() },
			});
		expect(search()).toEqual([]);
		await gateway.kill();
		expect(existsSync(join(gateway.dataDir, "sallyport.db-wal"))).toBe(true);
		expect(search()).toEqual([]);
		await gateway.restart();
	});

	test("108: a sealed secret that is moved to another person's row opens for nobody", async () => {
		const swap = (db: Database): void => {
			const rows = db
				.query<{ id: string; sealed: Uint8Array }, []>(
					"SELECT id, sealed FROM secrets ORDER BY id",
				)
				.all();
			expect(rows).toHaveLength(2);
			const put = db.query("UPDATE secrets SET sealed = ? WHERE id = ?");
			for (const [at, row] of rows.entries())
				put.run(rows[1 - at]?.sealed ?? null, row.id);
		};
		await whileDown(swap);
		for (const name of ["owner", "member"] as const) {
			const text = await call(name);
			// The log says more; the caller learns the request's id.
			expect(text, name).toContain('"error":{"code":-32603');
			for (const secret of Object.values(secrets))
				expect(text).not.toContain(
					createHash("sha256").update(secret).digest("hex"),
				);
		}
		await whileDown(swap);
		expect(await call("owner")).not.toContain('isError":true');
	});

	test("109: without the right master key it does not start, and makes no other", async () => {
		const path = join(gateway.dataDir, "master.key");
		const right = readFileSync(path);
		await gateway.kill();
		for (const [what, spoil] of [
			["wrong", () => writeFileSync(path, `${"0".repeat(64)}\n`)],
			["empty", () => writeFileSync(path, "")],
			["short", () => writeFileSync(path, "00ff\n")],
			["open to all", () => chmodSync(path, 0o644)],
		] as const) {
			spoil();
			const spoiled = readFileSync(path);
			const { code, stderr } = await gateway.tryCli([
				"serve",
				"--listen",
				"localhost:0",
			]);
			expect(code, what).not.toBe(0);
			expect(stderr, what).toContain("sallyport: hint:");
			expect(readFileSync(path).equals(spoiled), what).toBe(true);
			writeFileSync(path, right);
			chmodSync(path, 0o600);
		}
		await gateway.restart();
		expect(await call("owner")).not.toContain('isError":true');
	});

	test("110: whatever moment a rotation or another master key is interrupted at, everything opens afterwards", async () => {
		await gateway.kill();
		const start = (verb: string) =>
			run(
				[
					...[executable().path ?? "", "vault", verb],
					...["--data-dir", gateway.dataDir],
				],
				{ env: { HOME: gateway.dataDir } },
			);
		let interrupted = 0;
		for (const verb of ["rotate", "rekey"]) {
			const started = performance.now();
			expect(await start(verb).exited).toBe(0);
			const wholeMs = performance.now() - started;
			// Some are killed before they did anything, most in the middle.
			for (let round = 0; round < INTERRUPTIONS; round++) {
				const command = start(verb);
				await Bun.sleep((wholeMs * round) / INTERRUPTIONS);
				await command.stop("SIGKILL");
				if ((await command.exited) !== 0) interrupted++;
			}
		}
		expect(interrupted).toBeGreaterThan(INTERRUPTIONS / 2);
		await gateway.restart();
		for (const name of ["owner", "member"] as const)
			expect(await call(name)).toContain(
				createHash("sha256").update(secrets[name]).digest("hex"),
			);
		expect(existsSync(join(gateway.dataDir, "master.key.next"))).toBe(false);
	});

	test("111: a row that somebody wrote into the database is no token", async () => {
		const { tokens } = await signInClient(place);
		const made = mintCredential("access");
		const digest = createHash("sha256").update(made).digest();
		await whileDown((db) => {
			const { changes } = db
				.query(
					"INSERT INTO access_tokens (hash, grant_id, scope, expires_at) SELECT ?, grant_id, scope, expires_at FROM access_tokens ORDER BY expires_at DESC LIMIT 1",
				)
				.run(digest);
			expect(changes).toBe(1);
		});
		expect(await use(made)).toBe(401);
		expect(await use(tokens.access_token)).toBe(200);
	});

	test("112: what was sent stands in no error", async () => {
		const canary = createCanaries().make("sent");
		const bodies = {
			"application/json": [
				`{"a":"${canary}"`,
				`["${canary}"]`,
				JSON.stringify({
					username: { x: canary },
					redirect_uris: canary,
					name: 7,
				}),
			],
			"application/x-www-form-urlencoded": [
				`grant_type=${canary}&client_id=${canary}&client_secret=${canary}`,
				`%${canary}`,
			],
			"multipart/form-data; boundary=x": [
				`--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n${canary}\r\n--x--`,
			],
			"text/plain": [canary],
		};
		for (const path of [
			"/token",
			"/register",
			"/revoke",
			"/introspect",
			"/login",
			"/setup",
			"/mcp",
			"/api/servers",
			"/api/secrets/set",
			"/api/keys",
			"/api/nothing",
			"/nothing",
		])
			for (const [type, texts] of Object.entries(bodies))
				for (const body of texts)
					for (const authorization of [null, keys.owner, keys.member]) {
						const answer = await place.send(path, {
							method: "POST",
							body,
							headers: {
								"Content-Type": type,
								...(authorization && {
									Authorization: `Bearer ${authorization}`,
								}),
							},
						});
						const told = [...answer.headers].join() + (await answer.text());
						expect(told, `${path} ${type}`).not.toContain(canary);
						expect(told, `${path} ${type}`).not.toMatch(
							/\bat \S+ \(|\.ts:\d+|SQLITE|SELECT /,
						);
						expect(answer.status, `${path} ${type}`).toBeLessThan(500);
					}
		expect(gateway.logs()).not.toContain(canary);
	});

	test("115: a clock that jumps a day makes nothing live longer", async () => {
		const client = await register(place);
		const code = await codeFor(place, client);
		const { tokens } = await signInClient(place);
		expect(await use(tokens.access_token)).toBe(200);
		clock.moveTo(DAY);
		expect((await redeem(place, client, code)).error).toBe("invalid_grant");
		expect(await use(tokens.access_token)).toBe(401);
		clock.moveTo(-DAY);
		await use(tokens.access_token); // issued in what is now the future: being used then gives it no day more
		clock.moveTo(DAY);
		expect(await use(tokens.access_token)).toBe(401);
		clock.moveTo(0);
		expect((await signInClient(place)).tokens.status).toBe(200);
	});
});

test("114: no transaction in the source waits for anything", () => {
	const sources = new Bun.Glob("**/*.ts").scanSync({
		cwd: join(import.meta.dir, "../../src"),
		absolute: true,
	});
	const waiting = [...sources].filter((path) =>
		/transaction\([^)]*\basync\b/.test(readFileSync(path, "utf8")),
	);
	expect(waiting).toEqual([]);
});

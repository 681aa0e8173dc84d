/** `sallyport audit` over a real socket. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { runCli } from "../../src/cli/cli.ts";
import { listAuditAfter, recordAudit } from "../../src/store/audit.ts";
import { transaction } from "../../src/store/database.ts";
import { type Service, startService } from "./over-socket.ts";

let service: Service;
beforeEach(() => {
	service = startService();
});
afterEach(() => service.stop());

const LOCAL = ["servers", "add", "local", "--command", "cat", "--disabled"];

test("what was done is listed with who did it, the newest at the end", async () => {
	const { sallyport, fixture } = service;
	expect((await sallyport(["audit", "list"])).stderr).toBe(
		"nothing was done yet\n",
	);
	await sallyport(LOCAL);
	await fixture.send("PUT", "/api/mcp/servers/local/enable", undefined, {
		userId: fixture.owner.id,
		role: "owner",
		via: "key",
	});
	const { stdout } = await sallyport(["audit", "list"]);
	expect(
		stdout
			.trim()
			.split("\n")
			.map((line) => line.split(/ {2,}/).slice(1)),
	).toEqual([
		["WHO", "WHAT", "TO WHAT", "DETAIL"],
		["socket", "server.add", "local"],
		[fixture.owner.email, "server.enable", "local"],
	]);
	const last = await sallyport(["audit", "list", "--limit", "1", "--json"]);
	expect(JSON.parse(last.stdout).audit).toMatchObject([
		{ who: fixture.owner.email, actor: fixture.owner.id, detail: null },
	]);
	for (const limit of ["1001", "-1", "many"])
		expect((await sallyport(["audit", "list", `--limit=${limit}`])).code).toBe(
			2,
		);
});

test("the export is the whole trail in order, however long, one object a line", async () => {
	const { sallyport, fixture } = service;
	const { db } = fixture.deps;
	transaction(db, () => {
		for (let at = 0; at < 2000; at++)
			recordAudit(db, { actor: "socket", action: "x", object: `${at}` }, at);
	});
	const { stdout, code } = await sallyport(["audit", "export"]);
	const lines = stdout.trim().split("\n");
	expect([code, lines.length]).toEqual([0, 2000]);
	expect(lines.map((line) => JSON.parse(line).object)).toEqual(
		listAuditAfter(db, 0, 5000).map(({ object }) => object),
	);
});

test("it is followed until the service ends", async () => {
	const { sallyport, fixture } = service;
	await sallyport(LOCAL);
	const seen = Promise.withResolvers<void>();
	let [stdout, stderr] = ["", ""];
	const following = runCli(
		["audit", "list", "--follow", "--json", "--data-dir", fixture.folder],
		{
			stdout: (text) => {
				stdout += text;
				if (text.includes("server.remove")) seen.resolve();
			},
			stderr: (text) => {
				stderr += text;
			},
			stdin: () => new ReadableStream(),
			env: {},
			isTty: { stdin: false, stdout: false, stderr: false },
		},
		{
			version: "1.2.3",
			openData: () => {
				throw new Error("the service is asked, not its data");
			},
		},
	);
	await sallyport(["servers", "remove", "local", "--yes"]);
	await seen.promise;
	const actions = stdout.trim().split("\n");
	expect(actions.map((line) => JSON.parse(line).action)).toEqual([
		"server.add",
		"server.remove",
	]);
	await service.stop();
	expect(await following).toBe(6);
	expect(JSON.parse(stderr).error.code).toBe("unavailable");
	service = startService();
});

test("members may not read it", async () => {
	const { fixture } = service;
	const member = fixture.addUser("ada@example.org", "member");
	const { status } = await fixture.send("GET", "/api/audit", undefined, member);
	expect(status).toBe(403);
});

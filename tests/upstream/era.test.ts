import { afterAll, expect, test } from "bun:test";
import { asCommand, ask, startPool } from "../support/upstreams.ts";

const pool = startPool();
afterAll(() => pool.close());

/** A stdio server in a few lines: `reply(method)` gives the raw result, or null to stay silent. */
function scripted(body: string): readonly [string, ...string[]] {
	return [
		process.execPath,
		"-e",
		`const initialized = '{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"1"}}';
		 const discovered = '{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"public"}';
		 const say = (id, result) => process.stdout.write('{"jsonrpc":"2.0","id":' + id + ',"result":' + result + '}\\n');
		 const refuse = (id, code) => process.stdout.write('{"jsonrpc":"2.0","id":' + id + ',"error":{"code":' + code + ',"message":"?"}}\\n');
		 const { createInterface } = require("node:readline");
		 const asked = [];
		 createInterface({ input: process.stdin }).on("line", (line) => {
			const { id, method } = JSON.parse(line);
			asked.push(method);
			if (method === "asked") say(id, JSON.stringify(asked));
			else { ${body} }
		 });`,
	];
}

for (const [what, body, era, asked] of [
	[
		"refuses the probe with an error of its own",
		"if (method === 'server/discover') refuse(id, -32000); else if (method === 'initialize') say(id, initialized);",
		"legacy",
		["server/discover", "initialize", "notifications/initialized", "asked"],
	],
	[
		"ends when it is probed",
		"if (method === 'server/discover') process.exit(1); else if (method === 'initialize') say(id, initialized);",
		"legacy",
		["initialize", "notifications/initialized", "asked"],
	],
	[
		"answers the probe after a second",
		"if (method === 'server/discover') setTimeout(() => say(id, discovered), 1000); else refuse(id, -32601);",
		"modern",
		["server/discover", "asked"],
	],
] as const)
	test(`stdio: the era of a server that ${what} is ${era}`, async () => {
		const upstream = pool.upstream(
			`s-${pool.folder.length}${what.length}`,
			asCommand(scripted(body)),
		);
		expect(await upstream.facts()).toMatchObject({ era });
		expect(JSON.parse((await ask(upstream, "asked")).text)).toEqual([...asked]);
	});

test("stdio: a server that is silent until initialised is asked the other way after 3 s, and remembered", async () => {
	const upstream = pool.upstream(
		"silent",
		asCommand(
			scripted(
				"if (method === 'initialize') say(id, initialized); else if (method === 'die') process.exit(1);",
			),
		),
	);
	expect(await upstream.facts()).toMatchObject({ era: "legacy" });
	await ask(upstream, "die").catch(() => {});
	const started = performance.now();
	expect(JSON.parse((await ask(upstream, "asked")).text)[0]).toBe("initialize");
	expect(performance.now() - started).toBeLessThan(2000);
}, 10_000);

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { listCatalogue } from "../../src/packages/catalogue.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";

setDefaultTimeout(30_000);

let gateway: Gateway;
beforeAll(async () => {
	gateway = await startGateway();
});
afterAll(() => gateway?.stop());

test("the catalogue is listed, for people and for scripts", async () => {
	const text = await gateway.cli(["servers", "catalogue"]);
	expect(text).toContain("github           a key");
	const { catalogue } = JSON.parse(
		await gateway.cli(["servers", "catalogue", "--json"]),
	);
	expect(catalogue).toEqual(JSON.parse(JSON.stringify(listCatalogue())));
});

test("an entry is added by its id, with what it declares and what is given", async () => {
	await gateway.cli([
		...["servers", "add", "code", "--from-catalogue", "github"],
		...["--header", "X-MCP-Readonly: true", "--access", "admins", "--disabled"],
	]);
	const { server } = JSON.parse(
		await gateway.cli(["servers", "show", "code", "--json"]),
	);
	expect(server).toMatchObject({
		access: "admins",
		enabled: false,
		transport: {
			url: "https://api.githubcopilot.com/mcp/",
			headers: { "X-MCP-Readonly": "true" },
		},
		slots: [
			{
				name: "AUTHORIZATION",
				injection: "header",
				personal: true,
				optional: false,
			},
		],
	});
});

test.each([
	["an unknown id", ["githb"], 3, "did you mean github"],
	["a missing setting", ["files"], 2, "give it at the end: -- /srv/shared"],
	[
		"a choice that is none",
		["github", "--header", "X-MCP-Readonly: maybe"],
		2,
		"give it with --header 'X-MCP-Readonly: VALUE'",
	],
])(
	"%s is refused with what to do",
	async (_, [id = "", ...more], code, hint) => {
		const result = await gateway.tryCli([
			...["servers", "add", "one", "--from-catalogue", id],
			...more,
		]);
		expect(result.code).toBe(code);
		expect(result.stderr).toContain(hint);
	},
);

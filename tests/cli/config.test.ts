/** `sallyport config show`, of a gateway that runs. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Gateway, startGateway } from "../support/gateway.ts";

setDefaultTimeout(30_000);

let gateway: Gateway;
beforeAll(async () => {
	gateway = await startGateway();
});
afterAll(() => gateway?.stop());

test("the settings in force are those of the service, with where each comes from when that is asked for", async () => {
	const rows = (await gateway.cli(["config", "show", "--origin"]))
		.trim()
		.split("\n")
		.map((line) => line.split(/ {2,}/));
	expect(rows).toContainEqual(["data_dir", gateway.dataDir, "flag"]);
	expect(rows).toContainEqual(["log_level", "error", "flag"]);
	expect(rows).toContainEqual(["tls", "off", "default"]);
	const { configuration } = JSON.parse(
		await gateway.cli(["config", "show", "--json"]),
	);
	const names = configuration.map(({ name }: { name: string }) => name);
	expect(names).toEqual(rows.slice(1).map(([name]) => name));
	expect(await gateway.cli(["config", "show"])).not.toContain("ORIGIN");
});

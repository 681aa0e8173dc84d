import { expect, test } from "bun:test";
import * as z from "zod";
import { NewServer } from "../../src/api/server-body.ts";
import {
	CATALOGUE_KINDS,
	findCatalogueEntry,
	listCatalogue,
} from "../../src/packages/catalogue.ts";
import {
	type DeclaredInput,
	settleDeclaration,
	slotName,
} from "../../src/packages/declaration.ts";
import { isSecretName } from "../../src/store/servers.ts";

const line = z
	.string()
	.min(1)
	.max(160)
	.regex(/^\S.*\S$/);
const https = z.url({ protocol: /^https$/ });

const Entry = z.strictObject({
	id: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
	name: line,
	kind: z.enum(CATALOGUE_KINDS),
	summary: line.regex(/\.$/),
	way: z.discriminatedUnion("kind", [
		z.strictObject({ kind: z.literal("remote"), url: https }),
		z.strictObject({
			kind: z.literal("npm"),
			package: z.string().regex(/^(@[a-z0-9-]+\/)?[a-z0-9.-]+$/),
			version: z.string().regex(/^\d+\.\d+\.\d+$/),
			args: z.array(line),
		}),
	]),
	signIn: z.enum(["none", "key", "oauth"]),
	inputs: z.array(
		z.strictObject({
			key: line,
			kind: z.enum(["env", "header", "argument"]),
			target: z.string(),
			label: line,
			help: z.union([z.literal(""), line.regex(/\.$/)]),
			secret: z.boolean(),
			personal: z.boolean(),
			required: z.boolean(),
			fallback: z.string(),
			choices: z.array(line),
			placeholder: z.string(),
			format: z.enum(["string", "number", "boolean"]),
			multiple: z.boolean(),
			prefix: z.string(),
			link: https.nullable(),
		}),
	),
	fixed: z.strictObject({ env: z.object({}), headers: z.object({}) }),
	docs: https.nullable(),
});

/** Something that fits. */
function valueFor(input: DeclaredInput): string {
	return input.choices[0] ?? (input.kind === "argument" ? "/srv" : "value");
}

test("about forty entries, each under an id of its own", () => {
	const ids = listCatalogue().map(({ id }) => id);
	expect(ids.length).toBeGreaterThanOrEqual(40);
	expect(new Set(ids).size).toBe(ids.length);
	expect(findCatalogueEntry("github")?.name).toBe("GitHub");
	expect(findCatalogueEntry("nothing")).toBeNull();
});

for (const entry of listCatalogue())
	test(`${entry.id} is whole, and its form becomes a server that the API takes`, () => {
		Entry.parse(entry);
		for (const input of entry.inputs) {
			if (input.kind !== "argument" && isSecretName(input.target))
				expect(input.secret, input.target).toBe(true);
			if (input.secret) expect(input.link, input.target).not.toBeNull();
		}
		expect(entry.signIn === "key").toBe(
			entry.inputs.some(({ secret }) => secret),
		);
		const { settings, secrets, problems } = settleDeclaration(entry, (key) => {
			const input = entry.inputs.find((one) => one.key === key);
			return input ? valueFor(input) : "";
		});
		expect([...problems]).toEqual([]);
		NewServer.parse({ name: entry.id, ...settings });
		for (const { secret, target, prefix } of entry.inputs)
			if (secret) expect(secrets.get(slotName(target))).toBe(`${prefix}value`);
	});

/** The form that is made from a declaration, which a stranger may have written. */
import { expect, test } from "bun:test";
import {
	type Declaration,
	declareInput,
} from "../../src/packages/declaration.ts";
import { declaredServerPage } from "../../src/web/setup/server.tsx";

const FEW = ["low", "high"];
const MANY = ["a", "b", "c", "d", "e"];

async function formOf(
	inputs: Declaration["inputs"],
	more: Partial<Declaration> = {},
): Promise<string> {
	return declaredServerPage({
		csrf: "c",
		slug: "some",
		source: { from: "some" },
		typed: (key) => (key === "env:PLAIN" ? "typed" : null),
		declaration: {
			name: "Some",
			summary: "",
			way: { kind: "npm", package: "some", version: "1.0.0", args: [] },
			signIn: "none",
			inputs,
			fixed: { env: {}, headers: {} },
			docs: null,
			...more,
		},
	}).text();
}

const input = (
	target: string,
	more: Partial<Parameters<typeof declareInput>[0]> = {},
) => declareInput({ kind: "env", target, label: target, ...more });

test("each kind of input gets the field that fits it", async () => {
	const html = await formOf([
		input("API_KEY", { required: true }),
		input("PLAIN"),
		input("FEW", { choices: FEW, fallback: "high" }),
		input("MANY", { choices: MANY }),
		input("LINES", { multiple: true }),
		input("SWITCH", { format: "boolean" }),
		input("COUNT", { format: "number" }),
	]);
	expect(html).toMatch(
		/<input[^>]*name="env:API_KEY"[^>]*required[^>]*type="password"/,
	);
	expect(html).toMatch(/<input[^>]*name="env:PLAIN"[^>]*value="typed"/);
	expect(html.match(/type="radio" name="env:FEW"/g)).toHaveLength(2);
	expect(html).toMatch(/name="env:FEW" value="high" checked/);
	expect(html).toMatch(/<select[^>]*name="env:MANY"/);
	expect(html).toMatch(/<textarea[^>]*name="env:LINES"/);
	expect(html.match(/type="radio" name="env:SWITCH"/g)).toHaveLength(2);
	expect(html).toMatch(/name="env:COUNT"[^>]*inputmode="decimal"/i);
});

test("what a stranger wrote is text, and a link is one only if it is https", async () => {
	const html = await formOf([
		input("X", {
			label: "<img src=x onerror=alert(1)>",
			help: "<script>alert(1)</script>",
			fallback: '"><b>',
		}),
	]);
	expect(html).not.toContain("<img src=x");
	expect(html).not.toContain("<script>alert");
	expect(html).not.toContain('"><b>');
});

test("a secret is never given back, and says whose it is", async () => {
	const html = await formOf([
		input("MY_TOKEN", { personal: true, fallback: "default" }),
	]);
	expect(html).not.toContain('value="default"');
	expect(html).toContain("Yours alone");
});

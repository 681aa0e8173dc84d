/** The page of one server: its rules. Switches, names and changes are `e2e/tool-pages.test.ts`. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createServer, requireServer } from "../../src/store/servers.ts";
import {
	type Authority,
	type Browser,
	csrfOf,
	openAuthority,
	openBrowser,
	signIn,
} from "../oauth/authority.ts";

const PATH = "/tools/notes";

let authority: Authority;
let browser: Browser;

beforeEach(async () => {
	authority = await openAuthority();
	browser = openBrowser(authority);
	await signIn(browser);
	createServer(
		authority.db,
		"notes",
		{
			transport: { kind: "command", command: "notes", args: [], env: {} },
			slots: [],
			access: "everyone",
			tools: null,
			enabled: false,
		},
		authority.now(),
	);
});
afterEach(() => authority.stop());

async function send(fields: Record<string, string>): Promise<Response> {
	const csrf = csrfOf(await (await browser.get(PATH)).text());
	return browser.post(PATH, { ...fields, csrf });
}

function rules(): readonly unknown[] {
	const { pinning, resultBytesMax } = requireServer(authority.db, "notes");
	return [pinning, resultBytesMax];
}

test("rules are kept, an empty limit is none, and who changed them is written down", async () => {
	const saved = await send({ save: "yes", pinning: "off", limit: "60000" });
	expect(saved.headers.get("Location")).toBe(`${PATH}?saved`);
	expect(rules()).toEqual(["off", 60_000]);
	await send({ save: "yes", pinning: "hold", limit: "" });
	expect(rules()).toEqual(["hold", null]);
	expect(
		authority.db
			.query("SELECT action, object, detail FROM audit ORDER BY id DESC")
			.get(),
	).toEqual({
		action: "server.change",
		object: "notes",
		detail: "pinning,resultBytesMax",
	});
});

test.each(["999", "1000001", "1000.5", "many", "-1"])(
	"a limit of %s is refused, and nothing is changed",
	async (limit) => {
		const answer = await send({ save: "yes", pinning: "off", limit });
		expect(answer.status).toBe(400);
		expect(await answer.text()).toContain("a number of bytes");
		expect(rules()).toEqual(["hold", null]);
	},
);

test("rules are changed only by someone who proved who they are a moment ago", async () => {
	authority.advance(16 * 60);
	const answer = await send({ save: "yes", pinning: "off", limit: "" });
	expect(answer.headers.get("Location")).toBe(
		`/reauthenticate?next=${encodeURIComponent(PATH)}`,
	);
	expect(rules()).toEqual(["hold", null]);
});

test.each([
	["starting it anew", { restart: "yes" }],
	["other rules", { save: "yes", pinning: "off", limit: "" }],
])(
	"%s waits until another change of the server is done, as over the API",
	async (_, fields) => {
		{
			using _lease = authority.lease("notes");
			const answer = await send(fields);
			expect(answer.status).toBe(409);
			expect(await answer.text()).toContain(
				"The server notes is being changed by someone else.",
			);
			expect(rules()).toEqual(["hold", null]);
		}
		const { headers } = await send({ save: "yes", pinning: "off", limit: "" });
		expect(headers.get("Location")).toBe(`${PATH}?saved`);
	},
);

test("a server that is disabled is not started anew", async () => {
	const answer = await send({ restart: "yes" });
	expect(answer.status).toBe(409);
	expect(await answer.text()).toContain("The server notes is disabled.");
});

/** The verdict on each way an attempt can end, and what is known of the client it ended with. */
import { describe, expect, test } from "bun:test";
import {
	KNOWN_CLIENTS,
	knownClientNamed,
	knownClientOf,
	vendorOfAgent,
} from "../../src/ops/client-quirks.ts";
import {
	judgeAbsence,
	judgeAttempt,
	type Verdict,
} from "../../src/ops/connection-doctor.ts";
import { type RecordedStep, STEPS } from "../../src/store/timeline.ts";

const LATER = 10_000;

/** An attempt by its steps: `token`, `login?` (waiting), `token!expired` (refused, with its reason). */
function judge(
	words: string,
	options: { client?: string; used?: boolean; now?: number } = {},
): Verdict {
	const steps = words.split(", ").map((word, at): RecordedStep => {
		const [, step, mark, detail] = /^(\w+)([?!]?)(.*)$/.exec(word) ?? [];
		return {
			at,
			step: step as RecordedStep["step"],
			outcome: mark === "?" ? "waiting" : mark === "!" ? "refused" : "ok",
			detail: detail || null,
			clientId: "cli_a",
			userId: null,
			grantId: step === "token" ? "grt_a" : null,
			address: "192.0.2.1",
			agent: "",
		};
	});
	return judgeAttempt(
		{ clientId: "cli_a", steps },
		options.client === undefined ? null : knownClientNamed(options.client),
		options.now ?? LATER,
		() => options.used ?? false,
	);
}

describe("how an attempt ends", () => {
	const all =
		"challenge, metadata, registration, authorize, login, consent, code, token";
	const cases: readonly [string, Verdict["state"], Verdict["step"], RegExp][] =
		[
			[`${all}, mcp`, "connected", "mcp", /has called/],
			[`${all}, mcp, refresh`, "connected", "refresh", /renewed/],
			["challenge", "silent", "challenge", /did not look for the sign-in/],
			["challenge, metadata", "silent", "metadata", /did not register/],
			[
				"challenge, metadata, registration",
				"silent",
				"registration",
				/sign-in page/,
			],
			["registration?", "waiting", "registration", /administrator/],
			["registration, authorize?", "waiting", "authorize", /administrator/],
			["authorize, login?", "waiting", "login", /nobody has signed in/],
			[
				"authorize, login, consent?",
				"waiting",
				"consent",
				/nobody has decided/,
			],
			["authorize, login, consent!", "refused", "consent", /Not now/],
			[
				"authorize, consent, code",
				"silent",
				"code",
				/never came for its tokens/,
			],
			[all, "silent", "token", /Everything the gateway does/],
			["code, token!wrong verifier", "refused", "token", /two sign-ins/],
			["code, token!replayed", "refused", "token", /too late or twice/],
			["mcp, refresh!reused", "refused", "refresh", /earlier generation/],
			["token, mcp!POST /mcp 404", "refused", "mcp", /404/],
			[
				"token, mcp, challenge!POST /mcp",
				"refused",
				"challenge",
				/not valid here/,
			],
			[
				"metadata, authorize!the answer would go to an address that this client did not register",
				"refused",
				"authorize",
				/another address than it registered/,
			],
			["document!getaddrinfo ENOTFOUND", "refused", "document", /ENOTFOUND/],
		];
	for (const [words, state, step, text] of cases)
		test(`${words} is ${state} at ${step}`, () => {
			const verdict = judge(words);
			expect({ state: verdict.state, step: verdict.step }).toEqual({
				state,
				step,
			});
			expect(verdict.text).toMatch(text);
			if (state !== "connected") expect(verdict.remedy).toBeTruthy();
		});
});

test("a client that looks around after it connected is still connected", () => {
	expect(judge("token, mcp, challenge, metadata").state).toBe("connected");
});

test("a client that was seen a moment ago is under way, not silent", () => {
	expect(judge("challenge, metadata", { now: 30 }).state).toBe("under way");
});

test("a first call that only the store remembers counts", () => {
	expect(judge("code, token", { used: true }).state).toBe("connected");
});

test("every step has words for the three ways it can end", () => {
	for (const step of STEPS)
		for (const mark of ["", "?", "!because"]) {
			const verdict = judge(step + mark);
			expect(verdict.text.length, step + mark).toBeGreaterThan(10);
		}
});

describe("what is known of a client is said where it stops", () => {
	const cases: readonly [string, string, RegExp][] = [
		["Claude", "code, token", /never called/],
		["Claude", "challenge, metadata", /port other than 443/],
		["Codex", "consent, code", /0\.143/],
		["Visual Studio Code", "challenge, metadata", /letter for letter/],
		["Cursor", "consent, code", /8787/],
		["mcp-remote", "consent, code, token!wrong verifier", /overwrite/],
		["ChatGPT", "metadata, authorize!x", /outgoing https/],
		["LibreChat", "registration?", /clients approve/],
		["Zed", "challenge, metadata", /192\.168/],
	];
	for (const [client, words, note] of cases)
		test(`${client}: ${words}`, () => {
			expect(judge(words, { client }).notes.join(" ")).toMatch(note);
		});
	test("and not once it is connected", () => {
		expect(judge("token, mcp", { client: "Claude" }).notes).toEqual([]);
	});
});

test("a missing outgoing https is named for clients with documents", () => {
	const { text, remedy } = judge("document!getaddrinfo ENOTFOUND zed.dev");
	expect(text).toContain("description");
	expect(remedy).toContain("--documents off");
});

test("a client of which nothing ever arrived is told by where it would come from", () => {
	const url = "https://gw.example";
	const hosted = judgeAbsence(
		"claude",
		knownClientNamed("claude.ai") ?? knownClientNamed("Claude"),
		url,
	);
	expect(hosted.remedy).toContain("port 443");
	const local = judgeAbsence("zed", knownClientNamed("zed"), url);
	expect(local.remedy).toContain(`${url}/mcp`);
	expect(judgeAbsence("other", null, url).text).toContain("other");
});

describe("a client is recognised", () => {
	const looks = { id: null, name: "", redirectUris: [], agents: [] };
	test("by its document before its name", () => {
		const id = "https://claude.ai/oauth/claude-code-client-metadata";
		expect(knownClientOf({ ...looks, id, name: "Claude" })?.name).toBe(
			"Claude Code",
		);
	});
	test("by its callback before its name", () => {
		const redirectUris = ["cursor://anysphere.cursor-mcp/oauth/callback"];
		expect(knownClientOf({ ...looks, redirectUris, name: "x" })?.name).toBe(
			"Cursor",
		);
	});
	test("by its program, when it never said who it is", () => {
		expect(vendorOfAgent("Claude-User")).toBe("Claude");
		expect(vendorOfAgent("python-httpx/0.28.1")).toBe("Claude");
		expect(vendorOfAgent("Mozilla/5.0")).toBeNull();
	});
	test("each under a name of its own", () => {
		const names = KNOWN_CLIENTS.map(({ name }) => name);
		expect(new Set(names).size).toBe(names.length);
		for (const name of names) expect(knownClientNamed(name)?.name).toBe(name);
	});
});

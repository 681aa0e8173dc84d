/** Which steps are one attempt: by client id, and before there is one by network, program and time. */
import { expect, test } from "bun:test";
import { attemptsOf } from "../../src/ops/timeline.ts";
import type { RecordedStep } from "../../src/store/timeline.ts";

const BROWSER = "Mozilla/5.0";

/** `at step@address agent [client]`, one step. */
function step(
	at: number,
	name: RecordedStep["step"],
	address: string,
	agent: string,
	clientId: string | null = null,
): RecordedStep {
	return {
		at,
		step: name,
		outcome: "ok",
		detail: null,
		clientId,
		userId: null,
		grantId: null,
		address,
		agent,
	};
}

function shape(steps: readonly RecordedStep[]): readonly string[] {
	return attemptsOf(steps).map(
		({ clientId, steps: own }) =>
			`${clientId}: ${own.map((one) => one.step).join(" ")}`,
	);
}

test("what a program did before it registered belongs to the client it became", () => {
	expect(
		shape([
			step(1, "challenge", "192.0.2.1", "cursor"),
			step(2, "metadata", "192.0.2.1", "cursor"),
			step(3, "registration", "192.0.2.1", "cursor", "cli_a"),
			step(9, "authorize", "192.0.2.1", BROWSER, "cli_a"),
			step(30, "token", "192.0.2.1", "cursor", "cli_a"),
			step(31, "mcp", "192.0.2.1", "cursor", "cli_a"),
		]),
	).toEqual(["cli_a: challenge metadata registration authorize token mcp"]);
});

test("two programs at one address are two attempts", () => {
	expect(
		shape([
			step(1, "challenge", "192.0.2.1", "cursor"),
			step(2, "challenge", "192.0.2.1", "zed"),
			step(3, "registration", "192.0.2.1", "cursor", "cli_a"),
			step(4, "registration", "192.0.2.1", "zed", "cli_b"),
		]),
	).toEqual(["cli_b: challenge registration", "cli_a: challenge registration"]);
});

test("a hosted client with a document, two names and neighbouring addresses is one attempt once it comes for its tokens", () => {
	const id = "https://claude.ai/oauth/mcp-oauth-client-metadata";
	expect(
		shape([
			step(1, "challenge", "160.79.106.34", "Claude-User"),
			step(2, "metadata", "160.79.106.36", "python-httpx/0.28.1"),
			step(5, "document", "203.0.113.9", BROWSER, id),
			step(5, "authorize", "203.0.113.9", BROWSER, id),
			step(20, "code", "203.0.113.9", BROWSER, id),
			step(21, "token", "160.79.106.36", "python-httpx/0.28.1", id),
			step(22, "mcp", "160.79.106.34", "Claude-User", id),
		]),
	).toEqual([`${id}: challenge metadata document authorize code token mcp`]);
});

test("the page that is opened where a client asked belongs to that client", () => {
	expect(
		shape([
			step(1, "challenge", "192.0.2.1", "zed"),
			step(2, "metadata", "192.0.2.1", "zed"),
			step(3, "document", "192.0.2.1", BROWSER, "https://zed.dev/c.json"),
			step(3, "authorize", "192.0.2.1", BROWSER, "https://zed.dev/c.json"),
		]),
	).toEqual(["https://zed.dev/c.json: challenge metadata document authorize"]);
});

test("after a quarter of an hour of silence, and after its tokens, a client tries anew", () => {
	expect(
		shape([
			step(1, "registration", "192.0.2.1", "c", "cli_a"),
			step(2, "authorize", "192.0.2.1", BROWSER, "cli_a"),
			step(2000, "authorize", "192.0.2.1", BROWSER, "cli_a"),
			step(2001, "token", "192.0.2.1", "c", "cli_a"),
			step(2100, "authorize", "192.0.2.1", BROWSER, "cli_a"),
		]),
	).toEqual([
		"cli_a: authorize",
		"cli_a: authorize token",
		"cli_a: registration authorize",
	]);
});

test("two registrations of one program in a moment are one try, whichever of them is used", () => {
	for (const used of ["cli_a", "cli_b"])
		expect(
			shape([
				step(1, "registration", "192.0.2.1", "c", "cli_a"),
				step(2, "registration", "192.0.2.1", "c", "cli_b"),
				step(9, "authorize", "192.0.2.9", BROWSER, used),
			]),
		).toEqual([`${used}: registration registration authorize`]);
});

test("a challenge elsewhere, later, is somebody else's", () => {
	expect(
		shape([
			step(1, "challenge", "192.0.2.1", "c"),
			step(2, "challenge", "198.51.100.1", "c"),
			step(5000, "challenge", "192.0.2.1", "c"),
		]),
	).toEqual(["null: challenge", "null: challenge", "null: challenge"]);
});

test("one attempt keeps its newest steps only", () => {
	const many = Array.from({ length: 300 }, (_, at) =>
		step(at, "challenge", "192.0.2.1", "c"),
	);
	const [attempt] = attemptsOf(many);
	expect(attempt?.steps).toHaveLength(100);
	expect(attempt?.steps.at(-1)?.at).toBe(299);
});

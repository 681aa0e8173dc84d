import { expect, test } from "bun:test";
import { createChallenges } from "../../src/tls/challenges.ts";

const NAME = { type: "dns", value: "gate.example.org" } as const;
const PATH = "/.well-known/acme-challenge/";

function ask(
	challenges: ReturnType<typeof createChallenges>,
	url: string,
	method = "GET",
): Response {
	const handler = challenges.handler((host) =>
		host === "unknown.example" ? null : "https://gate.example.org",
	);
	return handler(new Request(url, { method }));
}

test("a pending challenge is answered for its name and token, and no longer once it is over (RFC 8555 8.3)", async () => {
	const challenges = createChallenges();
	const stop = challenges.answer(NAME, "token", "token.thumbprint");
	const url = `http://gate.example.org${PATH}token`;
	const answer = await ask(challenges, url);
	expect(await answer.text()).toBe("token.thumbprint");
	expect(answer.headers.get("content-type")).toBe("application/octet-stream");
	expect(
		(
			await ask(
				challenges,
				"http://GATE.example.org:8080/.well-known/acme-challenge/token",
			)
		).status,
	).toBe(200);
	stop();
	expect((await ask(challenges, url)).status).toBe(404);
});

test.each([
	["another name", `http://other.example.org${PATH}token`],
	["another token", `http://gate.example.org${PATH}other`],
	["a path below it", `http://gate.example.org${PATH}token/more`],
	["the folder", `http://gate.example.org${PATH}`],
])("%s proves nothing", async (_what, url) => {
	const challenges = createChallenges();
	challenges.answer(NAME, "token", "token.thumbprint");
	const answer = await ask(challenges, url);
	expect(answer.status).toBe(404);
	expect(await answer.text()).not.toContain("thumbprint");
});

test("a challenge for an IPv6 address is found in its short spelling (RFC 8738 4)", async () => {
	const challenges = createChallenges();
	challenges.answer({ type: "ip", value: "2001:db8::1" }, "token", "proof");
	const answer = await ask(
		challenges,
		`http://[2001:db8:0:0:0:0:0:1]${PATH}token`,
	);
	expect(await answer.text()).toBe("proof");
});

test("everything else is sent to https, with its path and query", async () => {
	const answer = await ask(
		createChallenges(),
		"http://anything.example/mcp?a=b",
	);
	expect(answer.status).toBe(308);
	expect(answer.headers.get("location")).toBe(
		"https://gate.example.org/mcp?a=b",
	);
});

test("a path that looks like another host stays a path", async () => {
	const answer = await ask(
		createChallenges(),
		"http://anything.example//evil.example/",
	);
	expect(new URL(answer.headers.get("location")!).origin).toBe(
		"https://gate.example.org",
	);
});

test("only GET and HEAD are redirected: a body must not be sent twice", async () => {
	const answer = await ask(
		createChallenges(),
		"http://gate.example.org/token",
		"POST",
	);
	expect(answer.status).toBe(400);
	expect(answer.headers.get("location")).toBeNull();
});

test("before there is an https address, a fixed text", async () => {
	const answer = await ask(createChallenges(), "http://unknown.example/");
	expect(answer.status).toBe(404);
	expect(await answer.text()).not.toContain("unknown.example");
});

/** C. Refresh tokens (research/oauth.md 5, 31–40). */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { parseCredential } from "../../src/mint.ts";
import {
	type Client,
	OWNER,
	openBrowser,
	refresh,
	register,
	signIn,
	signInClient,
	type TokenAnswer,
} from "../oauth/authority.ts";
import { startGateway } from "../support/gateway.ts";
import { describeWith, executable } from "../support/tools.ts";
import { advance, IS_EXECUTABLE, openTarget, type Target } from "./target.ts";

setDefaultTimeout(30_000);

let target: Target;

beforeAll(async () => {
	target = await openTarget();
});
afterAll(() => target?.stop());

type Family = { readonly client: Client; readonly tokens: TokenAnswer };

function begin(
	changes: Readonly<Record<string, string | null>> = {},
): Promise<Family> {
	return signInClient(target, changes);
}

test("31: a lost answer is given again", async () => {
	const { client, tokens } = await begin();
	const lost = await refresh(target, client, tokens.refresh_token);
	const again = await refresh(target, client, tokens.refresh_token);
	expect(again.refresh_token).toBe(lost.refresh_token);
	expect(lost.refresh_token).not.toBe(tokens.refresh_token);
	expect(await target.use(again.access_token)).toBe(200);
	expect((await refresh(target, client, again.refresh_token)).status).toBe(200);
});

test("32: twenty at once make one successor", async () => {
	const { client, tokens } = await begin();
	const answers = await Promise.all(
		Array.from({ length: 20 }, () =>
			refresh(target, client, tokens.refresh_token),
		),
	);
	for (const name of ["refresh_token", "access_token"] as const)
		expect(new Set(answers.map((answer) => answer[name])).size).toBe(1);
});

test("33: an old token within ten minutes is refused, and the family lives", async () => {
	const { client, tokens } = await begin();
	const second = await refresh(target, client, tokens.refresh_token);
	const third = await refresh(target, client, second.refresh_token);
	advance(61);
	const old = await refresh(target, client, tokens.refresh_token);
	expect(old.error).toBe("invalid_grant");
	expect(await target.use(third.access_token)).toBe(200);
	expect((await refresh(target, client, third.refresh_token)).status).toBe(200);
});

test("34, 35: a token older than that, as a thief's victim would present it, ends the family", async () => {
	const { client, tokens } = await begin();
	// The thief refreshes, and again; the victim comes later with what it has.
	const stolen = await refresh(target, client, tokens.refresh_token);
	const further = await refresh(target, client, stolen.refresh_token);
	advance(601);
	const victim = await refresh(target, client, tokens.refresh_token);
	expect(victim.error).toBe("invalid_grant");
	expect(await target.use(further.access_token)).toBe(401);
	const thief = await refresh(target, client, further.refresh_token);
	expect(thief.error).toBe("invalid_grant");
});

test("36: a wider scope is refused, a narrower one works and may widen again", async () => {
	const { client, tokens } = await begin({ scope: "mcp:a mcp:ab" });
	expect(tokens.scope.split(" ").sort()).toEqual(["mcp:a", "mcp:ab"]);
	const wider = await refresh(target, client, tokens.refresh_token, {
		scope: "mcp",
	});
	expect(wider.error).toBe("invalid_scope");
	const narrow = await refresh(target, client, tokens.refresh_token, {
		scope: "mcp:a",
	});
	expect(narrow.scope).toBe("mcp:a");
	const wide = await refresh(target, client, narrow.refresh_token);
	expect(wide.scope.split(" ").sort()).toEqual(["mcp:a", "mcp:ab"]);
});

test("37: another resource rotates nothing", async () => {
	const { client, tokens } = await begin();
	for (const resource of [
		`${target.issuer}/mcp/a`,
		"https://evil.example/mcp",
	]) {
		const other = await refresh(target, client, tokens.refresh_token, {
			resource,
		});
		expect(other.error, resource).toBe("invalid_target");
	}
	const good = await refresh(target, client, tokens.refresh_token);
	expect(good.status).toBe(200);
	const again = await refresh(target, client, tokens.refresh_token);
	expect(again.refresh_token).toBe(good.refresh_token);
});

test("38: after its client was removed, or the person ended it", async () => {
	const removed = await begin();
	await target.gateway.cli([
		...["clients", "revoke", removed.client.client_id, "--yes"],
	]);
	const gone = await refresh(
		target,
		removed.client,
		removed.tokens.refresh_token,
	);
	expect(gone.error).toBe("invalid_client");
	expect(await target.use(removed.tokens.access_token)).toBe(401);

	const ended = await begin();
	const browser = openBrowser(target);
	await signIn(browser, OWNER);
	const html = await (await browser.get("/clients")).text();
	const csrf = /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? "";
	await browser.post("/clients", { csrf, revoke: "all" });
	expect(await target.use(ended.tokens.access_token)).toBe(401);
	const after = await refresh(target, ended.client, ended.tokens.refresh_token);
	expect(after.error).toBe("invalid_grant");
});

test("a refresh token is refused to another client, and costs its own nothing", async () => {
	const { client, tokens } = await begin();
	const other = await register(target);
	const theirs = await refresh(target, other, tokens.refresh_token);
	expect(theirs.error).toBe("invalid_grant");
	expect((await refresh(target, client, tokens.refresh_token)).status).toBe(
		200,
	);
});

/** A thousand in CI, which is two minutes; elsewhere a handful, or as many as one asks for. */
const CRASHES = Number(
	Bun.env["ATTACK_CRASHES"] ??
		(IS_EXECUTABLE && Bun.env["CI"] === "true" ? 1000 : 5),
);

describeWith([executable()], "39: kill -9 during a refresh", () => {
	test(`leaves the old or the new token good, ${CRASHES} times`, async () => {
		const gateway = await startGateway({ compiled: true });
		try {
			const place = {
				issuer: gateway.url,
				send: (path: string, init: RequestInit = {}) =>
					fetch(new URL(path, gateway.url), { ...init, redirect: "manual" }),
			};
			const { client, tokens } = await signInClient(place);
			let held = tokens.refresh_token;
			for (let crash = 0; crash < CRASHES; crash++) {
				const answer = refresh(place, client, held).catch(() => null);
				// Some die before the write, some between write and answer, some after.
				await Bun.sleep(crash % 4);
				await gateway.kill();
				const received = await answer;
				await gateway.restart();
				const next = received?.refresh_token ?? held;
				expect(parseCredential("refresh", next)).not.toBeNull();
				const after = await refresh(place, client, next);
				expect(after.status, `crash ${crash}`).toBe(200);
				held = after.refresh_token;
			}
		} finally {
			await gateway.stop();
		}
	}, 900_000);
});

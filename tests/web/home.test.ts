/** The first page after signing in. */
import { afterEach, expect, test } from "bun:test";
import { createUser } from "../../src/store/users.ts";
import { homePage } from "../../src/web/dashboard/home.tsx";
import { signIn as startLogin } from "../../src/web/visitor.ts";
import {
	type Authority,
	openAuthority,
	openBrowser,
	signIn,
} from "../oauth/authority.ts";

let authority: Authority | null = null;
afterEach(() => {
	authority?.stop();
	authority = null;
});

const NOTICE = {
	isUrgent: true,
	text: "The certificate of gate.example.org ends within a day.",
};

test("administrators read what is wrong with a certificate before anything else; members do not", async () => {
	authority = await openAuthority({ notices: [NOTICE] });
	const owner = openBrowser(authority);
	await signIn(owner);
	const html = await (await owner.get("/")).text();
	expect(html).toContain('class="notice danger"');
	expect(html.indexOf(NOTICE.text)).toBeLessThan(html.indexOf("<h1>"));

	const { id } = createUser(
		authority.db,
		{ email: "ada@example.org", role: "member", passwordHash: null },
		authority.now(),
	);
	const [cookie = ""] = startLogin(
		authority.deps,
		new Request("https://gw.example/"),
		id,
		"password",
	);
	const answer = await authority.send("/", {
		headers: { cookie: cookie.split(";")[0] ?? "" },
	});
	expect(answer.status).toBe(200);
	expect(await answer.text()).not.toContain(NOTICE.text);
});

test("of a certificate its owner is told once, with where to look, and not that all is well", async () => {
	const html = await homePage({
		issuer: "https://gw.example",
		email: "owner@example.org",
		slugs: [],
		toolsets: [],
		csrf: "",
		apiToken: "",
		hasNews: false,
		managesPeople: true,
		notices: [NOTICE],
		overview: {
			state: "good",
			text: "All 2 servers are healthy.",
			next: null,
		},
	}).text();
	expect(html.split(/certificate/i)).toHaveLength(3); // the notice's word and its sentence
	expect(html).toContain('href="/setup/address"');
	expect(html).not.toContain("All well");
});

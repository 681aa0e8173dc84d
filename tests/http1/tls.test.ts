import { afterAll, beforeAll, expect, test } from "bun:test";
import { createEgress } from "../../src/egress.ts";
import { awaited } from "../../src/http1/exchange.ts";
import type { Request1 } from "../../src/http1/request.ts";
import { createAuthority } from "../support/authority.ts";
import { type RawServer, startRaw, whole } from "./raw-server.ts";

let server: RawServer;
let ca = "";

beforeAll(async () => {
	const authority = await createAuthority(["good.test"]);
	ca = authority.ca;
	server = startRaw(({ write }, request) => {
		write(whole(/host: (\S+)/.exec(request)?.[1] ?? ""));
	}, authority.certificate);
});
afterAll(() => server.stop());

/** What a request to this host, which is the test's own server, comes to. */
async function asked(host: string, trusted?: string): Promise<string> {
	const egress = createEgress({
		allowPrivate: ["127.0.0.0/8"],
		lookup: async () => ["127.0.0.1"],
		...(trusted !== undefined && { ca: trusted }),
	});
	const url = new URL(server.url);
	const client = egress.openClient(`https://${host}:${url.port}/mcp`);
	try {
		const request: Request1 = {
			method: "GET",
			headers: egress.headers({}),
			timeoutMs: 5000,
			repeatable: true,
		};
		const { answer } = awaited((to) => client.send(request, to));
		return Buffer.from((await answer).whole ?? []).toString();
	} catch (error) {
		return (error as Error).message;
	} finally {
		client.close();
	}
}

test("over TLS the certificate is verified for the name that was asked for, at the address that was judged", async () => {
	expect(await asked("good.test", ca)).toMatch(/^good\.test:\d+$/);
});

test("a certificate for another name, or by an authority that is not trusted, is not accepted, and nothing is sent", async () => {
	const before = server.requests.length;
	expect(await asked("bad.test", ca)).toContain(
		"its certificate is not accepted (ERR_TLS_CERT_ALTNAME_INVALID)",
	);
	expect(await asked("127.0.0.1", ca)).toContain("ALTNAME_INVALID");
	expect(await asked("good.test")).toMatch(/its certificate is not accepted/);
	expect(server.requests.length).toBe(before);
});

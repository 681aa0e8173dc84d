/** What every route has in common: envelopes, statuses, bounds, and who may ask. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mintCredential } from "../../src/mint.ts";
import { createFixture, type Fixture, SOCKET } from "./fixture.ts";

let fixture: Fixture;
beforeEach(() => {
	fixture = createFixture();
});
afterEach(() => fixture.close());

const SERVERS = "/api/mcp/servers";
const JSON_TYPE = { "Content-Type": "application/json" };

async function post(
	headers: Record<string, string>,
	body: RequestInit["body"],
): Promise<[number, Record<string, unknown>]> {
	const request = new Request(`http://sallyport${SERVERS}`, {
		method: "POST",
		headers,
		...(body ? { body } : {}),
	});
	const response = await fixture.api.handle(request, SOCKET);
	return [response.status, (await response.json()) as Record<string, unknown>];
}

test("success and failure are envelopes that carry the request's id, and that no cache keeps", async () => {
	const get = (path: string): Promise<Response> =>
		fixture.api.handle(new Request(`http://sallyport${path}`), SOCKET, "req_x");
	const good = await get("/api/version");
	expect(await good.json()).toEqual({ success: true, version: "1.2.3" });
	const bad = await get("/api/mcp/servers/nobody");
	expect(bad.status).toBe(404);
	expect(await bad.json()).toEqual({
		success: false,
		error: "there is no server named nobody",
		code: "not_found",
		hint: "sallyport servers list shows their names",
		requestId: "req_x",
	});
	for (const response of [good, bad]) {
		expect(response.headers.get("X-Request-Id")).toBe("req_x");
		expect(response.headers.get("Cache-Control")).toBe("no-store");
		expect(response.headers.get("Content-Type")).toBe("application/json");
	}
});

test.each([
	"/api",
	"/api/",
	"/api/nothing",
	"/api/mcp/servers/",
	"/api/mcp/servers/a/b",
	"/api/mcp/servers/%2e%2e/x",
])("%s is no route: 404 in an envelope", async (path) => {
	const { status, body } = await fixture.send("GET", path);
	expect([status, body["success"], body["code"]]).toEqual([
		404,
		false,
		"not_found",
	]);
});

test("a method that a route does not have is 405, with those it has (RFC 9110 15.5.6)", async () => {
	const response = await fixture.api.handle(
		new Request(`http://sallyport${SERVERS}`, { method: "PATCH" }),
		SOCKET,
	);
	expect(response.status).toBe(405);
	expect(response.headers.get("Allow")).toBe("GET, POST");
	expect(await response.json()).toMatchObject({
		success: false,
		code: "invalid",
	});
});

test.each([
	"text/plain",
	"application/x-www-form-urlencoded",
	"application/jsonp",
	"application/json; charset=latin1",
	"",
])("a body that is said to be %p is 415 (RFC 9110 15.5.16)", async (type) => {
	const [status, body] = await post({ "Content-Type": type }, "{}");
	expect([status, body["success"]]).toEqual([415, false]);
});

test("a body of 6 MB is 413, whether it says its length or not", async () => {
	const chunk = new Uint8Array(1024 * 1024).fill(0x20);
	let sent = 0;
	const endless = new ReadableStream<Uint8Array>({
		pull: (controller) => {
			controller.enqueue(chunk);
			if (++sent === 6) controller.close();
		},
	});
	for (const body of [`{"name":"${"x".repeat(6_000_000)}"}`, endless]) {
		const [status, answer] = await post(JSON_TYPE, body);
		expect([status, answer["code"]]).toEqual([413, "too_large"]);
	}
	expect(sent).toBeLessThan(6);
});

test.each([
	["nothing", ""],
	["half an object", '{"name":'],
	["text after it", '{"name":"a"} x'],
	["a list", "[]"],
	["a duplicate field", '{"name":"a","name":"b"}'],
	["a duplicate field in escapes", '{"name":"a","n\\u0061me":"b"}'],
	["deep nesting", `{"name":${"[".repeat(100_000)}`],
])("a body that is %s is 400, and says what a body is", async (_, text) => {
	const [status, body] = await post(JSON_TYPE, text);
	expect([status, body["code"], body["hint"]]).toEqual([
		400,
		"invalid",
		"the body is one JSON object, in UTF-8",
	]);
});

test("a body that is not UTF-8 is 400", async () => {
	const [status] = await post(
		JSON_TYPE,
		Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
	);
	expect(status).toBe(400);
});

test.each<[unknown, string]>([
	[{ url: "https://x.example" }, "the field name is missing"],
	[{ name: 7, url: "https://x.example" }, "name must be a string"],
	[
		{ name: "Bad_Slug", url: "https://x.example" },
		"name must be 1 to 32 of a-z, 0-9 and -, beginning with a letter",
	],
	[{ name: "a", url: "ftp://canary" }, "url must be an http or https URL"],
	[
		{ name: "a", url: "https://me:canary@x.example" },
		"url must not contain a user or password: declare a slot",
	],
	[
		{ name: "a", mode: "canary", url: "https://x.example" },
		"mode must be one of auto, http, sse",
	],
	[
		{ name: "a", npm: "canary; rm -rf /" },
		"npm must be PACKAGE or PACKAGE@VERSION, the version exact or a tag",
	],
	[{ name: "a", command: "x", args: ["a", 7] }, "args[1] must be a string"],
	[
		{ name: "a", command: "x", args: ["canary\u0000"] },
		"args[0] must not contain a NUL",
	],
	[
		{ name: "a", command: "x", env: { "canary=1": "x" } },
		"env must have names of letters, digits and _",
	],
	[
		{
			name: "a",
			url: "https://x.example",
			headers: { "X-A": "canary\r\nX-B: 1" },
		},
		"headers.X-A must have values of one line",
	],
	[
		{ name: "a", url: "https://x.example", headers: { Host: "canary" } },
		"headers must not set a header that the gateway itself sets",
	],
	[
		{ name: "a", url: "https://x.example", headers: { "X-Token": "canary" } },
		"the header X-Token looks like a secret, and would be kept in clear",
	],
	[
		{ name: "a", url: "https://x.example/?api_key=canary" },
		"the query parameter api_key looks like a secret, and would be kept in clear",
	],
	[
		{ name: "a", command: "x", env: { API_TOKEN: "canary" } },
		"the variable API_TOKEN looks like a secret, and would be kept in clear",
	],
	[
		{
			name: "a",
			command: "x",
			slots: [{ name: "T", injection: "env", target: "LD_PRELOAD" }],
		},
		"slots[0].target must not be a variable that decides which code runs",
	],
	[
		{
			name: "a",
			command: "x",
			slots: [{ name: "T", injection: "header", target: "X-T" }],
		},
		"the slot T cannot be a header of this server",
	],
	[
		{
			name: "a",
			command: "x",
			slots: [{ name: "T", injection: "env", target: "T", canary: 1 }],
		},
		"the field slots[0].canary is not known",
	],
	[
		{ name: "a", command: "x", canary: "canary-value" },
		"the field canary is not known",
	],
	[
		{ name: "a", command: "x", "canary value!": 1 },
		"the field (another) is not known",
	],
	[{ name: "a" }, "a server is reached in exactly one way"],
	[
		{ name: "a", url: "https://x.example", npm: "x" },
		"a server is reached in exactly one way",
	],
	[
		{ name: "a", url: "https://x.example", args: [] },
		"a server with url has no args",
	],
	[
		{ name: "a", command: "x", headers: {} },
		"a server with command has no headers",
	],
	[
		{ name: "a", command: "x", transportType: "streamable_http" },
		"transportType streamable_http does not fit the other fields",
	],
	[
		{ name: "a", command: "x", access: ["ghost@example.org"] },
		"there is no user of that address",
	],
	[
		{ name: "a", command: "x", access: "canary" },
		"access must be everyone, admins or a list of users' e-mail addresses",
	],
	[
		{ name: "a", command: "x", tools: [""] },
		"tools[0] must not hold an empty name",
	],
])(
	"%j is refused, naming the field and never the value",
	async (sent, error) => {
		const { status, body, text } = await fixture.send("POST", SERVERS, sent);
		expect(body["error"]).toBe(error);
		expect([400, 404]).toContain(status);
		expect(
			text.replaceAll("field canary", "").replaceAll("slots[0].canary", ""),
		).not.toContain("canary");
		expect(body["hint"]).toBeString();
		expect((await fixture.send("GET", SERVERS)).body["servers"]).toEqual([]);
	},
);

test("a bug is an internal error with the request's id; what went wrong is in the log alone", async () => {
	fixture.deps.db.run("DROP TABLE servers");
	const { status, body, text } = await fixture.send("GET", SERVERS);
	expect([status, body["error"], body["code"]]).toEqual([
		500,
		"internal error",
		"internal",
	]);
	expect(text).not.toContain("no such table");
	expect(fixture.logged.join("")).toContain("no such table");
	expect(fixture.logged.join("")).toContain(String(body["requestId"]));
});

test("without a key that works, the answer is 401 and always the same (RFC 6750 3)", async () => {
	const ask = async (
		headers: Record<string, string>,
	): Promise<[number, unknown, string | null]> => {
		const response = await fixture.api.handleKeyed(
			new Request("http://sallyport/api/version", { headers }),
		);
		const body = (await response.json()) as Record<string, unknown>;
		return [
			response.status,
			body["error"],
			response.headers.get("WWW-Authenticate"),
		];
	};
	const unauthorized = [401, "this needs an API key that works", "Bearer"];
	const made = (await fixture.send("POST", "/api/keys", { name: "script" }))
		.body;
	const authorization = (key: unknown): Record<string, string> => ({
		Authorization: `Bearer ${key}`,
	});
	expect(await ask({})).toEqual(unauthorized as never);
	expect(await ask({ Authorization: "Basic YTpi" })).toEqual(
		unauthorized as never,
	);
	expect(await ask(authorization("sp_ak_short"))).toEqual(
		unauthorized as never,
	);
	expect(await ask(authorization(mintCredential("apiKey")))).toEqual(
		unauthorized as never,
	);
	expect(await ask(authorization(mintCredential("access")))).toEqual(
		unauthorized as never,
	);
	expect((await ask(authorization(made["key"])))[0]).toBe(200);
	expect((await fixture.send("DELETE", `/api/keys/${made["id"]}`)).status).toBe(
		200,
	);
	expect(await ask(authorization(made["key"]))).toEqual(unauthorized as never);
});

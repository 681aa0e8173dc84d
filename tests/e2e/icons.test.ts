/**
 * Icons: those of tools, resources, templates and prompts arrive as their server wrote them, the gateway has its own,
 * and at a server's own endpoint that server's stand in their place.
 *
 * @see specification 2025-11-25 and 2026-07-28, basic ("icons"), SEP-973
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { META } from "../../src/protocol.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import {
	type Asked,
	json,
	result,
	type ScriptedServer,
	startScripted,
} from "../support/scripted-server.ts";
import {
	openLegacySession,
	type RpcMessage,
	send,
	sendModern,
} from "../support/wire.ts";

setDefaultTimeout(30_000);

/** With what an SDK would drop, spell otherwise or refuse. */
const ICONS = `"icons":[ {"src":"https:\\/\\/example.org/a.png","sizes":["48x48"],"x":1.50},{"src":"data:image/png;base64,AA==","theme":"dark"} ]`;
const UNSAFE = `{"src":"javascript:alert(1)"},{"src":"file:///etc/passwd"},{"src":7}`;
const OWN = `{"src":"https://example.org/own.svg","mimeType":"image/svg+xml","sizes":["any"],"x":1}`;
const ABOUT = `{"name":"drawn","version":"1","icons":[${OWN},${UNSAFE}]}`;
const CAPABILITIES = '"capabilities":{"tools":{},"resources":{},"prompts":{}}';
const CACHE = '"resultType":"complete","ttlMs":60000,"cacheScope":"public"';

const LISTS: Readonly<Record<string, string>> = {
	"tools/list": `"tools":[{"name":"draw",${ICONS},"inputSchema":{"type":"object"}}]`,
	"resources/list": `"resources":[{"uri":"x://a","name":"a",${ICONS}}]`,
	"resources/templates/list": `"resourceTemplates":[{"uriTemplate":"x://{a}","name":"a",${ICONS}}]`,
	"prompts/list": `"prompts":[{"name":"draw",${ICONS}}]`,
};

function listed(asked: Asked): Response | undefined {
	const list = LISTS[asked.method ?? ""];
	return list ? result(asked, `{${list},${CACHE}}`) : undefined;
}

let gateway: Gateway;
let key: string;
let servers: readonly ScriptedServer[] = [];

beforeAll(async () => {
	const modern = startScripted((asked) =>
		asked.method === "server/discover"
			? result(
					asked,
					`{"supportedVersions":["2026-07-28"],${CAPABILITIES},${CACHE},"_meta":{"${META.serverInfo}":${ABOUT}}}`,
				)
			: listed(asked),
	);
	const legacy = startScripted((asked) => {
		if (asked.method === "server/discover") return json("{}", 400);
		if (asked.method === "initialize")
			return result(
				asked,
				`{"protocolVersion":"2025-11-25",${CAPABILITIES},"serverInfo":${ABOUT}}`,
			);
		return listed(asked) ?? new Response(null, { status: 202 });
	});
	const plain = startScripted((asked) =>
		asked.method === "server/discover"
			? result(
					asked,
					`{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},${CACHE}}`,
				)
			: result(asked, `{"tools":[],${CACHE}}`),
	);
	servers = [modern, legacy, plain];
	gateway = await startGateway();
	await gateway.addServers({
		modern: ["--url", modern.url],
		legacy: ["--url", legacy.url],
		plain: ["--url", plain.url],
	});
	key = await gateway.apiKey("icons");
});

afterAll(async () => {
	await gateway?.stop();
	for (const server of servers) server.stop();
});

/** What the endpoint says of itself to a modern client, and to a legacy one of that revision. */
async function introductions(
	slug: string | undefined,
	protocolVersion = "2025-11-25",
): Promise<readonly unknown[]> {
	const discovered = await sendModern(
		gateway.endpoint(slug),
		key,
		"server/discover",
		{},
	);
	const meta = discovered.last?.result?.["_meta"] as Record<string, unknown>;
	const initialized = await send(
		gateway.endpoint(slug),
		key,
		JSON.stringify({
			jsonrpc: "2.0",
			id: 1,
			method: "initialize",
			params: {
				protocolVersion,
				capabilities: {},
				clientInfo: { name: "icons", version: "1" },
			},
		}),
	);
	const { result: said } = initialized.last as RpcMessage;
	return [meta[META.serverInfo], said?.["serverInfo"]];
}

test("the icons of tools, resources, templates and prompts arrive byte for byte, in each pairing of eras", async () => {
	for (const slug of [undefined, "modern", "legacy"]) {
		const session = await openLegacySession(gateway.endpoint(slug), key);
		for (const method of Object.keys(LISTS))
			for (const { text } of [
				await sendModern(gateway.endpoint(slug), key, method, {}),
				await session.request(method),
			])
				expect(text.split(ICONS)).toHaveLength(slug === undefined ? 3 : 2);
	}
});

test("the gateway has icons of its own, inside the message, for light and dark", async () => {
	for (const slug of [undefined, "plain"])
		for (const said of await introductions(slug))
			expect(said).toMatchObject({
				name: "sallyport",
				icons: ["light", "dark"].map((theme) => ({
					src: expect.stringMatching(/^data:image\/svg\+xml;base64,/),
					mimeType: "image/svg+xml",
					sizes: ["any"],
					theme,
				})),
			});
});

test("a client of an older revision is told of none", async () => {
	const [, said] = await introductions(undefined, "2025-06-18");
	expect(said).not.toHaveProperty("icons");
});

test("at a server's own endpoint its own icons are shown, but for those that no client may take", async () => {
	for (const slug of ["modern", "legacy"])
		for (const said of await introductions(slug))
			expect(said).toMatchObject({
				name: "sallyport",
				icons: [JSON.parse(OWN)],
			});
});

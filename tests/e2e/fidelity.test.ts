/**
 * What a server answers arrives byte for byte, and so does what a client asks with: over each transport, in each form
 * of answer, to clients of both eras, at both kinds of endpoint. Only names change, and a legacy result says to a
 * modern client that it is complete: in front, or behind one that is handed on while it arrives. A line break between
 * tokens is a space on transports that end messages with one.
 */
import {
	afterAll,
	beforeAll,
	describe,
	expect,
	setDefaultTimeout,
	test,
} from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { META } from "../../src/protocol.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { jsonText, objectText, stringText } from "../support/json-text.ts";
import { type Running, run } from "../support/processes.ts";
import { REPOSITORY } from "../support/tools.ts";
import {
	type LegacySession,
	openLegacySession,
	send,
} from "../support/wire.ts";

setDefaultTimeout(60_000);

const RUNS = 40;
const MEGABYTE = 1024 * 1024;

type Era = "modern" | "legacy";
type Path = {
	readonly client: Era;
	readonly server: Era;
	readonly transport: "http" | "stdio";
	readonly stream: boolean;
	readonly shared: boolean;
};

const ERAS = ["modern", "legacy"] as const;
const PATHS: readonly Path[] = ERAS.flatMap((client) =>
	ERAS.flatMap((server) =>
		(["http", "stdio"] as const).flatMap((transport) =>
			[false, true].flatMap((stream) =>
				[false, true].map((shared) => ({
					client,
					server,
					transport,
					stream,
					shared,
				})),
			),
		),
	),
);

let gateway: Gateway;
let key: string;
const servers: Running[] = [];
const sessions = new Map<string, LegacySession>();

beforeAll(async () => {
	gateway = await startGateway();
	const fixture = join(REPOSITORY, "tests/fixtures/raw.ts");
	for (const era of ERAS) {
		const listening = run([process.execPath, fixture, era, "http", "0"]);
		servers.push(listening);
		const [, port] = await listening.printed(/^listening (\d+)$/m);
		for (const how of [
			[`${era}-http`, "--url", `http://127.0.0.1:${port}/mcp`],
			[
				...[`${era}-stdio`, "--command", process.execPath],
				...["--", fixture, era, "stdio"],
			],
		])
			await gateway.cli(["servers", "add", ...how]);
	}
	key = await gateway.apiKey("fidelity");
}, 60_000);

afterAll(async () => {
	await gateway?.stop();
	for (const server of servers) await server.stop();
});

function slugOf({ server, transport }: Path): string {
	return `${server}-${transport}`;
}

function endpointOf(path: Path): string {
	return gateway.endpoint(path.shared ? undefined : slugOf(path));
}

/** Calls a tool with params as they are written here. */
async function call(path: Path, tool: string, args: string): Promise<string> {
	const endpoint = endpointOf(path);
	const name = path.shared ? `${slugOf(path)}_${tool}` : tool;
	const token = '"progressToken":"mine"';
	const meta =
		path.client === "modern"
			? `"${META.protocolVersion}":"2026-07-28","${META.clientCapabilities}":{},${token}`
			: token;
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}","arguments":${args},"_meta":{${meta},"traceparent":"00-1-2-01"}}}`;
	if (path.client === "modern")
		return (
			await send(endpoint, key, body, {
				headers: {
					"MCP-Protocol-Version": "2026-07-28",
					"Mcp-Method": "tools/call",
					"Mcp-Name": name,
				},
			})
		).text;
	const session =
		sessions.get(endpoint) ?? (await openLegacySession(endpoint, key));
	sessions.set(endpoint, session);
	return (await send(endpoint, key, body, { headers: session.headers })).text;
}

const UNKNOWN = {
	alpha: jsonText,
	"x-beta": jsonText,
	Content: jsonText,
	_Meta: jsonText,
	structuredcontent: jsonText,
};

/** A content block of no type that we know; its members are its own. */
const block = objectText({
	type: stringText.map((text) => `"future-${text.slice(1, -1)}"`),
	data: jsonText,
	annotations: jsonText,
	"X-more": jsonText,
});

const LINK = "link://$1/a?b=c#d";
/** The one name in a result that changes at the shared endpoint. */
const link = objectText({ title: jsonText, size: jsonText }).map(
	(others) =>
		`{"type":"resource_link","uri":"${LINK}"${others.trim() === "{}" || /^\{\s*\}$/.test(others) ? "" : `,${others.slice(1, -1)}`}}`,
);

const result = objectText({
	...UNKNOWN,
	content: fc
		.array(fc.oneof(block, link), { maxLength: 3 })
		.map((blocks) => `[${blocks.join(" ,\n")}]`),
	structuredContent: objectText({ a: jsonText, b: jsonText }),
	_meta: objectText({ "com.example/trace": jsonText, other: jsonText }),
});

const SPECIAL = [
	`{"content":[{"type":"text","text":"${"x".repeat(MEGABYTE)}"}]}`,
	`{"alpha":"${"é\\ud800".repeat(100_000)}","content":[]}`,
	`{"alpha":${"[".repeat(200)}${"]".repeat(200)}}`,
	`{"structuredContent":{"a":${"9".repeat(5000)},"a":0}}`,
	`{ \r\n }`,
	'{"content":[],"resultType" : "complete"}',
	`{"content":[{"text":"${"x".repeat(MEGABYTE)}"}],"resultType" : "complete","a":1}`,
] as const;

/** What is longer comes in pieces over HTTP, and is not held by the gateway to be changed at its beginning. */
const WHOLE_BYTES_MAX = 64 * 1024;
const COMPLETE = '"resultType":"complete"';

function expected(path: Path, raw: string): string {
	const named = path.shared
		? raw.replaceAll(`"${LINK}"`, `"${slugOf(path)}+${LINK}"`)
		: raw;
	if (path.client !== "modern" || path.server !== "legacy") return named;
	if (named.includes('"resultType"')) return named;
	const comma = /^\{\s*\}$/.test(named) ? "" : ",";
	const arrives =
		path.transport === "http" && !path.stream && raw.length > WHOLE_BYTES_MAX;
	return arrives && !path.shared
		? `${named.slice(0, -1)}${comma}${COMPLETE}}`
		: `{${COMPLETE}${comma}${named.slice(1)}`;
}

function oneLine(text: string): string {
	return text.replaceAll(/[\r\n]/g, " ");
}

/** A message as its transport can carry it; in an event CR and LF together are one break. */
function asSent({ transport, stream }: Path, message: string): string {
	if (transport === "stdio") return oneLine(message);
	return stream ? oneLine(message.replaceAll("\r\n", "\n")) : message;
}

/** The last message of an answer, as it came. */
function lastOf(answer: string): string {
	if (!/^(id|data|:|retry)/.test(answer)) return answer;
	return answer.slice(answer.lastIndexOf("\ndata: ") + 7).trimEnd();
}

describe.each(
	PATHS.map((path) => ({
		path,
		title: `from a ${path.server} server over ${path.transport}${path.stream ? ", after a notification," : ""} to a ${path.client} client at ${path.shared ? "/mcp" : "the server's own endpoint"}`,
	})),
)("$title", ({ path }) => {
	test("a result arrives byte for byte", async () => {
		const arrives = async (raw: string): Promise<void> => {
			const args = JSON.stringify({ raw, stream: path.stream });
			const answer = lastOf(await call(path, "answer", args));
			const message = asSent(
				path,
				`{"jsonrpc":"2.0","id":1,"result":${expected(path, raw)}}`,
			);
			// Not compared by the matcher: it would print a megabyte.
			if (answer !== message)
				expect(answer.slice(0, 2000)).toBe(message.slice(0, 2000));
		};
		for (const raw of SPECIAL) await arrives(raw);
		await fc.assert(fc.asyncProperty(result, arrives), { numRuns: RUNS });
	});
});

describe.each(
	PATHS.filter(({ stream }) => !stream).map((path) => ({
		path,
		title: `from a ${path.client} client at ${path.shared ? "/mcp" : "the server's own endpoint"} to a ${path.server} server over ${path.transport}`,
	})),
)("$title", ({ path }) => {
	test("arguments arrive byte for byte, and so does the trace context", async () => {
		const arrive = async (args: string): Promise<void> => {
			const answer = JSON.parse(lastOf(await call(path, "tell", args)));
			const seen = Buffer.from(answer.result.seen, "base64").toString();
			const sent = path.transport === "http" ? args : oneLine(args);
			if (!seen.includes(`"arguments":${sent},"_meta":`))
				expect(seen.slice(0, 2000)).toContain(sent.slice(0, 2000));
			expect(seen).toContain('"traceparent":"00-1-2-01"');
		};
		for (const raw of SPECIAL) await arrive(raw);
		await fc.assert(
			fc.asyncProperty(objectText({ ...UNKNOWN, raw: jsonText }), arrive),
			{ numRuns: RUNS },
		);
	});
});

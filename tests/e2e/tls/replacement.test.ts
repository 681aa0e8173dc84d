/** The promise of `listenTls().replace`, with figures: nothing that is under way notices a new certificate. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { connect } from "node:tls";
import {
	readCertificate,
	spellFingerprint,
} from "../../../src/tls/certificate.ts";
import { parseIdentifiers } from "../../../src/tls/identifiers.ts";
import { listenTls, type TlsMaterial } from "../../../src/tls/listeners.ts";
import { createSelfSigned } from "../../../src/tls/self-signed.ts";
import { run } from "../../support/processes.ts";
import { REPOSITORY } from "../../support/tools.ts";

const NOW = Math.floor(Date.now() / 1000);

async function createMaterial(): Promise<TlsMaterial> {
	return {
		serverName: null,
		...(await createSelfSigned(parseIdentifiers(["localhost"]), NOW)),
	};
}

/** The fingerprint a client is shown. */
function shown(port: number): Promise<string> {
	return new Promise((resolve, reject) => {
		const socket = connect({
			host: "127.0.0.1",
			port,
			rejectUnauthorized: false,
		});
		socket.once("error", reject);
		socket.once("secureConnect", () => {
			resolve(socket.getPeerCertificate().fingerprint256);
			socket.destroy();
		});
	});
}

function fingerprintOf(material: TlsMaterial): string {
	return spellFingerprint(readCertificate(material.chain).fingerprint);
}

const SWAPS = 20;
const STREAMS = 16;
const LOOPS = 24;

type Load = Record<"kept" | "fresh", { ok: number; failed: string[] }> & {
	streams: { events: number; cut: string | null }[];
};

test(`${SWAPS} certificates are replaced under load and over ${STREAMS} held streams: no failed request, no cut stream`, async () => {
	const sinks = new Set<ReadableStreamDefaultController<Uint8Array>>();
	let tick = 0;
	const beat = setInterval(() => {
		tick++;
		for (const sink of sinks) sink.enqueue(Buffer.from(`data: ${tick}\n\n`));
	}, 20);
	const server = listenTls(
		"127.0.0.1",
		0,
		[await createMaterial()],
		(request) => {
			if (new URL(request.url).pathname !== "/stream")
				return new Response("ok");
			return new Response(
				new ReadableStream<Uint8Array>({
					start: (sink) => void sinks.add(sink),
				}),
				{ headers: { "content-type": "text/event-stream" } },
			);
		},
	);
	const url = `https://127.0.0.1:${server.port}`;
	const load = run([
		process.execPath,
		join(REPOSITORY, "tests/fixtures/load.ts"),
		url,
		String(STREAMS),
		String(LOOPS),
	]);
	await load.printed(/streams open/);
	for (let swap = 0; swap < SWAPS; swap++) {
		const next = await createMaterial();
		await server.replace([next]);
		expect(await shown(server.port)).toBe(fingerprintOf(next));
	}
	await load.stop();
	const [, json = ""] = await load.printed(/^(\{.*\})$/m);
	clearInterval(beat);
	const { kept, fresh, streams } = JSON.parse(json) as Load;
	await server.close(0);
	const cut = streams.flatMap(({ cut }) => cut ?? []);
	console.log(
		`${SWAPS} swaps: ${fresh.ok} requests on new connections, ${kept.ok} on kept ones, ` +
			`${fresh.failed.length + kept.failed.length} failed; ${STREAMS} streams with ` +
			`${streams.reduce((sum, { events }) => sum + events, 0)} events, ${cut.length} cut`,
	);
	expect([...fresh.failed, ...kept.failed, ...cut]).toEqual([]);
	expect(Math.min(fresh.ok, kept.ok)).toBeGreaterThan(SWAPS);
}, 60_000);

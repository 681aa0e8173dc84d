import { afterAll, afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import type { Serving } from "../../src/serving.ts";
import { openDatabase } from "../../src/store/database.ts";
import type { KeyPair } from "../../src/tls/certificate.ts";
import { type Front, openFront, type Reception } from "../../src/tls/front.ts";
import { parseIdentifiers } from "../../src/tls/identifiers.ts";
import { createSelfSigned } from "../../src/tls/self-signed.ts";
import { createKeyring, openVault } from "../../src/vault.ts";

const KEK = new Uint8Array(32).fill(7);
const folder = mkdtempSync(join(tmpdir(), "sallyport-front-"));
const fronts: Front[] = [];
afterEach(async () => {
	for (const front of fronts.splice(0)) await front.close(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function open(
	serving: Partial<Serving>,
	reception: Partial<Reception> = {},
): Promise<Front> {
	const front = await openFront(
		{
			db: openDatabase(":memory:"),
			vault: openVault(KEK, createKeyring(KEK, 0)),
			clock: systemClock,
			log: createLog({ level: "error", format: "json", write: () => {} }),
		},
		{
			listen: [{ host: "localhost", port: 0 }],
			publicUrl: null,
			tls: { mode: "off" },
			httpListen: null,
			...serving,
		},
		() => new Response("served"),
		{ isUnclaimed: false, address: null, ...reception },
	);
	fronts.push(front);
	return front;
}

function createPair(): Promise<KeyPair> {
	return createSelfSigned(
		parseIdentifiers(["gate.example.org", "localhost"]),
		systemClock.now(),
	);
}

test("without a public URL the origin is that of the first listener", async () => {
	const front = await open({
		listen: [
			{ host: "localhost", port: 0 },
			{ host: "::1", port: 0 },
		],
	});
	expect(front.origins()[0]).toBe(front.origin());
	expect(front.origin()).toMatch(/^http:\/\/localhost:\d+$/);
	expect(front.origins()[1]).toMatch(/^http:\/\/\[::1\]:\d+$/);
	expect(await (await fetch(front.origin())).text()).toBe("served");
});

test("behind a port that is forwarded the origin is the public one, and this machine's own is known too", async () => {
	const { chain, key } = await createPair();
	writeFileSync(join(folder, "cert.pem"), chain);
	writeFileSync(join(folder, "key.pem"), key);
	const front = await open({
		listen: [{ host: "::", port: 0 }],
		publicUrl: "https://gate.example.org",
		tls: {
			mode: "files",
			chainFile: join(folder, "cert.pem"),
			keyFile: join(folder, "key.pem"),
		},
	});
	expect(front.origin()).toBe("https://gate.example.org");
	expect(front.origins()).toEqual([
		"https://gate.example.org",
		expect.stringMatching(/^https:\/\/localhost:\d+$/),
	]);
	expect(front.certificates.list()).toMatchObject([
		{ trusted: false, renewAt: null, failure: null },
	]);
	const answer = await fetch(front.origins()[1] ?? "", { tls: { ca: chain } });
	expect(await answer.text()).toBe("served");
});

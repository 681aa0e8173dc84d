import { afterEach, expect, test } from "bun:test";
import { connect } from "node:tls";
import {
	readCertificate,
	spellFingerprint,
} from "../../src/tls/certificate.ts";
import { parseIdentifiers } from "../../src/tls/identifiers.ts";
import { listenTls, type TlsMaterial } from "../../src/tls/listeners.ts";
import { createSelfSigned } from "../../src/tls/self-signed.ts";
import { until } from "../support/until.ts";

const NOW = Math.floor(Date.now() / 1000);
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
	for (const close of closers.splice(0)) await close();
});

async function materialFor(
	name: string,
	serverName: string | null = null,
): Promise<TlsMaterial> {
	return {
		serverName,
		...(await createSelfSigned(parseIdentifiers([name]), NOW)),
	};
}

/** The fingerprint a client with this name in its hello is shown. */
function shown(port: number, servername?: string): Promise<string> {
	return new Promise((resolve, reject) => {
		const socket = connect({
			host: "127.0.0.1",
			port,
			rejectUnauthorized: false,
			...(servername && { servername }),
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

test("a client is shown the certificate of the name it asks for, and the first one for any other or none", async () => {
	const address = await materialFor("127.0.0.1");
	const name = await materialFor("gate.example.org", "gate.example.org");
	const server = listenTls(
		"127.0.0.1",
		0,
		[address, name],
		() => new Response("x"),
	);
	closers.push(() => server.close(0));
	expect(await shown(server.port)).toBe(fingerprintOf(address));
	expect(await shown(server.port, "gate.example.org")).toBe(
		fingerprintOf(name),
	);
	expect(await shown(server.port, "other.example.org")).toBe(
		fingerprintOf(address),
	);
});

test.each([
	["TLSv1.1", false],
	["TLSv1.2", true],
	["TLSv1.3", true],
] as const)("%s is accepted: %p", async (version, accepted) => {
	const server = listenTls(
		"127.0.0.1",
		0,
		[await materialFor("localhost")],
		() => new Response("x"),
	);
	closers.push(() => server.close(0));
	const spoken = await new Promise<string | null>((resolve) => {
		const socket = connect({
			host: "127.0.0.1",
			port: server.port,
			rejectUnauthorized: false,
			minVersion: version,
			maxVersion: version,
		});
		socket.once("error", () => resolve(null));
		socket.once("secureConnect", () => {
			resolve(socket.getProtocol());
			socket.destroy();
		});
	});
	expect(spoken).toBe(accepted ? version : null);
});

test("a port that another program has is a conflict, although the port could be shared", async () => {
	const first = listenTls(
		"127.0.0.1",
		0,
		[await materialFor("localhost")],
		() => new Response("x"),
	);
	closers.push(() => first.close(0));
	const material = await materialFor("localhost");
	expect(() =>
		listenTls("127.0.0.1", first.port, [material], () => new Response("y")),
	).toThrow("cannot listen on");
});

test("a port that is free again can be taken at once", async () => {
	const first = listenTls(
		"127.0.0.1",
		0,
		[await materialFor("localhost")],
		() => new Response("x"),
	);
	await first.close(0);
	const next = await materialFor("localhost");
	const second = listenTls(
		"127.0.0.1",
		first.port,
		[next],
		() => new Response("y"),
	);
	closers.push(() => second.close(0));
	expect(await shown(second.port)).toBe(fingerprintOf(next));
});

test("a certificate that cannot be served changes nothing", async () => {
	const good = await materialFor("localhost");
	const server = listenTls("127.0.0.1", 0, [good], () => new Response("x"));
	closers.push(() => server.close(0));
	const other = await materialFor("localhost");
	await expect(server.replace([{ ...good, key: other.key }])).rejects.toThrow(
		"cannot be served together",
	);
	await expect(server.replace([{ ...good, chain: "" }])).rejects.toThrow(
		"not one in PEM",
	);
	await expect(server.replace([])).rejects.toThrow("no certificate");
	expect(await shown(server.port)).toBe(fingerprintOf(good));
	await server.replace([other]);
	expect(await shown(server.port)).toBe(fingerprintOf(other));
});

test("a listener that closes ends the streams of superseded certificates too", async () => {
	const [first, second] = [
		await materialFor("localhost"),
		await materialFor("localhost"),
	];
	const server = listenTls("127.0.0.1", 0, [first], () => {
		return new Response(
			new ReadableStream({
				start: (sink) => sink.enqueue(Buffer.from("hello")),
			}),
		);
	});
	const held = await fetch(`https://127.0.0.1:${server.port}/`, {
		tls: { rejectUnauthorized: false },
	});
	const reader = held.body!.getReader();
	await reader.read();
	await server.replace([second]);
	await server.close(50);
	// Cut or ended politely: either way it is over.
	const last = await reader.read().catch(() => ({ done: true }));
	expect(last.done).toBe(true);
});

test("a connection that was opened and asks nothing does not hold up a stop; a request that is open does", async () => {
	const finishers: (() => void)[] = [];
	const server = listenTls(
		"127.0.0.1",
		0,
		[await materialFor("127.0.0.1")],
		() =>
			new Promise<Response>((resolve) => {
				finishers.push(() => resolve(new Response("answered")));
			}),
	);
	const url = `https://127.0.0.1:${server.port}/`;
	const ahead = connect({
		host: "127.0.0.1",
		port: server.port,
		rejectUnauthorized: false,
	});
	await new Promise((resolve) => ahead.once("secureConnect", resolve));
	const asked = fetch(url, { tls: { rejectUnauthorized: false } });
	await until("the request is there", () => finishers.length === 1);
	const started = performance.now();
	const closed = server.close(30_000);
	finishers[0]?.();
	expect(await (await asked).text()).toBe("answered");
	await closed;
	expect(performance.now() - started).toBeLessThan(5000);
	ahead.destroy();
});

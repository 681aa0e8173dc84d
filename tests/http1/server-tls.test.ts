/** The same over TLS: which certificate, what becomes of it, and what of clients that do not finish a handshake. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "node:tls";
import {
	readCertificate,
	spellFingerprint,
} from "../../src/tls/certificate.ts";
import { parseIdentifiers } from "../../src/tls/identifiers.ts";
import {
	type Handler,
	listenTls,
	type TlsListener,
	type TlsMaterial,
} from "../../src/tls/listeners.ts";
import { createSelfSigned } from "../../src/tls/self-signed.ts";
import { until } from "../support/until.ts";
import {
	chunkedHead,
	echo,
	get,
	leaveAll,
	megabytes,
	pathOf,
	post,
	told,
} from "./facing.ts";
import { readAnswers } from "./raw-answer.ts";
import { dial, type RawClient } from "./raw-client.ts";

setDefaultTimeout(60_000);

const listeners: TlsListener[] = [];

afterEach(async () => {
	await leaveAll();
	await Promise.all(listeners.splice(0).map((listener) => listener.close(0)));
});

async function materialFor(
	name: string,
	serverName: string | null = null,
): Promise<TlsMaterial> {
	const now = Math.floor(Date.now() / 1000);
	return {
		serverName,
		...(await createSelfSigned(parseIdentifiers([name]), now)),
	};
}

async function facingTls(
	handler: Handler,
	...materials: readonly TlsMaterial[]
): Promise<TlsListener> {
	const listener = listenTls(
		"127.0.0.1",
		0,
		materials.length > 0 ? materials : [await materialFor("127.0.0.1")],
		handler,
	);
	listeners.push(listener);
	return listener;
}

function dialTls(port: number, servername?: string): Promise<RawClient> {
	return dial(port, { tls: servername === undefined ? {} : { servername } });
}

function fingerprintOf({ chain }: TlsMaterial): string {
	return spellFingerprint(readCertificate(chain).fingerprint);
}

test("a request is answered, and its URL says that it came securely", async () => {
	const { port } = await facingTls(told);
	const client = await dialTls(port);
	client.send(post("/first", "hello") + get("/second"));
	expect((await client.answer()).body).toBe(
		"POST https://gate.test/first hello",
	);
	expect((await client.answer()).body).toBe("GET https://gate.test/second ");
	await client.drip(post("/third", "hello"));
	expect((await client.answer()).body).toBe(
		"POST https://gate.test/third hello",
	);
	await client.drip([...chunkedHead("/fourth"), "2\r\nhe\r\n0\r\n", "\r\n"]);
	expect((await client.answer()).body).toBe("POST https://gate.test/fourth he");
});

test("the address of a client is known", async () => {
	const { port } = await facingTls(
		(_request, connection) => new Response(connection.address),
	);
	const client = await dialTls(port);
	client.send(get("/"));
	expect((await client.answer()).body).toBe("127.0.0.1");
});

test("megabytes go both ways as they are", async () => {
	const { port } = await facingTls(echo);
	const client = await dialTls(port);
	const body = megabytes(5_000_000);
	client.send(post("/", body) + get("/next"));
	expect((await client.answer()).body === body).toBe(true);
	expect((await client.answer()).status).toBe(200);
});

test("what is malformed is refused once, and what follows is nobody's", async () => {
	const asked: string[] = [];
	const { port } = await facingTls((request) => {
		asked.push(pathOf(request.url));
		return new Response("handled");
	});
	const client = await dialTls(port);
	client.send(
		`GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n${get("/smuggled")}`,
	);
	const answers = readAnswers(await client.rest());
	expect(answers.map(({ status }) => status)).toEqual([400]);
	expect(asked).toEqual([]);
});

test("the name a client asks for chooses the certificate, in any letters; any other name, or none, the first", async () => {
	const [first, gate, desk] = [
		await materialFor("127.0.0.1"),
		await materialFor("gate.example.org", "gate.example.org"),
		await materialFor("desk.example.org", "desk.example.org"),
	];
	const { port } = await facingTls(told, first, gate, desk);
	for (const [name, expected] of [
		[undefined, first],
		["gate.example.org", gate],
		["GATE.example.ORG", gate],
		["desk.example.org", desk],
		["other.example.org", first],
		["x.gate.example.org", first],
		["gate.example.org.evil.test", first],
	] as const) {
		const client = await dialTls(port, name);
		expect([name, client.fingerprint()]).toEqual([
			name,
			fingerprintOf(expected),
		]);
		client.send(get("/"));
		expect((await client.answer()).status).toBe(200);
	}
});

test("no protocol is agreed on that is not spoken", async () => {
	const { port } = await facingTls(told);
	for (const ALPNProtocols of [["h2", "http/1.1"], ["http/1.1"], ["h2"]]) {
		const agreed = await new Promise<string | false | null>((resolve) => {
			const socket = connect({
				host: "127.0.0.1",
				port,
				rejectUnauthorized: false,
				ALPNProtocols,
			});
			socket.once("error", () => resolve(false));
			socket.once("secureConnect", () => {
				resolve(socket.alpnProtocol);
				socket.destroy();
			});
		});
		// Whoever speaks nothing else may be turned away; whoever is taken speaks this.
		expect([false, null, "http/1.1"]).toContain(agreed);
	}
});

test("new certificates are shown to new connections, and open ones go on", async () => {
	const [old, next] = [
		await materialFor("127.0.0.1"),
		await materialFor("127.0.0.1"),
	];
	let sink: ReadableStreamDefaultController | null = null;
	const listener = await facingTls(
		(request) =>
			request.url.endsWith("/stream")
				? new Response(
						new ReadableStream({
							start: (given) => {
								sink = given;
							},
						}),
						{ headers: { "Content-Type": "text/event-stream" } },
					)
				: new Response("handled"),
		old,
	);
	const [stream, kept, fresh] = [
		await dialTls(listener.port),
		await dialTls(listener.port),
		await dialTls(listener.port),
	];
	stream.send(get("/stream"));
	await until("it is asked", () => sink !== null);
	kept.send(get("/"));
	expect((await kept.answer()).body).toBe("handled");
	await listener.replace([next]);
	const after = await dialTls(listener.port);
	expect(after.fingerprint()).toBe(fingerprintOf(next));
	for (const client of [after, kept, fresh]) {
		client.send(get("/"));
		expect((await client.answer()).body).toBe("handled");
	}
	const write = (text: string): void => sink?.enqueue(Buffer.from(text));
	write("still here");
	await stream.take("still here");
});

test("replacements that come at once all succeed, and the last one is shown", async () => {
	const materials = [
		await materialFor("127.0.0.1"),
		await materialFor("127.0.0.1"),
		await materialFor("127.0.0.1"),
	];
	const listener = await facingTls(told);
	await Promise.all(materials.map((each) => listener.replace([each])));
	const client = await dialTls(listener.port);
	expect(client.fingerprint()).toBe(fingerprintOf(materials[2]!));
});

test("fifty replacements while clients ask fail nobody", async () => {
	const materials = await Promise.all(
		Array.from({ length: 5 }, () => materialFor("127.0.0.1")),
	);
	const listener = await facingTls(told, materials[0] as TlsMaterial);
	let isOver = false;
	const kept = await dialTls(listener.port);
	const ask = async (): Promise<number> => {
		let answers = 0;
		while (!isOver) {
			const client = await dialTls(listener.port);
			for (const each of [client, kept]) {
				each.send(post("/", "x"));
				expect((await each.answer()).body).toEndWith(" x");
				answers++;
			}
			client.close();
		}
		return answers;
	};
	const asking = ask();
	for (let n = 0; n < 50; n++)
		await listener.replace([materials[n % 5] as TlsMaterial]);
	isOver = true;
	expect(await asking).toBeGreaterThan(10);
});

test("a client that speaks in clear to the secure port gets nothing, and harms nobody", async () => {
	const asked: string[] = [];
	const { port } = await facingTls((request) => {
		asked.push(pathOf(request.url));
		return new Response("handled");
	});
	for (const words of [
		get("/clear"),
		"\r\n\r\n",
		"\u0000".repeat(1000),
		"\u0016\u0003\u0001\u00ff\u00ff\u0001",
		`\u0016\u0003\u0001\u0002\u0000\u0001${"\u00ff".repeat(512)}`,
		"\u0015\u0003\u0001\u0000\u0002\u0002\u0028",
	]) {
		const client = await dial(port);
		client.send(words);
		client.finish();
		expect(await client.rest()).not.toContain("HTTP/1.1 200");
	}
	const client = await dialTls(port);
	client.send(get("/"));
	expect((await client.answer()).body).toBe("handled");
	expect(asked).toEqual(["/"]);
});

test("clients that leave in the middle of a handshake harm nobody", async () => {
	const { port } = await facingTls(told);
	for (let n = 0; n < 30; n++) {
		const client = await dial(port);
		if (n % 2) client.send("\u0016\u0003\u0001\u0002\u0000\u0001\u0000");
		if (n % 3) client.reset();
		else client.close();
	}
	const client = await dialTls(port);
	client.send(get("/"));
	expect((await client.answer()).status).toBe(200);
});

test("a hundred clients at once have their answers", async () => {
	const { port } = await facingTls(told);
	const clients = await Promise.all(
		Array.from({ length: 100 }, () => dialTls(port)),
	);
	for (const [n, client] of clients.entries()) client.send(get(`/${n}`));
	for (const [n, client] of clients.entries())
		expect((await client.answer()).body).toBe(`GET https://gate.test/${n} `);
});

test("a client that goes is told to the handler, and its stream is let go", async () => {
	for (const leave of ["reset", "close"] as const) {
		const aborted = Promise.withResolvers<void>();
		const cancelled = Promise.withResolvers<void>();
		const { port } = await facingTls((request) => {
			request.signal.addEventListener("abort", () => aborted.resolve());
			return new Response(
				new ReadableStream({
					start: (sink) => sink.enqueue(Buffer.from("begun")),
					cancel: () => cancelled.resolve(),
				}),
				{ headers: { "Content-Type": "text/event-stream" } },
			);
		});
		const client = await dialTls(port);
		client.send(get("/"));
		await client.take("begun");
		client[leave]();
		await Promise.all([aborted.promise, cancelled.promise]);
	}
});

test("a stream is asked for no more while the client reads nothing", async () => {
	let given = 0;
	const { port } = await facingTls(
		() =>
			new Response(
				new ReadableStream({
					pull: (sink) => {
						given += 65_536;
						sink.enqueue(Buffer.alloc(65_536));
					},
				}),
			),
	);
	const client = await dialTls(port);
	client.pause();
	client.send(get("/"));
	let last = -1;
	let same = 0;
	await until("it stands still", () => {
		same = given === last ? same + 1 : 0;
		last = given;
		return given > 0 && same >= 10;
	});
	expect(given).toBeLessThan(24 * 1024 * 1024);
	client.resume();
	await until("it goes on", () => given > 2 * last);
});

test("a server that closes answers what is under way, and ends the rest at once", async () => {
	const waiting: (() => void)[] = [];
	const listener = await facingTls(
		() =>
			new Promise((resolve) => {
				waiting.push(() => resolve(new Response("answered")));
			}),
	);
	const idle = await dialTls(listener.port);
	const half = await dial(listener.port); // no handshake
	const asking = await dialTls(listener.port);
	asking.send(get("/"));
	await until("it is asked", () => waiting.length === 1);
	const closed = listener.close(10_000);
	await idle.ended();
	await half.ended();
	waiting[0]?.();
	expect((await asking.answer()).body).toBe("answered");
	const started = performance.now();
	await closed;
	expect(performance.now() - started).toBeLessThan(2000);
});

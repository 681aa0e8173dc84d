/**
 * A real ACME server: Pebble with its DNS server, on free ports, with a directory certificate of its own; and a proxy
 * before it that can fail in the ways that Pebble cannot.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEgress, type Egress } from "../../src/egress.ts";
import type { KeyPair } from "../../src/tls/certificate.ts";
import { parseIdentifiers } from "../../src/tls/identifiers.ts";
import { createSelfSigned } from "../../src/tls/self-signed.ts";
import { freePort, type Running, run } from "./processes.ts";
import { systemTool, type Tool } from "./tools.ts";
import { until } from "./until.ts";

/** Pebble 2.10 or later: older ones know neither profiles nor renewal information. */
export function pebbleTools(): readonly Tool[] {
	const install = "pebble 2.10 or later (apt-get install pebble/forky)";
	const dpkg = Bun.which("dpkg-query");
	const listed = dpkg
		? Bun.spawnSync([dpkg, "-W", "pebble"], { stderr: "ignore" }).stdout
		: "";
	const [, version = ""] = String(listed).split("\t");
	const [major = 0, minor = 0] = version.split(/[.+]/).map(Number);
	const isNew = major > 2 || (major === 2 && minor >= 10);
	const tools = ["pebble", "pebble-challtestsrv"].map((name) =>
		systemTool(name, install),
	);
	return isNew ? tools : tools.map((tool) => ({ ...tool, path: null }));
}

export type Pebble = {
	readonly directory: string;
	readonly egress: Egress;
	/** The certificate of the directory itself, and what to trust for it. */
	readonly endpoint: KeyPair;
	/** Whom the certificates it issues are to be judged by. */
	readonly root: () => Promise<string>;
	/** Where a name is; every other name is at 127.0.0.1. */
	readonly setAddress: (
		name: string,
		addresses: readonly string[],
	) => Promise<void>;
	readonly setServerFailure: (name: string) => Promise<void>;
	/** What it answers about a certificate's renewal from now on. */
	readonly setRenewalInfo: (chain: string, answer: string) => Promise<void>;
	/** Forgets every account, order and certificate. */
	readonly restart: () => Promise<void>;
	readonly stop: () => Promise<void>;
};

export type PebbleOptions = {
	/** Where it looks for http-01 answers. */
	readonly httpPort: number;
	/** The address of its directory; loopback if it is not said. */
	readonly address?: string;
	readonly env?: Readonly<Record<string, string>>;
	readonly config?: Readonly<Record<string, unknown>>;
};

const PROFILES = {
	tlsserver: { description: "45 days", validityPeriod: 45 * 86_400 },
	shortlived: { description: "160 hours", validityPeriod: 160 * 3600 },
	brief: { description: "for tests", validityPeriod: 8 },
};

export async function startPebble(options: PebbleOptions): Promise<Pebble> {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-pebble-"));
	const [port, management, dns, dnsManagement] = await Promise.all([
		freePort(),
		freePort(),
		freePort(),
		freePort(),
	]);
	const { address = "127.0.0.1" } = options;
	const endpoint = await createSelfSigned(
		parseIdentifiers(["localhost", "127.0.0.1", address]),
		Math.floor(Date.now() / 1000),
	);
	writeFileSync(join(folder, "cert.pem"), endpoint.chain);
	writeFileSync(join(folder, "key.pem"), endpoint.key);
	writeFileSync(
		join(folder, "config.json"),
		JSON.stringify({
			pebble: {
				listenAddress: `${address}:${port}`,
				managementListenAddress: `127.0.0.1:${management}`,
				certificate: join(folder, "cert.pem"),
				privateKey: join(folder, "key.pem"),
				httpPort: options.httpPort,
				tlsPort: 1,
				retryAfter: { authz: 1, order: 1 },
				keyAlgorithm: "ecdsa",
				profiles: PROFILES,
				...options.config,
			},
		}),
	);
	const names = run([
		"pebble-challtestsrv",
		...["-dnsserver", `127.0.0.1:${dns}`, "-defaultIPv6", ""],
		...["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""],
		...["-management", `127.0.0.1:${dnsManagement}`],
	]);
	const start = async (): Promise<Running> => {
		const started = run(
			[
				"pebble",
				...["-config", join(folder, "config.json")],
				...["-dnsserver", `127.0.0.1:${dns}`],
			],
			{
				env: {
					PEBBLE_VA_NOSLEEP: "1",
					PEBBLE_WFE_NONCEREJECT: "0",
					PEBBLE_AUTHZREUSE: "0",
					...options.env,
				},
			},
		);
		await started.printed(/ACME directory available/i);
		return started;
	};
	let pebble = await start();
	await names.printed(/Starting management server/i);
	// It says so before it listens.
	await until("names can be set", async () => {
		const url = `http://127.0.0.1:${dnsManagement}/`;
		return (await fetch(url).catch(() => null)) !== null;
	});
	const tell = async (path: string, body: object): Promise<void> => {
		await fetch(`http://127.0.0.1:${dnsManagement}/${path}`, {
			method: "POST",
			body: JSON.stringify(body),
		});
	};
	const manage = (path: string, init: RequestInit = {}): Promise<Response> =>
		fetch(`https://127.0.0.1:${management}/${path}`, {
			...init,
			tls: { ca: endpoint.chain },
		});
	return {
		directory: `https://${options.address ?? "localhost"}:${port}/dir`,
		endpoint,
		egress: createEgress({
			allowPrivate: ["127.0.0.0/8", "::1/128"],
			ca: endpoint.chain,
		}),
		root: async () => (await manage("roots/0")).text(),
		setAddress: async (name, addresses) => {
			await tell("clear-a", { host: `${name}.` });
			await tell("add-a", { host: `${name}.`, addresses });
		},
		setServerFailure: (name) => tell("set-servfail", { host: `${name}.` }),
		setRenewalInfo: async (certificate, ariResponse) => {
			const answer = await manage("set-renewal-info/", {
				method: "POST",
				body: JSON.stringify({ certificate, ariResponse }),
			});
			if (!answer.ok) throw new Error(await answer.text());
		},
		restart: async () => {
			await pebble.stop("SIGKILL");
			pebble = await start();
		},
		stop: async () => {
			await Promise.all([pebble.stop("SIGKILL"), names.stop("SIGKILL")]);
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

/** What a proxy does with a request instead of handing it on; null: hands it on. */
export type Fault = (
	path: string,
	payload: Readonly<Record<string, unknown>>,
) => Response | Promise<Response> | null;

export type FaultProxy = {
	readonly directory: string;
	/** From now on; null: none. */
	readonly setFault: (fault: Fault | null) => void;
	/** The paths that were asked for since the last call. */
	readonly takeLog: () => string[];
	readonly stop: () => Promise<void>;
};

/** Stands before Pebble under a URL of its own: Pebble builds its URLs from `Host`. */
export function startFaultProxy(pebble: Pebble): FaultProxy {
	const target = new URL(pebble.directory).origin;
	let fault: Fault | null = null;
	let log: string[] = [];
	const server = Bun.serve({
		hostname: "127.0.0.1",
		port: 0,
		tls: { cert: pebble.endpoint.chain, key: pebble.endpoint.key },
		fetch: async (request) => {
			const { pathname, host } = new URL(request.url);
			log.push(`${request.method} ${pathname}`);
			const body = await request.bytes();
			const faulty = fault?.(pathname, payloadOf(body));
			if (faulty) return faulty;
			const headers = new Headers(request.headers);
			headers.set("host", host);
			return fetch(`${target}${pathname}`, {
				method: request.method,
				headers,
				...(body.length > 0 && { body }),
				tls: { ca: pebble.endpoint.chain },
			});
		},
	});
	return {
		directory: `https://localhost:${server.port}/dir`,
		setFault: (next) => {
			fault = next;
		},
		takeLog: () => {
			const taken = log;
			log = [];
			return taken;
		},
		stop: () => server.stop(true),
	};
}

/** What a signed request says; nothing when it says nothing. */
function payloadOf(body: Uint8Array): Record<string, unknown> {
	if (body.length === 0) return {};
	const { payload } = JSON.parse(Buffer.from(body).toString("utf8"));
	return payload === ""
		? {}
		: JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
}

/** An ACME problem, as a CA answers with it. */
export function problem(
	status: number,
	type: string,
	detail: string,
	headers: Readonly<Record<string, string>> = {},
): Response {
	return new Response(
		JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail }),
		{
			status,
			headers: { "content-type": "application/problem+json", ...headers },
		},
	);
}

/**
 * An internet of a test's own: a network namespace in which every public name and address leads back to the test, with
 * DNS and a certificate authority to match. A gateway that runs inside reaches nothing else, so that what it does with
 * other people's names, addresses and documents can be seen from outside. Needs root, and `ip` from iproute2.
 */
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority } from "./authority.ts";
import { type Running, run, runToEnd } from "./processes.ts";
import { REPOSITORY, systemTool, type Tool } from "./tools.ts";

export type Internet = {
	/** A command that runs inside. */
	readonly inside: (command: readonly string[]) => readonly string[];
	/** What a program inside must have in its environment to trust our certificates. */
	readonly env: Readonly<Record<string, string>>;
	/** A request to a port of loopback inside. */
	readonly fetchInside: (url: URL, init?: RequestInit) => Promise<Response>;
	/** The addresses of a name from now on; a function is asked anew each time. Null: no such name. */
	readonly name: (name: string, addresses: Addresses) => void;
	/** What answers requests to every name and address. */
	readonly serve: (
		handler: (request: Request) => Response | Promise<Response>,
	) => void;
	/** The addresses that were connected to, in order. */
	readonly connected: () => readonly string[];
	readonly close: () => Promise<void>;
};

type Addresses = readonly string[] | null | (() => readonly string[] | null);

/** Addresses that a judge of addresses lets pass. They belong to nobody here: nothing leaves the namespace. */
export const PUBLIC = ["44.0.0.1", "44.0.0.2"] as const;

/** Where the documents of known clients are. */
export const VENDORS = [
	...["claude.ai", "chatgpt.com", "vscode.dev", "github.com", "zed.dev"],
	...["goose-docs.ai", "opencode.ai", "grok.com"],
] as const;

/** The names that our certificate is for: those of one site, and of vendors whose client documents we know. */
const CERTIFIED = ["site.example", "*.site.example", ...VENDORS];

/** What is put on the loopback inside beside the public addresses, so that a connection to it would be seen. */
export const PRIVATE = [
	...["10.0.0.1", "100.64.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1"],
	...["fd00::1", "2002:a00:1::1", "64:ff9b::a00:1"],
] as const;

/** What it needs; absent without root. */
export function networkNamespaces(): Tool {
	const ip = systemTool("ip", "iproute2");
	return { ...ip, path: process.getuid?.() === 0 ? ip.path : null };
}

let count = 0;

/** @param port the port of loopback inside that `fetchInside` reaches */
export async function openInternet(port: number): Promise<Internet> {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-internet-"));
	const namespace = `sallyport-${process.pid}-${++count}`;
	const inside = (command: readonly string[]): readonly string[] => [
		...["ip", "netns", "exec", namespace],
		...command,
	];
	const names = new Map<string, Addresses>();
	let handler: (request: Request) => Response | Promise<Response> = () =>
		new Response("nothing here", { status: 404 });

	const { ca, certificate } = await createAuthority(CERTIFIED);
	writeFileSync(join(folder, "ca.pem"), ca);
	const nameServer = Bun.serve({
		unix: join(folder, "names.sock"),
		fetch: (request) => {
			const known = names.get(
				new URL(request.url).pathname.split("/")[2] ?? "",
			);
			return Response.json(
				(typeof known === "function" ? known() : known) ?? null,
			);
		},
	});
	const web = Bun.serve({
		unix: join(folder, "web.sock"),
		tls: certificate,
		fetch: (request) => handler(request),
	});
	const plain = Bun.serve({
		unix: join(folder, "plain.sock"),
		fetch: (request) => handler(request),
	});

	const configuration = join("/etc/netns", namespace);
	mkdirSync(configuration, { recursive: true });
	writeFileSync(join(configuration, "resolv.conf"), "nameserver 127.0.0.1\n");
	await must(["ip", "netns", "add", namespace]);
	await must(inside(["ip", "link", "set", "lo", "up"]));
	for (const address of [...PUBLIC, ...PRIVATE])
		await must(inside(["ip", "address", "add", address, "dev", "lo"]));
	const plumbing: Running = run(
		inside([
			process.execPath,
			join(REPOSITORY, "tests/support/internet-plumbing.ts"),
			folder,
			String(port),
		]),
	);
	await plumbing.printed(/^plumbed$/m);

	return {
		inside,
		env: { NODE_EXTRA_CA_CERTS: join(folder, "ca.pem") },
		fetchInside: (url, init = {}) =>
			fetch(url, { ...init, unix: join(folder, `in-${port}.sock`) }),
		name: (name, addresses) => {
			names.set(name, addresses);
		},
		serve: (next) => {
			handler = next;
		},
		connected: () =>
			[...plumbing.output().matchAll(/^connected (\S+)$/gm)].map(
				([, address = ""]) => address,
			),
		close: async () => {
			await plumbing.stop("SIGKILL");
			await Promise.all(
				[nameServer, web, plain].map((server) => server.stop(true)),
			);
			await runToEnd(["ip", "netns", "delete", namespace]);
			rmSync(configuration, { recursive: true, force: true });
			if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
		},
	};
}

async function must(command: readonly string[]): Promise<void> {
	const { code, stderr } = await runToEnd(command);
	if (code !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
}

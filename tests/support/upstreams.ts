/**
 * A pool of upstreams over a real store and vault in a temporary folder, with real servers behind it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/clock.ts";
import { createEgress } from "../../src/egress.ts";
import { createLog } from "../../src/log.ts";
import { toBytes } from "../../src/message.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import {
	createServer,
	type Server,
	type Slot,
	type Transport,
} from "../../src/store/servers.ts";
import { createUser } from "../../src/store/users.ts";
import type { Connections } from "../../src/upstream/connections.ts";
import { wholeBody } from "../../src/upstream/reply.ts";
import type { Call, Upstream, Upstreams } from "../../src/upstream/upstream.ts";
import { createUpstreams } from "../../src/upstream/upstreams.ts";
import { createKeyring, openVault, type Vault } from "../../src/vault.ts";
import { LOOPBACK, testConnections } from "./connections.ts";

export type Pool = {
	readonly db: Database;
	readonly vault: Vault;
	readonly folder: string;
	readonly upstreams: Upstreams;
	readonly connections: Connections;
	readonly userIds: readonly [string, string];
	readonly logged: string[];
	readonly add: (
		slug: string,
		transport: Transport,
		slots?: readonly Slot[],
	) => Server;
	/** Adds a server without secrets and gives its one upstream. */
	readonly upstream: (slug: string, transport: Transport) => Upstream;
	readonly close: () => Promise<void>;
};

export function startPool(
	options: {
		readonly idleStopMs?: number;
		readonly entry?: string;
		readonly db?: Database;
		readonly clock?: Clock;
		/** A pool whose store, folder and people this one goes on with. */
		readonly after?: Pool;
	} = {},
): Pool {
	const { after } = options;
	const folder =
		after?.folder ?? mkdtempSync(join(tmpdir(), "sallyport-pool-"));
	const db = after?.db ?? options.db ?? openDatabase(":memory:");
	const kek = new Uint8Array(32).fill(7);
	const vault = openVault(kek, createKeyring(kek, 1));
	const logged: string[] = [];
	const people = ["ada@example.org", "bob@example.org"] as const;
	const userIds =
		after?.userIds ??
		(people.map(
			(email) =>
				createUser(db, { email, role: "member", passwordHash: null }, 1).id,
		) as [string, string]);
	const log = createLog({
		level: "debug",
		format: "json",
		write: (line) => void logged.push(line),
	});
	const deps = { db, vault, clock: options.clock ?? systemClock, log };
	const connections = testConnections({
		...deps,
		onChange: (serverId, userId) => void upstreams.drop(serverId, userId),
	});
	const upstreams = createUpstreams({
		...deps,
		connections,
		egress: createEgress({ allowPrivate: LOOPBACK }),
		serverDir: ({ slug }) => join(folder, slug),
		entryOf: () => options.entry ?? null,
		version: "0.0.0",
		...(options.idleStopMs !== undefined && { idleStopMs: options.idleStopMs }),
	});
	const add: Pool["add"] = (slug, transport, slots = []) =>
		createServer(
			db,
			slug,
			{ transport, slots, access: "everyone", tools: null, enabled: true },
			1,
		);
	return {
		db,
		vault,
		folder,
		upstreams,
		connections,
		userIds,
		logged,
		add,
		upstream: (slug, transport) =>
			upstreams.forUser(add(slug, transport), userIds[0]),
		close: async () => {
			await upstreams.close();
			if (after) return;
			db.close();
			rmSync(folder, { recursive: true });
		},
	};
}

export function overHttp(
	url: string,
	mode: "auto" | "http" | "sse" = "auto",
): Transport {
	return { kind: "http", url, mode, headers: {} };
}

export function asCommand(
	[command, ...args]: readonly [string, ...string[]],
	env: Readonly<Record<string, string>> = {},
): Transport {
	return { kind: "command", command, args, env };
}

export type Sent = Partial<Omit<Call, "method" | "params">>;

/** Calls a method with params as JSON text; gives the member and its bytes as text. */
export async function ask(
	upstream: Upstream,
	method: string,
	params: string | null = null,
	sent: Sent = {},
): Promise<{ readonly member: string; readonly text: string }> {
	const reply = await upstream.request({
		method,
		params: params === null ? null : toBytes(params),
		signal: new AbortController().signal,
		...sent,
	});
	return {
		member: reply.member,
		text: Buffer.from(await wholeBody(reply.body)).toString(),
	};
}

/** Calls a tool and gives the text of its first content block. */
export async function callTool(
	upstream: Upstream,
	name: string,
	args: Readonly<Record<string, unknown>> = {},
	sent: Sent = {},
): Promise<string> {
	const { member, text } = await ask(
		upstream,
		"tools/call",
		JSON.stringify({ name, arguments: args }),
		sent,
	);
	if (member === "error") throw new Error(text);
	return JSON.parse(text).content[0].text;
}

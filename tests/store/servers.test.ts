import { beforeEach, expect, test } from "bun:test";
import { SallyportError } from "../../src/errors.ts";
import {
	type Database,
	openDatabase,
	transaction,
} from "../../src/store/database.ts";
import {
	deletePackage,
	findPackage,
	setPackage,
} from "../../src/store/packages.ts";
import {
	createServer,
	deleteServer,
	findServer,
	listServers,
	mayUse,
	requireServer,
	type ServerSettings,
	type Slot,
	updateServer,
} from "../../src/store/servers.ts";

let db: Database;

beforeEach(() => {
	db = openDatabase(":memory:");
});

const TOKEN: Slot = {
	name: "TOKEN",
	injection: "header",
	target: "Authorization",
	personal: false,
	optional: false,
};

const SETTINGS: ServerSettings = {
	transport: {
		kind: "http",
		url: "https://notes.example.org/mcp",
		mode: "auto",
		headers: { "X-Team": "a" },
	},
	slots: [TOKEN],
	access: "everyone",
	tools: null,
	enabled: true,
};

function codeOf(work: () => unknown): string {
	try {
		work();
	} catch (error) {
		if (error instanceof SallyportError) return error.code;
		throw error;
	}
	return "none";
}

/** Puts a value of any kind into a slot; what is in it does not matter here. */
function fill(serverId: string, slot: string): void {
	db.run(
		"INSERT INTO secrets (id, server_id, slot, owner, version, sealed, updated_at) VALUES (?, ?, ?, 'shared', 1, x'00', 1)",
		[`sec_${serverId}_${slot}`, serverId, slot],
	);
}

function filled(): number {
	return (db.query("SELECT count(*) AS n FROM secrets").get() as { n: number })
		.n;
}

test("a server comes back as it was added", () => {
	const created = createServer(
		db,
		"notes",
		{ ...SETTINGS, tools: ["read"], access: ["usr_a"] },
		100,
	);
	expect(created).toEqual({
		...SETTINGS,
		tools: ["read"],
		access: ["usr_a"],
		id: created.id,
		slug: "notes",
		toolSettings: new Map(),
		signsIn: false,
		destructiveTools: true,
		pinning: "hold",
		resultBytesMax: null,
		createdAt: 100,
		updatedAt: 100,
	});
	expect(created.id).toStartWith("srv_");
	expect(findServer(db, "notes")).toEqual(created);
	expect(findServer(db, "other")).toBeNull();
	expect(codeOf(() => requireServer(db, "other"))).toBe("not_found");
});

test("a slug belongs to one server", () => {
	createServer(db, "notes", SETTINGS, 100);
	expect(codeOf(() => createServer(db, "notes", SETTINGS, 101))).toBe(
		"conflict",
	);
	expect(listServers(db)).toHaveLength(1);
});

test("servers are listed by slug, each with its own slots", () => {
	createServer(db, "zebra", SETTINGS, 100);
	createServer(db, "ant", { ...SETTINGS, slots: [] }, 101);
	expect(
		listServers(db).map(({ slug, slots }) => [slug, slots.length]),
	).toEqual([
		["ant", 0],
		["zebra", 1],
	]);
});

test("a server can be added inside a transaction of the caller's, and goes with it", () => {
	expect(() =>
		transaction(db, () => {
			createServer(db, "notes", SETTINGS, 100);
			throw new Error("undone");
		}),
	).toThrow("undone");
	expect(listServers(db)).toEqual([]);
});

test("a secret stays while its slot and the server's destination stay", () => {
	const { id } = createServer(db, "notes", SETTINGS, 100);
	fill(id, "TOKEN");
	const other: Slot = { ...TOKEN, name: "OTHER", target: "X-Other" };
	const after = updateServer(
		db,
		"notes",
		{
			transport: {
				...SETTINGS.transport,
				kind: "http",
				url: "https://notes.example.org/other",
				mode: "http",
				headers: {},
			},
			slots: [{ ...TOKEN, optional: true }, other],
			enabled: false,
		},
		200,
	);
	expect(after.slots).toEqual([other, { ...TOKEN, optional: true }]);
	expect([after.enabled, after.createdAt, after.updatedAt]).toEqual([
		false,
		100,
		200,
	]);
	expect(filled()).toBe(1);
});

test.each<[string, Partial<ServerSettings>]>([
	[
		"another origin",
		{
			transport: {
				kind: "http",
				url: "https://evil.example.org/mcp",
				mode: "auto",
				headers: {},
			},
		},
	],
	[
		"another kind",
		{ transport: { kind: "command", command: "cat", args: [], env: {} } },
	],
	["another header", { slots: [{ ...TOKEN, target: "X-Other" }] }],
	["another owner", { slots: [{ ...TOKEN, personal: true }] }],
	["no such slot", { slots: [] }],
])(
	"a secret is never sent elsewhere than it was given for: %s forgets it",
	(_, changes) => {
		const { id } = createServer(db, "notes", SETTINGS, 100);
		fill(id, "TOKEN");
		updateServer(db, "notes", changes, 200);
		expect(filled()).toBe(0);
		expect(requireServer(db, "notes").slots).toEqual(
			changes.slots ?? SETTINGS.slots,
		);
	},
);

test("removing a server takes its slots, secrets and package row", () => {
	const { id } = createServer(db, "notes", SETTINGS, 100);
	fill(id, "TOKEN");
	setPackage(db, {
		serverId: id,
		ecosystem: "npm",
		name: "a",
		version: "1.0.0",
		entry: "npm-1.0.0/a.js",
		installedAt: 5,
	});
	deleteServer(db, "notes");
	expect([filled(), findPackage(db, id), listServers(db)]).toEqual([
		0,
		null,
		[],
	]);
	expect(codeOf(() => deleteServer(db, "notes"))).toBe("not_found");
});

test("a server has one installed package: the last", () => {
	const { id } = createServer(db, "notes", SETTINGS, 100);
	const first = {
		serverId: id,
		ecosystem: "npm",
		name: "a",
		version: "1.0.0",
		entry: "npm-1.0.0/a.js",
		installedAt: 5,
	} as const;
	setPackage(db, first);
	setPackage(db, { ...first, version: "2.0.0", entry: "npm-2.0.0/a.js" });
	expect(findPackage(db, id)).toEqual({
		...first,
		version: "2.0.0",
		entry: "npm-2.0.0/a.js",
	});
	deletePackage(db, id);
	expect(findPackage(db, id)).toBeNull();
});

test("who may use a server is decided by its access alone", () => {
	const member = { userId: "usr_m", role: "member" } as const;
	const admin = { userId: "usr_a", role: "admin" } as const;
	const socket = { userId: null, role: "owner" } as const;
	const everyone = [member, admin, socket];
	const allowed = (access: ServerSettings["access"]): boolean[] =>
		everyone.map((person) => mayUse({ access }, person));
	expect(allowed("everyone")).toEqual([true, true, true]);
	expect(allowed("admins")).toEqual([false, true, true]);
	expect(allowed(["usr_m"])).toEqual([true, false, false]);
	expect(allowed([])).toEqual([false, false, false]);
});

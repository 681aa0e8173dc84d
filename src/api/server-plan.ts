/**
 * From what the API was given to a server's settings: which transport it is, what belongs to it, who may use it.
 * Whatever a name shows to be secret is refused as a plain value and sent to a slot, because plain values are
 * stored in clear and shown to administrators.
 */
import { SallyportError } from "../errors.ts";
import { parsePackageSpec } from "../packages/npm-spec.ts";
import type { Database } from "../store/database.ts";
import {
	type Access,
	isSecretName,
	type Server,
	type ServerRules,
	type ServerSettings,
	type Slot,
	type Transport,
} from "../store/servers.ts";
import { requireUserByEmail } from "../store/users.ts";
import type { ServerChanges } from "./server-body.ts";

/** A transport whose npm version may still have to be found out by installing it. */
type PlannedTransport =
	| Exclude<Transport, { kind: "npm" }>
	| (Omit<Extract<Transport, { kind: "npm" }>, "version"> & {
			readonly version: string | undefined;
	  });

export type ServerPlan = Omit<ServerSettings, "transport"> &
	Partial<ServerRules> & { readonly transport: PlannedTransport };

/** The transport's own fields, flat, as the API speaks them. */
type TransportFields = Pick<
	ServerChanges,
	"url" | "mode" | "headers" | "npm" | "command" | "args" | "env"
>;

/** The settings of a new server. @throws SallyportError `invalid` */
export function planServer(
	db: Database,
	slug: string,
	body: ServerChanges,
): ServerPlan {
	return {
		...planWay(slug, body),
		access: body.access === undefined ? "everyone" : accessOf(db, body.access),
		tools: body.tools ?? null,
		enabled: body.enabled ?? true,
		...rulesOf(body),
	};
}

/** How a new server is reached and which secrets it takes: all that can be judged without a store. @throws SallyportError `invalid` */
export function planWay(
	slug: string,
	body: ServerChanges,
): Pick<ServerPlan, "transport" | "slots"> {
	const transport = transportOf(slug, body, body.transportType);
	return { transport, slots: checkedSlots(body.slots ?? [], transport) };
}

/** The settings of a server after these changes. Fields of another kind of transport replace the whole of it. */
export function planChanges(
	db: Database,
	server: Server,
	changes: ServerChanges,
): ServerPlan {
	const before = fieldsOf(server.transport);
	const kind = (["url", "npm", "command"] as const).find(
		(name) => changes[name] !== undefined,
	);
	const stays = kind === undefined || before[kind] !== undefined;
	const transport = transportOf(
		server.slug,
		stays ? { ...before, ...changes } : changes,
		changes.transportType,
	);
	return {
		transport,
		slots: checkedSlots(changes.slots ?? server.slots, transport),
		access:
			changes.access === undefined
				? server.access
				: accessOf(db, changes.access),
		tools: changes.tools === undefined ? server.tools : changes.tools,
		enabled: changes.enabled ?? server.enabled,
		...rulesOf(changes),
	};
}

function rulesOf(body: ServerChanges): Partial<ServerRules> {
	const { destructiveTools, pinning, resultBytesMax } = body;
	return {
		...(destructiveTools !== undefined && { destructiveTools }),
		...(pinning !== undefined && { pinning }),
		...(resultBytesMax !== undefined && { resultBytesMax }),
	};
}

function transportOf(
	slug: string,
	body: TransportFields,
	type: ServerChanges["transportType"],
): PlannedTransport {
	const ways = [body.url, body.npm, body.command].filter(
		(way) => way !== undefined,
	);
	if (ways.length !== 1)
		throw new SallyportError(
			"invalid",
			"a server is reached in exactly one way",
			{
				hint: "give one of url, npm and command",
			},
		);
	if (
		type !== undefined &&
		(type === "streamable_http") !== (body.url !== undefined)
	)
		throw new SallyportError(
			"invalid",
			`transportType ${type} does not fit the other fields`,
			{
				hint: "streamable_http has a url; stdio has npm or command",
			},
		);
	refuseSecrets(slug, "header", body.headers);
	refuseSecrets(slug, "env", body.env);
	if (body.url !== undefined) {
		refuseFields(body, "url", ["args", "env"]);
		refuseSecrets(
			slug,
			"header",
			Object.fromEntries(new URL(body.url).searchParams),
			"query parameter",
		);
		return {
			kind: "http",
			url: body.url,
			mode: body.mode ?? "auto",
			headers: body.headers ?? {},
		};
	}
	refuseFields(body, body.npm === undefined ? "command" : "npm", [
		"mode",
		"headers",
	]);
	const process = { args: body.args ?? [], env: body.env ?? {} };
	if (body.npm === undefined)
		return { kind: "command", command: body.command as string, ...process };
	const { name, version } = parsePackageSpec(body.npm);
	return { kind: "npm", package: name, version, ...process };
}

function fieldsOf(transport: Transport): TransportFields {
	switch (transport.kind) {
		case "http":
			return {
				url: transport.url,
				mode: transport.mode,
				headers: { ...transport.headers },
			};
		case "npm":
			return {
				npm: `${transport.package}@${transport.version}`,
				args: [...transport.args],
				env: { ...transport.env },
			};
		case "command":
			return {
				command: transport.command,
				args: [...transport.args],
				env: { ...transport.env },
			};
	}
}

function refuseFields(
	body: TransportFields,
	kind: string,
	others: readonly (keyof TransportFields)[],
): void {
	const other = others.find((name) => body[name] !== undefined);
	if (other !== undefined)
		throw new SallyportError(
			"invalid",
			`a server with ${kind} has no ${other}`,
			{
				hint: "url has mode and headers; npm and command have args and env",
			},
		);
}

function refuseSecrets(
	slug: string,
	injection: Slot["injection"],
	values: Readonly<Record<string, string>> | undefined,
	what = injection === "env" ? "variable" : "header",
): void {
	const name = Object.keys(values ?? {}).find((candidate) =>
		isSecretName(candidate),
	);
	if (name === undefined) return;
	const slot = name.replaceAll(/[^A-Za-z0-9]+/g, "_").toUpperCase();
	const target = what === "query parameter" ? "Authorization" : name;
	throw new SallyportError(
		"invalid",
		`the ${what} ${name} looks like a secret, and would be kept in clear`,
		{
			hint: `declare a slot with --slot ${slot}=${injection}:${target}, then: sallyport secrets set ${slug} ${slot} < FILE`,
		},
	);
}

function checkedSlots(
	slots: readonly Slot[],
	transport: PlannedTransport,
): readonly Slot[] {
	const injection = transport.kind === "http" ? "header" : "env";
	const seen = new Set<string>();
	for (const slot of slots) {
		if (slot.injection !== injection)
			throw new SallyportError(
				"invalid",
				`the slot ${slot.name} cannot be a ${slot.injection} of this server`,
				{
					hint: "a server with a url takes headers; npm and command take env",
				},
			);
		for (const key of [
			`name ${slot.name}`,
			`target ${slot.target.toLowerCase()}`,
		]) {
			if (seen.has(key))
				throw new SallyportError("invalid", `two slots have the ${key}`, {
					hint: "declare it once",
				});
			seen.add(key);
		}
		if (
			Object.keys(plainValues(transport)).some(
				(name) => name.toLowerCase() === slot.target.toLowerCase(),
			)
		)
			throw new SallyportError(
				"invalid",
				`${slot.target} is both a slot and a plain value`,
				{
					hint: "keep the slot",
				},
			);
	}
	return slots;
}

function plainValues(
	transport: PlannedTransport,
): Readonly<Record<string, string>> {
	return transport.kind === "http" ? transport.headers : transport.env;
}

/** Access with the users' ids. @throws SallyportError `not_found` for an address nobody has */
export function accessOf(
	db: Database,
	access: NonNullable<ServerChanges["access"]>,
): Access {
	return typeof access === "string"
		? access
		: access.map((email) => requireUserByEmail(db, email).id);
}

/**
 * The files in which clients keep their servers: Claude Desktop, Claude Code, Cursor, Windsurf, VS Code, Zed, Gemini
 * CLI and OpenCode (JSON, some with comments), Codex (TOML). Each has its own words for the same few things; from here
 * on there is one. It is a stranger's text: what it says is read, bounded and never run; what is not understood is
 * named, so that nothing gets lost without a word. What becomes of a server is `import.ts`.
 *
 * @see https://code.visualstudio.com/docs/copilot/reference/mcp-configuration
 * @see https://code.claude.com/docs/en/mcp
 */
import { parse as parseToml } from "smol-toml";
import { SallyportError } from "../errors.ts";
import { objectOf } from "../message.ts";

/** A server as a client's file has it. Values are as they stand there, blanks (`${…}`) and all. */
export type ClientServer = {
	/** What it runs, with its arguments; empty for a server on the network. */
	readonly command: readonly string[];
	readonly env: Readonly<Record<string, string>>;
	readonly url: string | null;
	readonly headers: Readonly<Record<string, string>>;
	readonly mode: "auto" | "sse";
	readonly enabled: boolean;
	/** What `servers export` says of it and no client knows. */
	readonly ours: Readonly<Record<string, unknown>>;
	/** Members that are not carried over. */
	readonly leftOut: readonly string[];
};

export type ClientFile = {
	/** Each under its client's name for it, not read yet. */
	readonly servers: readonly (readonly [string, unknown])[];
	/** What VS Code says of the blanks `${input:ID}`, by id. */
	readonly inputs: ReadonlyMap<string, string>;
	/** Members of the file that are not about servers. */
	readonly leftOut: readonly string[];
};

const SERVERS_MAX = 100;
const TEXT_LENGTH_MAX = 200;
const NAME = /^-{0,2}[A-Za-z$_][A-Za-z0-9$_.-]{0,39}$/;

/** Under which members the servers are; `mcp` holds them itself (OpenCode) or has `servers` (VS Code's settings). */
const HOLDERS = [
	"mcpServers",
	"servers",
	"context_servers",
	"mcp_servers",
	"mcp",
];

/** The text of a file as its value: JSON, with comments or without, or TOML. @throws SallyportError `invalid` */
export function parseClientText(text: string): unknown {
	const isJson = /^\s*(?:\{|\/[/*])/.test(text);
	try {
		return isJson ? Bun.JSONC.parse(text) : parseToml(text);
	} catch {
		// The parser's own words may repeat what stands there, which may be a secret.
		throw new SallyportError("invalid", "the file is neither JSON nor TOML", {
			hint: "give the settings file of a client as it is",
		});
	}
}

/** Finds the servers of a file. @throws SallyportError `invalid` when there are none, or too many */
export function readClientFile(value: unknown): ClientFile {
	const file = objectOf(value);
	const nested = objectOf(objectOf(file["mcp"])["servers"]);
	const servers = HOLDERS.flatMap((holder) =>
		Object.entries(
			holder === "mcp" && Object.keys(nested).length > 0
				? nested
				: objectOf(file[holder]),
		),
	);
	if (servers.length === 0)
		throw new SallyportError("invalid", "there are no servers in the file", {
			hint: `they are looked for under ${HOLDERS.join(", ")}`,
		});
	if (servers.length > SERVERS_MAX)
		throw new SallyportError(
			"invalid",
			`there are more than ${SERVERS_MAX} servers in the file`,
			{ hint: "import them in parts; nothing was added" },
		);
	const inputs = [file["inputs"], objectOf(file["mcp"])["inputs"]]
		.flatMap((list) => (Array.isArray(list) ? list : []))
		.map(objectOf);
	return {
		servers,
		inputs: new Map(
			inputs.map((input) => [
				String(input["id"]),
				String(input["description"] ?? "").slice(0, TEXT_LENGTH_MAX),
			]),
		),
		leftOut: namesOf(
			Object.keys(file).filter(
				(name) => ![...HOLDERS, "inputs", "$schema"].includes(name),
			),
		),
	};
}

/** Reads one server. @throws SallyportError `invalid` when something that matters is not what it must be */
export function readClientServer(value: unknown): ClientServer {
	const members = new Map(Object.entries(objectOf(value)));
	const take = (...names: readonly string[]): unknown => {
		const found = names.map((name) => members.get(name));
		for (const name of names) members.delete(name);
		return found.find((one) => one !== undefined && one !== null);
	};
	const command = commandOf(take("command", "cmd"), take("args"));
	const type = textOf("type", take("type", "transport")) ?? "";
	const off = take("disabled") === true || take("enabled") === false;
	const token = textOf("bearer_token_env_var", take("bearer_token_env_var"));
	take("source", "name"); // Zed: where it is from; the name is the key already
	const server: Omit<ClientServer, "leftOut"> = {
		command: command.argv,
		env: { ...command.env, ...textsOf("env", take("env", "environment")) },
		url: textOf("url", take("url", "serverUrl", "httpUrl")),
		headers: {
			...textsOf("headers", take("headers", "http_headers")),
			...Object.fromEntries(
				Object.entries(
					textsOf("env_http_headers", take("env_http_headers")),
				).map(([header, variable]) => [header, `\${${variable}}`]),
			),
			...(token === null ? {} : { Authorization: `Bearer \${${token}}` }),
		},
		mode: type.startsWith("sse") ? "sse" : "auto",
		enabled: !off,
		ours: objectOf(take("sallyport")),
	};
	if ((server.url === null) === (server.command.length === 0))
		throw new SallyportError(
			"invalid",
			server.url === null
				? "it has neither a command nor a url"
				: "it has both a command and a url",
			{ hint: "a server has one of them" },
		);
	return { ...server, leftOut: namesOf([...members.keys()]) };
}

/** A program and its arguments: apart, as one list (OpenCode), or as an object (Zed, formerly). */
function commandOf(
	command: unknown,
	args: unknown,
): {
	readonly argv: readonly string[];
	readonly env: Readonly<Record<string, string>>;
} {
	const rest = listOf("args", args);
	if (Array.isArray(command))
		return { argv: [...listOf("command", command), ...rest], env: {} };
	if (typeof command === "object") {
		const { path, args: more, env } = objectOf(command);
		return {
			argv: [
				textOf("command.path", path) ?? "",
				...listOf("command.args", more),
				...rest,
			],
			env: textsOf("command.env", env),
		};
	}
	const program = textOf("command", command) ?? "";
	return { argv: program === "" ? [] : [program, ...rest], env: {} };
}

function textOf(name: string, value: unknown): string | null {
	if (value === undefined) return null;
	if (typeof value === "string") return value;
	throw misread(name, "a text");
}

function listOf(name: string, value: unknown): readonly string[] {
	if (value === undefined) return [];
	if (Array.isArray(value) && value.every((one) => typeof one === "string"))
		return value;
	throw misread(name, "a list of texts");
}

/** Names and texts; numbers and switches are written as programs read them, and nothing is left out. */
function textsOf(
	name: string,
	value: unknown,
): Readonly<Record<string, string>> {
	if (value === undefined) return {};
	if (typeof value !== "object" || Array.isArray(value))
		throw misread(name, "names and texts");
	return Object.fromEntries(
		Object.entries(objectOf(value))
			.filter(([, one]) => one !== null)
			.map(([key, one]) => {
				if (!["string", "number", "boolean"].includes(typeof one))
					throw misread(name, "names and texts");
				return [key, String(one)];
			}),
	);
}

function misread(name: string, what: string): SallyportError {
	return new SallyportError("invalid", `its ${name} must be ${what}`, {
		hint: "correct the file and import it again",
	});
}

/** Names that a stranger chose, shown as far as they look like some. */
export function namesOf(names: readonly string[]): readonly string[] {
	return names.map((name) => (NAME.test(name) ? name : "(another)"));
}

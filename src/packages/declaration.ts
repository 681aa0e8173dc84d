/**
 * What a server declares it needs, whoever declares it: an entry of our catalogue, or a `server.json` of the registry.
 * One shape for both, from which a form is made; and what becomes of the form: settings for the API, and secrets apart
 * from them. Text here may be a stranger's: it is shown, never run.
 *
 * @see https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json
 */
import { isSecretName } from "../store/servers.ts";

export type DeclaredInput = {
	/** What the form calls it: `env:API_KEY`, `header:Authorization`, `argument:0`. */
	readonly key: string;
	readonly kind: "env" | "header" | "argument";
	/** The variable's or header's name; the flag before an argument, or empty. */
	readonly target: string;
	readonly label: string;
	readonly help: string;
	readonly secret: boolean;
	/** Whether each person has their own. */
	readonly personal: boolean;
	readonly required: boolean;
	readonly fallback: string;
	readonly choices: readonly string[];
	readonly placeholder: string;
	readonly format: "string" | "number" | "boolean";
	/** Several values, one a line. */
	readonly multiple: boolean;
	/** Goes before the value: `Bearer `. */
	readonly prefix: string;
	/** Where to get it. */
	readonly link: string | null;
};

export type DeclaredWay =
	| { readonly kind: "remote"; readonly url: string }
	| {
			readonly kind: "npm";
			readonly package: string;
			readonly version: string;
			/** Before the arguments that are asked for. */
			readonly args: readonly string[];
	  };

export type Declaration = {
	readonly name: string;
	/** What it does, in a line. */
	readonly summary: string;
	readonly way: DeclaredWay;
	/** How one proves who one is to it: not at all, with keys that are asked for, or by signing in over OAuth. */
	readonly signIn: "none" | "key" | "oauth";
	readonly inputs: readonly DeclaredInput[];
	/** What it says itself and nobody is asked for. */
	readonly fixed: {
		readonly env: Readonly<Record<string, string>>;
		readonly headers: Readonly<Record<string, string>>;
	};
	readonly docs: string | null;
};

/** What the API takes (`server-body.ts`), but for the name. */
export type DeclaredSettings = {
	readonly url?: string;
	readonly npm?: string;
	readonly args?: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
	readonly headers?: Readonly<Record<string, string>>;
	readonly slots: readonly {
		readonly name: string;
		readonly injection: "env" | "header";
		readonly target: string;
		readonly personal: boolean;
		readonly optional: boolean;
	}[];
};

export type Settled = {
	readonly settings: DeclaredSettings;
	/** Values for the slots, by slot name; as they are to be stored. */
	readonly secrets: ReadonlyMap<string, string>;
	/** What is wrong with what was typed, by input key. */
	readonly problems: ReadonlyMap<string, string>;
};

type Json = Readonly<Record<string, unknown>>;

const TEXT_LENGTH_MAX = 300;
const INPUTS_MAX = 40;
const VALUES_MAX = 20;

/** An input with what is usual, but for what is said. */
export function declareInput(
	input: Pick<DeclaredInput, "kind" | "target" | "label"> &
		Partial<DeclaredInput>,
): DeclaredInput {
	const secret = input.secret ?? isSecretName(input.target);
	return {
		key: `${input.kind}:${input.target}`,
		help: "",
		personal: false,
		required: false,
		fallback: "",
		choices: [],
		placeholder: "",
		format: "string",
		multiple: false,
		prefix: "",
		link: null,
		...input,
		// A name that says "secret" is never kept in clear, whatever its owner says of it.
		secret: input.kind !== "argument" && (secret || isSecretName(input.target)),
	};
}

/** Judges what was typed and turns it into settings and secrets. */
export function settleDeclaration(
	{ way, inputs, fixed }: Declaration,
	typed: (key: string) => string,
): Settled {
	const problems = new Map<string, string>();
	const secrets = new Map<string, string>();
	const slots: DeclaredSettings["slots"][number][] = [];
	const plain = { env: { ...fixed.env }, header: { ...fixed.headers } };
	const args = way.kind === "npm" ? [...way.args] : [];
	for (const input of inputs) {
		const value =
			typed(input.key).trim() || (input.secret ? "" : input.fallback);
		const problem = judge(input, value);
		if (problem !== null) problems.set(input.key, problem);
		else if (input.kind === "argument") args.push(...argumentsOf(input, value));
		else if (input.secret) {
			const name = slotName(input.target);
			slots.push({
				name,
				injection: input.kind,
				target: input.target,
				personal: input.personal,
				optional: !input.required,
			});
			if (value !== "") secrets.set(name, withPrefix(input, value));
		} else if (value !== "")
			plain[input.kind][input.target] = withPrefix(input, value);
	}
	const settings: DeclaredSettings =
		way.kind === "remote"
			? { url: way.url, headers: plain.header, slots }
			: {
					npm: `${way.package}@${way.version}`,
					args,
					env: plain.env,
					slots,
				};
	return { settings, secrets, problems };
}

/** The slot that a secret input becomes. */
export function slotName(target: string): string {
	return target.replace(/[^A-Za-z0-9]+/g, "_").toUpperCase();
}

function judge(input: DeclaredInput, value: string): string | null {
	if (value === "")
		// A personal one is each person's to give; whoever adds the server may have none.
		return input.required && !input.personal ? `Enter ${input.label}.` : null;
	if (/[\0\r]/.test(value) || (!input.multiple && value.includes("\n")))
		return `${input.label} is one line.`;
	if (input.choices.length > 0 && !input.choices.includes(value))
		return `${input.label} is one of ${input.choices.join(", ")}.`;
	if (input.format === "number" && !Number.isFinite(Number(value)))
		return `${input.label} is a number.`;
	return null;
}

function argumentsOf(input: DeclaredInput, value: string): readonly string[] {
	const values = (input.multiple ? value.split("\n") : [value])
		.map((line) => line.trim())
		.filter(Boolean)
		.slice(0, VALUES_MAX);
	return input.target === ""
		? values
		: values.flatMap((one) => [input.target, one]);
}

function withPrefix({ prefix }: DeclaredInput, value: string): string {
	return prefix !== "" && !value.startsWith(prefix) ? prefix + value : value;
}

/**
 * Reads a `server.json`: one declaration for each way we can run it, the one on the network first. Old files and some
 * registries write snake case; both are read. Null when there is no way, or it is no such file.
 */
export function readServerJson(value: unknown): readonly Declaration[] | null {
	const file = object(value);
	const name = text(file["title"]) || text(file["name"]);
	if (name === "") return null;
	const common = {
		name,
		summary: text(file["description"]),
		docs: link(file["websiteUrl"] ?? file["website_url"]),
	};
	const remotes = list(file["remotes"]).flatMap((remote) => {
		const url = text(remote["url"], 2000);
		// A URL with blanks in it is somebody's own: it is asked for as a custom server.
		if (!url.startsWith("https://") || url.includes("{")) return [];
		const { inputs, fixed } = readInputs(remote["headers"], "header");
		return [
			{
				...common,
				way: { kind: "remote" as const, url },
				signIn: signInOf(inputs, "oauth"),
				inputs,
				fixed: { env: {}, headers: fixed },
			},
		];
	});
	const packages = list(file["packages"]).flatMap((entry) => {
		const kind = text(entry["registryType"] ?? entry["registry_type"]);
		const version = text(entry["version"]);
		if (kind !== "npm" || version === "") return [];
		const { inputs, fixed } = readInputs(
			entry["environmentVariables"] ?? entry["environment_variables"],
			"env",
		);
		const rest = readArguments(
			entry["packageArguments"] ?? entry["package_arguments"],
		);
		return [
			{
				...common,
				way: {
					kind: "npm" as const,
					package: text(entry["identifier"]),
					version,
					args: rest.fixed,
				},
				signIn: signInOf(inputs, "none"),
				inputs: [...inputs, ...rest.inputs].slice(0, INPUTS_MAX),
				fixed: { env: fixed, headers: {} },
			},
		];
	});
	const found = [...remotes, ...packages];
	return found.length === 0 ? null : found;
}

function signInOf(
	inputs: readonly DeclaredInput[],
	otherwise: "oauth" | "none",
): Declaration["signIn"] {
	return inputs.some(({ secret }) => secret) ? "key" : otherwise;
}

function readInputs(
	value: unknown,
	kind: "env" | "header",
): {
	readonly inputs: readonly DeclaredInput[];
	readonly fixed: Readonly<Record<string, string>>;
} {
	const inputs: DeclaredInput[] = [];
	const fixed: Record<string, string> = {};
	for (const entry of list(value).slice(0, INPUTS_MAX)) {
		const target = text(entry["name"]);
		const given = text(entry["value"], 2000);
		// `Bearer {token}`: one blank at the end is the input, and what is before it a prefix.
		const blank = /^([^{}]*)\{([^{}]+)\}$/.exec(given);
		if (target === "") continue;
		if (given !== "" && !blank) fixed[target] = given;
		else {
			const variable = blank
				? object(object(entry["variables"])[blank[2] ?? ""])
				: entry;
			inputs.push(readInput(kind, target, variable, blank?.[1] ?? ""));
		}
	}
	return { inputs, fixed };
}

function readArguments(value: unknown): {
	readonly inputs: readonly DeclaredInput[];
	readonly fixed: readonly string[];
} {
	const inputs: DeclaredInput[] = [];
	const fixed: string[] = [];
	for (const [at, entry] of list(value).slice(0, INPUTS_MAX).entries()) {
		const flag = text(entry["type"]) === "named" ? text(entry["name"]) : "";
		const given = text(entry["value"], 2000);
		if (given !== "" && !given.includes("{"))
			fixed.push(...(flag === "" ? [given] : [flag, given]));
		else
			inputs.push({
				...readInput("argument", flag, entry, ""),
				key: `argument:${at}`,
				label:
					text(entry["valueHint"] ?? entry["value_hint"]) ||
					flag.replace(/^-+/, "") ||
					"Argument",
			});
	}
	return { inputs, fixed };
}

function readInput(
	kind: DeclaredInput["kind"],
	target: string,
	entry: Json,
	prefix: string,
): DeclaredInput {
	const format = text(entry["format"]);
	const isSecret = entry["isSecret"] ?? entry["is_secret"];
	return declareInput({
		kind,
		target,
		prefix,
		label: humanised(target),
		help: text(entry["description"]),
		required: (entry["isRequired"] ?? entry["is_required"]) === true,
		fallback: text(entry["default"]),
		placeholder: text(entry["placeholder"]),
		choices: strings(entry["choices"]),
		format: format === "number" || format === "boolean" ? format : "string",
		multiple: (entry["isRepeated"] ?? entry["is_repeated"]) === true,
		...(typeof isSecret === "boolean" && { secret: isSecret }),
		personal: false,
	});
}

/** `GITHUB_API_TOKEN` → `Github API token`. */
function humanised(name: string): string {
	const words = name
		.split(/[^A-Za-z0-9]+/)
		.filter(Boolean)
		.map((word) =>
			/^(api|id|url|uri|http|ssl|db)$/i.test(word)
				? word.toUpperCase()
				: word.toLowerCase(),
		)
		.join(" ");
	return words.charAt(0).toUpperCase() + words.slice(1);
}

function object(value: unknown): Json {
	return typeof value === "object" && value !== null && !Array.isArray(value)
		? (value as Json)
		: {};
}

function list(value: unknown): readonly Json[] {
	return Array.isArray(value) ? value.map(object) : [];
}

function strings(value: unknown): readonly string[] {
	return Array.isArray(value)
		? value.filter((one): one is string => typeof one === "string").slice(0, 50)
		: [];
}

/** One line of at most so much. */
function text(value: unknown, lengthMax = TEXT_LENGTH_MAX): string {
	return typeof value === "string"
		? value.replace(/\s+/g, " ").trim().slice(0, lengthMax)
		: "";
}

function link(value: unknown): string | null {
	const url = text(value, 2000);
	return url.startsWith("https://") && URL.canParse(url) ? url : null;
}

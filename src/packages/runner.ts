/**
 * Command lines of clients that are something else in disguise: `npx …` and its like are an npm package, which we
 * install and run ourselves; `npx mcp-remote URL` is a server on the network, spoken to by a program that we do not need.
 */
import { SallyportError } from "../errors.ts";

type Headers = Readonly<Record<string, string>>;

/** What a command line comes to. */
export type Way =
	| {
			readonly kind: "npm";
			readonly npm: string;
			readonly args: readonly string[];
	  }
	| {
			readonly kind: "command";
			readonly command: string;
			readonly args: readonly string[];
	  }
	| {
			readonly kind: "remote";
			readonly url: string;
			readonly mode: "auto" | "sse";
			readonly headers: Headers;
			/** Flags that only the program in between needed. */
			readonly leftOut: readonly string[];
	  };

/** How each runner is told to run a package, before the package. */
const RUNNERS: Readonly<Record<string, readonly string[]>> = {
	npx: [],
	bunx: [],
	pnpx: [],
	npm: ["exec", "x"],
	pnpm: ["dlx"],
	yarn: ["dlx"],
	bun: ["x"],
};
/** What they may be told that says nothing of what is run. */
const QUIET =
	/^(?:-y|--yes|-q|--quiet|--silent|--bun|--prefer-(?:offline|online)|--)$/;
const MCP_REMOTE = /^mcp-remote(?:@|$)/;
/** Flags of mcp-remote that are followed by a value; the others stand alone. */
const REMOTE_VALUES =
	/^--(?:host|resource|auth-timeout|ignore-tool|static-oauth-client-(?:metadata|info))$/;

/** What it really runs. @throws SallyportError `invalid` when a package is run in a way that ours is not */
export function wayOf(argv: readonly string[]): Way {
	const [command = "", ...args] = withoutShell(argv);
	const words = RUNNERS[programOf(command)];
	const verb = args[0] ?? "";
	if (!words || (words.length > 0 && !words.includes(verb)))
		return { kind: "command", command, args };
	const { npm, rest } = packageOf(words.length > 0 ? args.slice(1) : args);
	return MCP_REMOTE.test(npm)
		? remoteOf(rest)
		: { kind: "npm", npm, args: rest };
}

/** On Windows `npx` is a script, and is run as `cmd /c npx …`. */
function withoutShell(argv: readonly string[]): readonly string[] {
	return programOf(argv[0] ?? "") === "cmd" && /^\/c$/i.test(argv[1] ?? "")
		? argv.slice(2)
		: argv;
}

/** `/usr/bin/npx`, `C:\…\npx.cmd` → `npx` */
function programOf(command: string): string {
	const name = command.split(/[\\/]/).at(-1) ?? "";
	return name.replace(/\.(?:cmd|exe)$/i, "").toLowerCase();
}

function packageOf(words: readonly string[]): {
	readonly npm: string;
	readonly rest: readonly string[];
} {
	const at = words.findIndex((word) => !QUIET.test(word));
	const npm = words[at] ?? "";
	if (npm === "" || npm.startsWith("-"))
		throw new SallyportError(
			"invalid",
			npm === ""
				? "it names no package to run"
				: `it runs a package with ${npm.split("=")[0]}, which is not known here`,
			{ hint: "add it by its package: sallyport servers add SLUG --npm PKG" },
		);
	return { npm, rest: words.slice(at + 1) };
}

function remoteOf(args: readonly string[]): Way {
	let url: string | null = null;
	let mode: "auto" | "sse" = "auto";
	const headers: Record<string, string> = {};
	const leftOut: string[] = [];
	for (let at = 0; at < args.length; at++) {
		const word = args[at] ?? "";
		if (word === "--header") {
			const text = args[++at] ?? "";
			const colon = text.indexOf(":");
			// Never repeated: it may be a secret.
			if (colon < 1)
				throw new SallyportError("invalid", "a --header of it has no name", {
					hint: "a header looks like Name: value",
				});
			headers[text.slice(0, colon).trim()] = text.slice(colon + 1).trim();
		} else if (word === "--transport")
			mode = args[++at] === "sse-only" ? "sse" : "auto";
		else if (word.startsWith("-")) {
			leftOut.push(word.split("=")[0] ?? "");
			if (REMOTE_VALUES.test(word)) at++;
		} else url ??= word; // what follows is the port where mcp-remote waits for a sign-in
	}
	if (url !== null) return { kind: "remote", url, mode, headers, leftOut };
	throw new SallyportError("invalid", "it runs mcp-remote without a URL", {
		hint: "add it by its URL: sallyport servers add SLUG --url URL",
	});
}

/** Types, lint, format, the tidy test and the unit tests; then the ten longest files and functions, for the eye. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { install, ROOT, run } from "./install.ts";

install();
run(["x", "tsc", "-p", "."]);
run(["x", "biome", "check", "--config-path=.biome.json", "."]);
run([".ci/test.ts", "unit"]);

type Length = { readonly what: string; readonly lines: number };

const files = readdirSync(join(ROOT, "src"), {
	recursive: true,
	encoding: "utf8",
})
	.filter((name) => /\.tsx?$/.test(name))
	.map((name) => ({
		name: `src/${name}`,
		lines: readFileSync(join(ROOT, "src", name), "utf8").split("\n"),
	}));

/** A function ends at the first line that closes at its own indentation. */
function functions({ name, lines }: (typeof files)[number]): readonly Length[] {
	return lines.flatMap((line, start) => {
		const match =
			/^(\s*)(?:export )?(?:async )?(?:function (\w+)|const (\w+) = (?:async )?\()/.exec(
				line,
			);
		if (!match) return [];
		const close = `${match[1]}}`;
		const length = lines
			.slice(start)
			.findIndex((candidate) => candidate.startsWith(close));
		return length < 0
			? []
			: [{ what: `${name} ${match[2] ?? match[3]}`, lines: length + 1 }];
	});
}

function longest(title: string, lengths: readonly Length[]): void {
	const top = [...lengths].sort((a, b) => b.lines - a.lines).slice(0, 10);
	console.log(`\n${title}`);
	for (const { what, lines } of top)
		console.log(`${String(lines).padStart(5)}  ${what}`);
}

longest(
	"longest files",
	files.map(({ name, lines }) => ({ what: name, lines: lines.length })),
);
longest("longest functions", files.flatMap(functions));

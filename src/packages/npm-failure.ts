/**
 * What the installer's words mean, in ours. Its output names registries, paths and proxies, so none of it is shown:
 * it is only read for a cause.
 */
import { SallyportError } from "../errors.ts";
import type { PackageSpec } from "./npm-spec.ts";

type Cause = {
	readonly sign: RegExp;
	readonly explain: (spec: PackageSpec) => SallyportError;
};

/** In order: the first sign that is found wins. */
const CAUSES: readonly Cause[] = [
	{
		sign: /No version matching|failed to resolve|no matching version/i,
		explain: ({ name, version }) =>
			new SallyportError(
				"not_found",
				`the npm package ${name} has no version ${version ?? "latest"}`,
				{
					hint: `leave the version out to get the latest: --npm ${name}`,
				},
			),
	},
	{
		sign: /- 404\b|\b404 Not Found/i,
		explain: ({ name }) =>
			new SallyportError(
				"not_found",
				`the npm package ${name}, or one it needs, does not exist`,
				{
					hint: "check the name's spelling",
				},
			),
	},
	{
		sign: /- 40[13]\b/,
		explain: ({ name }) =>
			new SallyportError(
				"upstream",
				`the npm registry refused to hand out ${name}`,
				{
					hint: "a private package needs the registry's credentials in this user's .npmrc",
				},
			),
	},
	{
		sign: /ENOSPC|NoSpaceLeft|No space left/i,
		explain: () =>
			new SallyportError("unavailable", "the disk is full", {
				hint: "make room in the data directory and try again",
			}),
	},
	{
		sign: /integrity check failed/i,
		explain: ({ name }) =>
			new SallyportError(
				"upstream",
				`what the npm registry sent for ${name} does not match its checksum`,
				{
					hint: "try again; if it happens again, something between here and the registry changes what it carries",
				},
			),
	},
	{
		sign: /CERT|certificate|SELF_SIGNED|unable to verify/i,
		explain: () =>
			new SallyportError(
				"upstream",
				"the npm registry's certificate is not trusted on this machine",
				{
					hint: "name your network's CA in NODE_EXTRA_CA_CERTS or SSL_CERT_FILE",
				},
			),
	},
	{
		sign: /Connection|FailedToOpenSocket|ENOTFOUND|EAI_AGAIN|Timeout|Unreachable|DNS|- 5\d\d\b|- 429\b/i,
		explain: () =>
			new SallyportError("upstream", "the npm registry cannot be reached", {
				hint: "check this machine's network, and HTTPS_PROXY or NPM_CONFIG_REGISTRY if it uses one",
			}),
	},
];

/** The failure of an install. @param killed it did not end by itself: it took too long, or was asked to stop */
export function explainFailure(
	spec: PackageSpec,
	output: string,
	killed: boolean,
): SallyportError {
	if (killed)
		return new SallyportError(
			"upstream",
			`installing ${spec.name} did not finish in time`,
			{
				hint: "check this machine's network and try again; nothing was changed",
			},
		);
	const cause = CAUSES.find(({ sign }) => sign.test(output));
	return (
		cause?.explain(spec) ??
		new SallyportError(
			"upstream",
			`the npm package ${spec.name} could not be installed`,
			{
				hint: "try it by hand in an empty folder to see why: npm install --ignore-scripts",
			},
		)
	);
}

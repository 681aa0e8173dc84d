/**
 * How a person names an npm package: `name` or `name@version`. Both become arguments and folders, so nothing is
 * accepted that npm itself would not publish; ranges are not, because what is installed must be one thing.
 *
 * @see https://docs.npmjs.com/cli/configuring-npm/package-json (name) and https://semver.org
 */
import { SallyportError } from "../errors.ts";

const NAME_LENGTH_MAX = 214;
const NAME =
	/^(?:@[a-z0-9~-][a-z0-9._~-]*\/[a-z0-9~-]|[a-z0-9~])[a-z0-9._~-]*$/;
const VERSION =
	/^\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?$/;
const TAG = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;

/** A package as a person names it: `name` or `name@version`, the version exact or a dist-tag. */
export type PackageSpec = {
	readonly name: string;
	readonly version: string | undefined;
};

/** Reads `name` or `name@version`. @throws SallyportError `invalid` when either could be anything but that */
export function parsePackageSpec(text: string): PackageSpec {
	const at = text.indexOf("@", 1);
	const name = at < 0 ? text : text.slice(0, at);
	const version = at < 0 ? undefined : text.slice(at + 1);
	if (name.length > NAME_LENGTH_MAX || !NAME.test(name) || name.includes(".."))
		throw new SallyportError(
			"invalid",
			"that is not the name of an npm package",
			{
				hint: "a package looks like some-server, @scope/some-server or @scope/some-server@1.2.3",
			},
		);
	if (version !== undefined && !VERSION.test(version) && !TAG.test(version))
		throw new SallyportError("invalid", `that is not a version of ${name}`, {
			hint: `a version looks like 1.2.3 or latest: ${name}@1.2.3`,
		});
	return { name, version };
}

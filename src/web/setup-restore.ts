/** Restoring through the first page: a file and what opens it. The gateway starts anew with it afterwards. */
import { SallyportError, sentence } from "../errors.ts";
import { OAuthError } from "../oauth/oauth-error.ts";
import type { Parameters } from "../oauth/parameters.ts";
import { isClaimed, requireSetupLink } from "../ops/setup.ts";
import type { Route } from "../route.ts";
import { boundForm, readBoundForm } from "./bound-form.ts";
import { seeOther } from "./layout.tsx";
import type { Limited } from "./links.ts";
import type { Site } from "./pages.ts";
import { restoredPage, restorePage } from "./setup/restore.tsx";
import type { Wrong } from "./setup/step.tsx";
import { findSetupToken } from "./visitor.ts";

const PATH = "/setup/restore";
const ACTION = "setup restore";
const MEBIBYTES_MAX = 64;
const BYTES_MAX = MEBIBYTES_MAX * 1024 * 1024;
/** The other fields, and what multipart adds. */
const EXTRA_BYTES = 64 * 1024;

export function restoreRoutes(site: Site, limited: Limited): readonly Route[] {
	return [
		{
			method: "GET",
			path: PATH,
			handler: (request) => limited(request, () => ask(site, request)),
		},
		{
			method: "POST",
			path: PATH,
			handler: (request) => {
				return limited(request, () => restore(site, request));
			},
		},
	];
}

function ask(site: Site, request: Request): Response {
	const refused = refuse(site, request);
	return refused ?? show(site, request);
}

/** Only for whoever holds the link; nothing is read from anyone else. */
function refuse(site: Site, request: Request): Response | null {
	const token = findSetupToken(site, request);
	if (isClaimed(site.db) || token === null) return seeOther("/setup");
	requireSetupLink(site, token);
	return null;
}

function show(
	site: Site,
	request: Request,
	problems: readonly Wrong[] = [],
	status = 200,
): Response {
	return restorePage({
		...boundForm(site, request, ACTION),
		mebibytesMax: MEBIBYTES_MAX,
		status,
		problems,
	});
}

async function restore(site: Site, request: Request): Promise<Response> {
	const refused = refuse(site, request);
	if (refused) return refused;
	const length = Number(request.headers.get("content-length") ?? 0);
	if (length > BYTES_MAX + EXTRA_BYTES)
		return show(
			site,
			request,
			[
				{
					field: "backup",
					text: `This file is larger than ${MEBIBYTES_MAX} MiB. Copy it to the machine and run there: sallyport restore FILE`,
				},
			],
			413,
		);
	let file: File | null = null;
	const form = await readBoundForm(site, request, ACTION, async (given) => {
		const data = await readUpload(given);
		const found = data.get("backup");
		file = found instanceof File && found.size > 0 ? found : null;
		return parametersOf(data);
	});
	if (form instanceof Response) return form;
	const chosen = file as File | null;
	const key = form.get("key");
	if (chosen === null || key === null)
		return show(
			site,
			request,
			[
				chosen === null
					? { field: "backup", text: "Choose a backup." }
					: { field: "key", text: "Enter its passphrase or recovery code." },
			],
			400,
		);
	try {
		const bytes = new Uint8Array(await chosen.arrayBuffer());
		return restoredPage(await site.desk.restore(bytes, key));
	} catch (error) {
		if (!(error instanceof SallyportError) || error.code === "internal")
			throw error;
		const hint = error.hint === undefined ? "" : ` ${sentence(error.hint)}`;
		const field = error.code === "forbidden" ? "key" : "backup";
		return show(
			site,
			request,
			[
				{
					field,
					text: `${sentence(error.message)}${hint} Nothing was changed.`,
				},
			],
			400,
		);
	}
}

async function readUpload(request: Request): Promise<FormData> {
	try {
		return (await request.formData()) as FormData;
	} catch {
		throw new OAuthError("invalid_request", "the body is not a form", {
			status: 415,
		});
	}
}

function parametersOf(data: FormData): Parameters {
	const get = (name: string): string | null => {
		const value = data.get(name);
		return typeof value === "string" && value !== "" ? value : null;
	};
	return { get, has: (name) => get(name) !== null, repeated: new Set() };
}

/**
 * `/seen`: what a client sees at an endpoint right now, and what it does not see and why. A member sees what is shown
 * to themselves; an administrator may look as anyone. `?endpoint=` and `?user=`.
 */
import { effectiveTools } from "../ops/effective.ts";
import { may } from "../rights.ts";
import type { Route } from "../route.ts";
import { maySee } from "../store/servers.ts";
import { listToolsets } from "../store/toolsets.ts";
import { listUsers } from "../store/users.ts";
import { seenPage } from "./dashboard/seen.tsx";
import { admitVisitor, briefly } from "./guard.ts";
import type { Site } from "./pages.ts";

const PATH = "/seen";

export function seenRoutes(site: Site): readonly Route[] {
	return [
		{
			method: "GET",
			path: PATH,
			handler: (request) => {
				return show(site, request);
			},
		},
	];
}

async function show(site: Site, request: Request): Promise<Response> {
	const { search, searchParams } = new URL(request.url);
	const place = { path: PATH + search, dangerous: false };
	const visitor = admitVisitor(site, request, place);
	if (visitor instanceof Response) return visitor;
	const { login } = visitor;
	const administers = may(login.role, "run the gateway");
	const users = administers ? listUsers(site.db) : [];
	const person = users.find(({ email }) => email === searchParams.get("user"));
	const { userId, role, email } = person
		? { userId: person.id, role: person.role, email: person.email }
		: login;
	const slugs = [
		...site.directory
			.servers()
			.filter((server) => maySee(server, login))
			.map(({ slug }) => slug),
		...listToolsets(site.db)
			.filter((toolset) => maySee(toolset, login))
			.map(({ slug }) => slug),
	];
	const slug =
		slugs.find((each) => `/mcp/${each}` === searchParams.get("endpoint")) ??
		null;
	const seen = await effectiveTools(
		site,
		{ userId, role, clientId: "", grantId: null, scopes: ["mcp"] },
		slug,
		briefly(request),
	);
	return seenPage({
		// A member is not told of what they may not use.
		seen: administers ? seen : { ...seen, hiddenServers: [] },
		endpoints: ["/mcp", ...slugs.map((each) => `/mcp/${each}`)],
		user: email,
		users: users.map((user) => user.email),
		administers,
	});
}

/**
 * `/connect/<slug>` and its callback: a person connects an account, or gives a secret of their own, to a server.
 * `/connections`: all that they connected. Whoever opens these is asked who they are, and connects for themselves: a
 * link that a client shows gives nothing away, and cannot connect somebody else's account to one's own calls.
 */
import { SallyportError } from "../errors.ts";
import { type Parameters, readForm } from "../oauth/parameters.ts";
import { putSecret } from "../ops/secrets.ts";
import type { Params, Route } from "../route.ts";
import { listConnections } from "../store/connections.ts";
import { listSecrets } from "../store/secrets.ts";
import {
	findServer,
	listServers,
	mayUse,
	type Server,
	unknownServer,
} from "../store/servers.ts";
import { redirectUriOf } from "../upstream/connect.ts";
import { missingSlots } from "../upstream/credentials.ts";
import {
	connectPage,
	type OwnSecret,
	type SignIn,
} from "./connect/connect.tsx";
import {
	connectedPage,
	leavingPage,
	signedOutPage,
} from "./connect/outcome.tsx";
import { connectionsPage, type Standing } from "./dashboard/connections.tsx";
import { isOwnPost } from "./forms.ts";
import { seeOther } from "./layout.tsx";
import { staleFormPage } from "./oauth/error.tsx";
import type { Site } from "./pages.ts";
import { isSettingUp } from "./setup.ts";
import { findVisitor, type Visitor } from "./visitor.ts";

const LIST_ACTION = "connections";

export function connectRoutes(site: Site): readonly Route[] {
	return [
		{
			method: "GET",
			path: "/connect/:slug",
			handler: (request, params) => show(site, request, params),
		},
		{
			method: "POST",
			path: "/connect/:slug",
			handler: (request, params) => decide(site, request, params),
		},
		{
			method: "GET",
			path: "/connect/:slug/callback",
			handler: (request, params) => comeBack(site, request, params),
		},
		{
			method: "GET",
			path: "/connections",
			handler: (request) => list(site, request),
		},
		{
			method: "POST",
			path: "/connections",
			handler: (request) => change(site, request),
		},
	];
}

async function show(
	site: Site,
	request: Request,
	params: Params,
): Promise<Response> {
	const { pathname, searchParams } = new URL(request.url);
	const visitor = findVisitor(site, request);
	if (!visitor)
		return seeOther(`/login?${new URLSearchParams({ next: pathname })}`);
	const server = serverOf(site, visitor, params);
	return connectPage({
		slug: server.slug,
		email: visitor.login.email,
		isAdmin: visitor.login.role !== "member",
		signIn: server.signsIn
			? await signInOf(site, request, server, visitor)
			: null,
		secrets: ownSecrets(site, server, visitor),
		csrf: site.forms.issue(bindingOf(visitor), actionOf(server)),
		saved: searchParams.has("saved"),
	});
}

async function decide(
	site: Site,
	request: Request,
	params: Params,
): Promise<Response> {
	const visitor = findVisitor(site, request);
	if (!visitor || !isOwnPost(request, site.issuer)) return staleFormPage();
	const server = serverOf(site, visitor, params);
	const form = await readForm(request);
	if (
		!site.forms.isValid(bindingOf(visitor), actionOf(server), form.get("csrf"))
	)
		return staleFormPage();
	switch (form.get("do")) {
		case "sign-in": {
			if (!isAtHome(site, request)) return seeOther(`/connect/${server.slug}`);
			const url = await site.connections.begin(server, {
				userId: visitor.login.userId,
				loginHash: visitor.hash,
			});
			return leavingPage(new URL(url).host, url);
		}
		case "disconnect":
			await disconnect(site, server, visitor);
			return seeOther("/connections");
		case "secrets":
			await saveSecrets(site, server, visitor, form);
			return seeOther(`/connect/${server.slug}?saved`);
		case "client":
			await saveClient(site, server, visitor, form);
			return seeOther(`/connect/${server.slug}`);
		default:
			throw new SallyportError("invalid", "the form does not say what to do");
	}
}

/** A service sends the browser back. Who did not go out from here in this login is not let in (attack list 56, 89). */
async function comeBack(
	site: Site,
	request: Request,
	params: Params,
): Promise<Response> {
	const visitor = findVisitor(site, request);
	if (!visitor) return signedOutPage(params["slug"] ?? "");
	const server = serverOf(site, visitor, params);
	await site.connections.finish(
		server,
		{ userId: visitor.login.userId, loginHash: visitor.hash },
		new URL(request.url).searchParams,
	);
	return connectedPage(server.slug, isSettingUp(site, visitor));
}

function list(site: Site, request: Request): Response {
	const visitor = findVisitor(site, request);
	if (!visitor) return seeOther("/login?next=%2Fconnections");
	return connectionsPage({
		standings: standingsOf(site, visitor),
		csrf: site.forms.issue(bindingOf(visitor), LIST_ACTION),
	});
}

async function change(site: Site, request: Request): Promise<Response> {
	const visitor = findVisitor(site, request);
	if (!visitor || !isOwnPost(request, site.issuer)) return staleFormPage();
	const form = await readForm(request);
	if (!site.forms.isValid(bindingOf(visitor), LIST_ACTION, form.get("csrf")))
		return staleFormPage();
	const slug = form.get("disconnect") ?? "";
	await disconnect(site, serverOf(site, visitor, { slug }), visitor);
	return seeOther("/connections");
}

/** The server of that name if this person may use it; any other is unknown to them. @throws SallyportError */
function serverOf(site: Site, { login }: Visitor, params: Params): Server {
	const slug = params["slug"] ?? "";
	const server = findServer(site.db, slug);
	if (!server?.enabled || !mayUse(server, login)) throw unknownServer(slug);
	return server;
}

/**
 * Whether the browser is where services send it back to. At a door beside the gateway's name, or by another name of a
 * loopback address, it is not, and its login would stay behind.
 */
function isAtHome(site: Site, request: Request): boolean {
	return new URL(request.url).host === new URL(site.connections.origin).host;
}

async function signInOf(
	site: Site,
	request: Request,
	server: Server,
	{ login: { userId } }: Visitor,
): Promise<SignIn> {
	const outlook = isAtHome(site, request)
		? await site.connections.foresee(server, userId).catch((error: unknown) => {
				if (!(error instanceof SallyportError)) throw error;
				return { problem: error.message };
			})
		: { elsewhere: site.connections.linkTo(server.slug) };
	const of = { userId, serverId: server.id };
	return {
		outlook,
		connection: listConnections(site.db, of)[0] ?? null,
		redirectUri: redirectUriOf(site.connections.origin, server.slug),
	};
}

function ownSecrets(
	site: Site,
	server: Server,
	{ login: { userId } }: Visitor,
): readonly OwnSecret[] {
	const filled = site.connections.filledSlot(server);
	const set = listSecrets(site.db, server.id).filter(
		({ owner }) => owner === userId,
	);
	return server.slots
		.filter((slot) => slot.personal && slot.name !== filled)
		.map((slot) => ({
			slot,
			isSet: set.some((secret) => secret.slot === slot.name),
		}));
}

async function saveSecrets(
	site: Site,
	server: Server,
	visitor: Visitor,
	form: Parameters,
): Promise<void> {
	const { userId } = visitor.login;
	for (const { slot } of ownSecrets(site, server, visitor)) {
		const value = form.get(`secret:${slot.name}`);
		if (value === null) continue;
		await putSecret(
			site,
			{ server, slot, owner: userId },
			value,
			userId,
			site.clock.now(),
		);
	}
}

/** Who this gateway is at the service, from the form that only administrators are shown. */
async function saveClient(
	site: Site,
	server: Server,
	{ login }: Visitor,
	form: Parameters,
): Promise<void> {
	const clientId = form.get("client-id");
	if (login.role === "member")
		throw new SallyportError(
			"forbidden",
			"only an administrator may register this gateway",
		);
	if (clientId === null)
		throw new SallyportError("invalid", "the client ID is missing");
	await site.connections.configure(
		server,
		{ clientId },
		form.get("client-secret") ?? undefined,
		login.userId,
	);
}

async function disconnect(
	site: Site,
	server: Server,
	{ login: { userId } }: Visitor,
): Promise<void> {
	await site.connections.disconnect({ userId, serverId: server.id }, userId);
}

/** How each server that wants something of this person's own stands. */
function standingsOf(site: Site, { login }: Visitor): readonly Standing[] {
	const known = listConnections(site.db, { userId: login.userId });
	return listServers(site.db)
		.filter(
			(server) =>
				server.enabled &&
				mayUse(server, login) &&
				(server.signsIn || server.slots.some(({ personal }) => personal)),
		)
		.map((server) => ({
			slug: server.slug,
			signsIn: server.signsIn,
			connection: known.find(({ slug }) => slug === server.slug) ?? null,
			missing: missingSlots(site.db, server, login.userId),
		}));
}

function bindingOf(visitor: Visitor): string {
	return Buffer.from(visitor.hash).toString("base64url");
}

function actionOf(server: Server): string {
	return `connect ${server.slug}`;
}

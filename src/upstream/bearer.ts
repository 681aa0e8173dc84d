/**
 * The access token on every request to one server for one user, and what happens when the server refuses it: renewed
 * once and sent again, or the person is asked to sign in, or to allow more.
 *
 * A server that nobody signed in to yet is called without a token; if it refuses and says where to sign in, that is
 * remembered, and from then on its users have an identity each.
 *
 * @see specification 2026-07-28, basic/authorization ("Access Token Usage", "Scope Challenge Handling"); RFC 6750
 */
import type { KeptEgress } from "../egress.ts";
import { SallyportError } from "../errors.ts";
import type { Answer } from "../http1/answer.ts";
import type { HttpClient } from "../http1/client.ts";
import { type AnswerTo, awaited, type Exchange } from "../http1/exchange.ts";
import { abandoned } from "../http1/failure.ts";
import { type HeaderLines, headerLines } from "../http1/header-lines.ts";
import type { Request1 } from "../http1/request.ts";
import {
	type Connection,
	findConnection,
	wantScope,
} from "../store/connections.ts";
import { noteService } from "../store/server-services.ts";
import type { Server } from "../store/servers.ts";
import { bearerChallenge, type Challenge } from "./challenge.ts";
import { discard } from "./http-reply.ts";
import { signInNeeded } from "./needs-person.ts";
import type { RefreshDeps, Refresher } from "./refresh.ts";
import { parseScopes, unionScopes, wantsMore } from "./scopes.ts";
import { openTokens } from "./sealed-tokens.ts";

export type BearerDeps = RefreshDeps & {
	readonly refresher: Refresher;
	readonly linkTo: (slug: string) => string;
	/** It turned out that a server's users sign in. */
	readonly onService: (server: Server) => void;
};

/** Times in a row that a server may want more than it was given. */
const STEP_UPS_MAX = 5;
const SILENT_SECONDS = 300;

type Held = { readonly connection: Connection; readonly accessToken: string };

/** An egress that signs what goes to this server for this user. */
export function signEgress(
	deps: BearerDeps,
	egress: KeptEgress,
	server: Server,
	userId: string,
): KeptEgress {
	const { db, vault, clock } = deps;
	const clearUrl =
		server.transport.kind === "http" && !/^https:/i.test(server.transport.url)
			? server.transport.url
			: null;
	let held: Held | null = null;
	/** Until when a server that said nothing of a sign-in is not asked again. */
	let silentUntil = 0;

	const hold = (connection: Connection): Held => {
		held = {
			connection,
			accessToken: openTokens(vault, connection).accessToken,
		};
		return held;
	};
	const signIn = (
		need: "sign in" | "sign in again" | "allow more",
	): SallyportError =>
		signInNeeded(server.slug, need, deps.linkTo(server.slug));

	/** The token to send now, renewed first when that is due. @throws NeedsPerson, SallyportError */
	const current = async (): Promise<Held> => {
		if (held && !isDue(held.connection, clock.now())) return held;
		const connection = findConnection(db, server.id, userId);
		if (!connection) throw signIn("sign in");
		if (connection.lostAt !== null) throw signIn("sign in again");
		if (!isDue(connection, clock.now())) return hold(connection);
		const renewed = await deps.refresher
			.renew(server, connection)
			.catch((error: unknown) => {
				// What is still good for a while is used while it is.
				if ((connection.expiresAt ?? 0) > clock.now()) return connection;
				throw error;
			});
		if (!renewed || renewed.lostAt !== null) throw signIn("sign in again");
		return hold(renewed);
	};

	/** Another token in place of one that was refused. @throws NeedsPerson when there is none to be had */
	const replace = async ({ connection }: Held): Promise<Held> => {
		held = null;
		const now = findConnection(db, server.id, userId);
		if (now && now.lostAt === null && now.version !== connection.version)
			return hold(now);
		const renewed =
			now?.refreshable === 1 && now.lostAt === null
				? await deps.refresher.renew(server, now)
				: null;
		if (renewed && renewed.lostAt === null) return hold(renewed);
		if (now) deps.refresher.lose(server, now, "the server refused its token");
		throw signIn("sign in again");
	};

	const note = (challenge: Challenge | null): void =>
		noteService(
			db,
			server.id,
			{
				metadataUrl: challenge?.resourceMetadata ?? null,
				challengeScope: challenge?.scope ?? null,
			},
			clock.now(),
		);

	/** A call without a token was refused. @throws NeedsPerson when the server says where to get one */
	const learn = async (challenge: Challenge | null): Promise<void> => {
		const metadataUrl = challenge?.resourceMetadata ?? null;
		if (metadataUrl === null && clock.now() < silentUntil) return;
		const located = await deps.locator
			.find(server, { fresh: true, metadataUrl })
			.catch((error: unknown) => {
				if (!(error instanceof SallyportError)) throw error;
				return error;
			});
		// Where nothing points to a sign-in, a failure to find one says nothing either: it is a plain refusal.
		if (
			!located ||
			(located instanceof SallyportError && metadataUrl === null)
		) {
			silentUntil = clock.now() + SILENT_SECONDS;
			return;
		}
		note(challenge);
		deps.onService(server);
		throw located instanceof SallyportError ? located : signIn("sign in");
	};

	/** The server wants more than it was given. @throws always */
	const stepUp = (connection: Connection, challenged: string): never => {
		const wanted = parseScopes(challenged);
		const requested = parseScopes(connection.requested);
		if (!wantsMore(requested, wanted) || connection.stepUps >= STEP_UPS_MAX)
			throw new SallyportError(
				"forbidden",
				`${server.slug} refuses: it wants more than its sign-in gives`,
				{
					hint: `if you declined something there, sign in again at ${deps.linkTo(server.slug)}`,
				},
			);
		wantScope(db, connection.id, unionScopes(requested, wanted).join(" "));
		throw signIn("allow more");
	};

	/** @returns what to send the request again with; null when the answer stands */
	const judge = async (
		answer: Answer,
		sent: Held | null,
	): Promise<Held | null> => {
		const challenge = bearerChallenge(answer.header("www-authenticate"));
		if (answer.status === 401) {
			if (sent) {
				discard(answer);
				note(challenge);
				return replace(sent);
			}
			await learn(challenge);
			return null;
		}
		if (sent && challenge?.error === "insufficient_scope" && challenge.scope) {
			discard(answer);
			return stepUp(sent.connection, challenge.scope);
		}
		return null;
	};

	/** A fresh token is refused too: whoever issues it is not whom the server believes, or not any more. */
	const giveUp = (answer: Answer, { connection }: Held): never => {
		discard(answer);
		held = null;
		deps.locator.forget(server.id);
		deps.refresher.lose(server, connection, "the server refused a fresh token");
		throw signIn("sign in again");
	};

	const withToken = (client: HttpClient): HttpClient => ({
		close: () => client.close(),
		// Whether anybody signs in here is known since this was dialled: when it changes, it is dialled anew.
		send: server.signsIn
			? (request, to) => new Signed(client, request, to, sendSigned)
			: (request, to) => client.send(request, new Unsigned(to, learnFrom)),
	});
	const learnFrom = async (answer: Answer): Promise<Answer> => {
		await judge(answer, null);
		return answer;
	};
	/** The answer that stands: the first, or that to the request with another token. */
	const sendSigned = async (exchange: Signed): Promise<Answer> => {
		const sent = await current();
		// Judged by the egress that sends credentials in clear to nobody.
		if (clearUrl !== null) await deps.permit(clearUrl);
		const first = await exchange.send(sent);
		if (first.status !== 401 && first.status !== 403) return first;
		const other = await judge(first, sent);
		if (!other) return first;
		const second = await exchange.send(other);
		if (second.status === 401) giveUp(second, other);
		if (second.status === 403) await judge(second, other);
		return second;
	};

	return {
		headers: egress.headers,
		openClient: (url) => withToken(egress.openClient(url)),
	};
}

/** Hears of an answer to a request without a token, and learns from one that wants a token. */
class Unsigned implements AnswerTo {
	readonly #to: AnswerTo;
	readonly #learnFrom: (answer: Answer) => Promise<Answer>;

	constructor(to: AnswerTo, learnFrom: (answer: Answer) => Promise<Answer>) {
		this.#to = to;
		this.#learnFrom = learnFrom;
	}

	onAnswer(answer: Answer): void {
		if (answer.status === 401 || answer.status === 403) this.#learn(answer);
		else this.#to.onAnswer(answer);
	}

	#learn(answer: Answer): void {
		this.#learnFrom(answer).then(
			() => this.#to.onAnswer(answer),
			(error: Error) => this.#to.onFailure(error),
		);
	}

	onFailure(error: Error): void {
		this.#to.onFailure(error);
	}
}

/** One request, and perhaps the same again with another token. */
class Signed implements Exchange {
	readonly #client: HttpClient;
	readonly #request: Request1;
	#to: AnswerTo | null;
	#running: Exchange | null = null;
	#ended: Error | null = null;

	constructor(
		client: HttpClient,
		request: Request1,
		to: AnswerTo,
		work: (exchange: Signed) => Promise<Answer>,
	) {
		this.#client = client;
		this.#request = request;
		this.#to = to;
		work(this).then(
			(answer) => this.#settle()?.onAnswer(answer),
			(error: Error) => this.#settle()?.onFailure(error),
		);
	}

	send(token: Held): Promise<Answer> {
		if (this.#ended) throw this.#ended;
		const running = awaited((to) =>
			this.#client.send(signed(this.#request, token), to),
		);
		this.#running = running;
		return running.answer;
	}

	abandon(reason: Error = abandoned()): void {
		this.#ended = reason;
		this.#running?.abandon(reason);
		this.#settle()?.onFailure(reason);
	}

	heard(): boolean {
		return this.#running?.heard() ?? false;
	}

	/** Whoever is to be told; null when they were. */
	#settle(): AnswerTo | null {
		const to = this.#to;
		this.#to = null;
		return to;
	}
}

function isDue({ refreshable, refreshAt }: Connection, now: number): boolean {
	return refreshable === 1 && refreshAt !== null && refreshAt <= now;
}

/** Not checked for credentials of ours: this one is the service's, and another Sallyport's look like our own. */
function signed(request: Request1, { accessToken }: Held): Request1 {
	const line = headerLines({ authorization: `Bearer ${accessToken}` });
	return { ...request, headers: (request.headers + line) as HeaderLines };
}

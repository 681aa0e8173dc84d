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

/** An egress that signs what goes to this server for this user. A class, because every server has one. */
export class SigningEgress implements KeptEgress {
	readonly #deps: BearerDeps;
	readonly #egress: KeptEgress;
	readonly #server: Server;
	readonly #userId: string;
	#held: Held | null = null;
	/** Until when a server that said nothing of a sign-in is not asked again. */
	#silentUntil = 0;

	constructor(
		deps: BearerDeps,
		egress: KeptEgress,
		server: Server,
		userId: string,
	) {
		this.#deps = deps;
		this.#egress = egress;
		this.#server = server;
		this.#userId = userId;
	}

	headers(headers: Readonly<Record<string, string>>): HeaderLines {
		return this.#egress.headers(headers);
	}

	openClient(url: string): HttpClient {
		const client = this.#egress.openClient(url);
		// Whether anybody signs in here is known since this was dialled: when it changes, it is dialled anew.
		return new BearerClient(this, client, this.#server.signsIn);
	}

	/** Looks at the answer to a request without a token. @throws NeedsPerson when it says where to get one */
	async learnFrom(answer: Answer): Promise<void> {
		await this.#judge(answer, null);
	}

	/** The answer that stands: the first, or that to the request with another token. */
	async answerTo(exchange: Signed): Promise<Answer> {
		const sent = await this.#current();
		const { transport } = this.#server;
		// Judged by the egress that sends credentials in clear to nobody.
		if (transport.kind === "http" && !/^https:/i.test(transport.url))
			await this.#deps.permit(transport.url);
		const first = await exchange.send(sent);
		if (first.status !== 401 && first.status !== 403) return first;
		const other = await this.#judge(first, sent);
		if (!other) return first;
		const second = await exchange.send(other);
		if (second.status === 401) this.#giveUp(second, other);
		if (second.status === 403) await this.#judge(second, other);
		return second;
	}

	#hold(connection: Connection): Held {
		const { accessToken } = openTokens(this.#deps.vault, connection);
		this.#held = { connection, accessToken };
		return this.#held;
	}

	#signIn(need: "sign in" | "sign in again" | "allow more"): SallyportError {
		const { slug } = this.#server;
		return signInNeeded(slug, need, this.#deps.linkTo(slug));
	}

	/** The token to send now, renewed first when that is due. @throws NeedsPerson, SallyportError */
	async #current(): Promise<Held> {
		const { db, clock, refresher } = this.#deps;
		const held = this.#held;
		if (held && !isDue(held.connection, clock.now())) return held;
		const connection = findConnection(db, this.#server.id, this.#userId);
		if (!connection) throw this.#signIn("sign in");
		if (connection.lostAt !== null) throw this.#signIn("sign in again");
		if (!isDue(connection, clock.now())) return this.#hold(connection);
		const renewed = await refresher
			.renew(this.#server, connection)
			.catch((error: unknown) => {
				// What is still good for a while is used while it is.
				if ((connection.expiresAt ?? 0) > clock.now()) return connection;
				throw error;
			});
		if (!renewed || renewed.lostAt !== null)
			throw this.#signIn("sign in again");
		return this.#hold(renewed);
	}

	/** Another token in place of one that was refused. @throws NeedsPerson when there is none to be had */
	async #replace({ connection }: Held): Promise<Held> {
		const { db, refresher } = this.#deps;
		this.#held = null;
		const now = findConnection(db, this.#server.id, this.#userId);
		if (now && now.lostAt === null && now.version !== connection.version)
			return this.#hold(now);
		const renewed =
			now?.refreshable === 1 && now.lostAt === null
				? await refresher.renew(this.#server, now)
				: null;
		if (renewed && renewed.lostAt === null) return this.#hold(renewed);
		if (now) refresher.lose(this.#server, now, "the server refused its token");
		throw this.#signIn("sign in again");
	}

	#note(challenge: Challenge | null): void {
		noteService(
			this.#deps.db,
			this.#server.id,
			{
				metadataUrl: challenge?.resourceMetadata ?? null,
				challengeScope: challenge?.scope ?? null,
			},
			this.#deps.clock.now(),
		);
	}

	/** A call without a token was refused. @throws NeedsPerson when the server says where to get one */
	async #learn(challenge: Challenge | null): Promise<void> {
		const { clock, locator, onService } = this.#deps;
		const metadataUrl = challenge?.resourceMetadata ?? null;
		if (metadataUrl === null && clock.now() < this.#silentUntil) return;
		const located = await locator
			.find(this.#server, { fresh: true, metadataUrl })
			.catch((error: unknown) => {
				if (!(error instanceof SallyportError)) throw error;
				return error;
			});
		// Where nothing points to a sign-in, a failure to find one says nothing either: it is a plain refusal.
		if (
			!located ||
			(located instanceof SallyportError && metadataUrl === null)
		) {
			this.#silentUntil = clock.now() + SILENT_SECONDS;
			return;
		}
		this.#note(challenge);
		onService(this.#server);
		throw located instanceof SallyportError ? located : this.#signIn("sign in");
	}

	/** The server wants more than it was given. @throws always */
	#stepUp(connection: Connection, challenged: string): never {
		const { slug } = this.#server;
		const wanted = parseScopes(challenged);
		const requested = parseScopes(connection.requested);
		if (!wantsMore(requested, wanted) || connection.stepUps >= STEP_UPS_MAX)
			throw new SallyportError(
				"forbidden",
				`${slug} refuses: it wants more than its sign-in gives`,
				{
					hint: `if you declined something there, sign in again at ${this.#deps.linkTo(slug)}`,
				},
			);
		const all = unionScopes(requested, wanted).join(" ");
		wantScope(this.#deps.db, connection.id, all);
		throw this.#signIn("allow more");
	}

	/** @returns what to send the request again with; null when the answer stands */
	async #judge(answer: Answer, sent: Held | null): Promise<Held | null> {
		const challenge = bearerChallenge(answer.header("www-authenticate"));
		if (answer.status === 401) {
			if (sent) {
				discard(answer);
				this.#note(challenge);
				return this.#replace(sent);
			}
			await this.#learn(challenge);
			return null;
		}
		if (sent && challenge?.error === "insufficient_scope" && challenge.scope) {
			discard(answer);
			return this.#stepUp(sent.connection, challenge.scope);
		}
		return null;
	}

	/** A fresh token is refused too: whoever issues it is not whom the server believes, or not any more. */
	#giveUp(answer: Answer, { connection }: Held): never {
		const { locator, refresher } = this.#deps;
		discard(answer);
		this.#held = null;
		locator.forget(this.#server.id);
		refresher.lose(
			this.#server,
			connection,
			"the server refused a fresh token",
		);
		throw this.#signIn("sign in again");
	}
}

/** Requests to a service: signed where people sign in, and else listened to for whether they have to. */
class BearerClient implements HttpClient {
	readonly #by: SigningEgress;
	readonly #client: HttpClient;
	readonly #signs: boolean;

	constructor(by: SigningEgress, client: HttpClient, signs: boolean) {
		this.#by = by;
		this.#client = client;
		this.#signs = signs;
	}

	send(request: Request1, to: AnswerTo): Exchange {
		return this.#signs
			? new Signed(this.#by, this.#client, request, to)
			: this.#client.send(request, new Unsigned(this.#by, to));
	}

	close(): void {
		this.#client.close();
	}
}

/** Hears of an answer to a request without a token, and learns from one that wants a token. */
class Unsigned implements AnswerTo {
	readonly #by: SigningEgress;
	readonly #to: AnswerTo;

	constructor(by: SigningEgress, to: AnswerTo) {
		this.#by = by;
		this.#to = to;
	}

	onAnswer(answer: Answer): void {
		if (answer.status === 401 || answer.status === 403) this.#learn(answer);
		else this.#to.onAnswer(answer);
	}

	#learn(answer: Answer): void {
		this.#by.learnFrom(answer).then(
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
		by: SigningEgress,
		client: HttpClient,
		request: Request1,
		to: AnswerTo,
	) {
		this.#client = client;
		this.#request = request;
		this.#to = to;
		by.answerTo(this).then(
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

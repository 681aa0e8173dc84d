/**
 * The upstreams there are, by server, credential identity and what their callers can be asked. Every call looks in
 * here, so no key is put together to look with. Most servers have one identity for all, and most identities one
 * upstream, so neither costs a map of its own.
 */
import { SHARED } from "../store/secrets.ts";
import type { LivingUpstream } from "./life.ts";

/** Those that differ only in what their callers can be asked: a few. */
type Variants = readonly LivingUpstream[];

const NONE: Variants = [];

export class Pool {
	/** By the server's id. */
	readonly #shared = new Map<string, Variants>();
	/** By the server's id and the user's. */
	readonly #personal = new Map<string, Map<string, Variants>>();
	/** How often an upstream came or went, or what one knows may have changed. */
	changes = 0;

	find(
		serverId: string,
		identity: string,
		capabilities: string,
	): LivingUpstream | undefined {
		for (const upstream of this.#variants(serverId, identity))
			if (upstream.capabilities === capabilities) return upstream;
		return undefined;
	}

	add(upstream: LivingUpstream): void {
		const { server, identity } = upstream;
		const variants = [...this.#variants(server.id, identity), upstream];
		this.#put(server.id, identity, variants);
	}

	delete(upstream: LivingUpstream): void {
		const { server, identity } = upstream;
		const variants = this.#variants(server.id, identity);
		this.#put(
			server.id,
			identity,
			variants.filter((each) => each !== upstream),
		);
	}

	all(): readonly LivingUpstream[] {
		const personal = [...this.#personal.values()];
		return [
			...[...this.#shared.values()].flat(),
			...personal.flatMap((users) => [...users.values()].flat()),
		];
	}

	/** Those of a server, or of one identity there. */
	of(serverId: string, identity?: string): readonly LivingUpstream[] {
		if (identity !== undefined) return this.#variants(serverId, identity);
		const users = this.#personal.get(serverId)?.values() ?? [];
		return [...this.#variants(serverId, SHARED), ...[...users].flat()];
	}

	#variants(serverId: string, identity: string): Variants {
		const found =
			identity === SHARED
				? this.#shared.get(serverId)
				: this.#personal.get(serverId)?.get(identity);
		return found ?? NONE;
	}

	#put(serverId: string, identity: string, variants: Variants): void {
		if (identity === SHARED) keep(this.#shared, serverId, variants);
		else {
			const users = this.#personal.get(serverId) ?? new Map<string, Variants>();
			keep(users, identity, variants);
			if (users.size > 0) this.#personal.set(serverId, users);
			else this.#personal.delete(serverId);
		}
		this.changes++;
	}
}

function keep(
	places: Map<string, Variants>,
	key: string,
	variants: Variants,
): void {
	if (variants.length > 0) places.set(key, variants);
	else places.delete(key);
}

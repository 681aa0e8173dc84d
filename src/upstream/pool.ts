/**
 * The upstreams there are, by server, credential identity and what their callers can be asked. Every call looks in
 * here, so no key is put together to look with.
 */
import type { LivingUpstream } from "./life.ts";

type Variants = Map<string, LivingUpstream>;

export class Pool {
	readonly #servers = new Map<string, Map<string, Variants>>();
	/** How often an upstream came or went, or what one knows may have changed. */
	changes = 0;

	find(
		serverId: string,
		identity: string,
		capabilities: string,
	): LivingUpstream | undefined {
		return this.#servers.get(serverId)?.get(identity)?.get(capabilities);
	}

	add(upstream: LivingUpstream): void {
		const { server, identity, capabilities } = upstream;
		const identities = this.#servers.get(server.id) ?? new Map();
		const variants: Variants = identities.get(identity) ?? new Map();
		variants.set(capabilities, upstream);
		identities.set(identity, variants);
		this.#servers.set(server.id, identities);
		this.changes++;
	}

	delete({ server, identity, capabilities }: LivingUpstream): void {
		const identities = this.#servers.get(server.id);
		const variants = identities?.get(identity);
		variants?.delete(capabilities);
		if (variants?.size === 0) identities?.delete(identity);
		if (identities?.size === 0) this.#servers.delete(server.id);
		this.changes++;
	}

	all(): readonly LivingUpstream[] {
		return [...this.#servers.keys()].flatMap((serverId) => this.of(serverId));
	}

	/** Those of a server, or of one identity there. */
	of(serverId: string, identity?: string): readonly LivingUpstream[] {
		const identities = this.#servers.get(serverId);
		if (identity !== undefined)
			return [...(identities?.get(identity)?.values() ?? [])];
		return [...(identities?.values() ?? [])].flatMap((variants) => [
			...variants.values(),
		]);
	}
}

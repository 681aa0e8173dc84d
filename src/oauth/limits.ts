/**
 * Token buckets in memory, each map of them bounded: what slows down whoever asks too often.
 * An IPv6 address counts by its /64, which is what one household gets.
 */
import ipaddr from "ipaddr.js";
import type { Clock } from "../clock.ts";

export type Limiter = {
	/** Takes one from the bucket of `key`. Returns 0, or the seconds until there is one again. */
	readonly take: (key: string) => number;
};

/** Buckets that are not full are kept up to this number; the least recently used go first. */
const KEYS_MAX = 10_000;

/** A limiter that allows `count` in `seconds`, all at once or spread. */
export function createLimiter(
	clock: Clock,
	limit: { readonly count: number; readonly seconds: number },
): Limiter {
	const buckets = new Map<string, { left: number; at: number }>();
	const perSecond = limit.count / limit.seconds;
	return {
		take: (key) => {
			const now = clock.nowMs() / 1000;
			const known = buckets.get(key);
			const left = known
				? Math.min(limit.count, known.left + (now - known.at) * perSecond)
				: limit.count;
			buckets.delete(key);
			if (left < 1) {
				buckets.set(key, { left, at: now });
				return Math.ceil((1 - left) / perSecond);
			}
			buckets.set(key, { left: left - 1, at: now });
			for (const oldest of buckets.keys()) {
				if (buckets.size <= KEYS_MAX) break;
				buckets.delete(oldest);
			}
			return 0;
		},
	};
}

/** What an address counts as: itself, or its /64. Anything unreadable counts as one. */
export function networkOf(address: string): string {
	if (!ipaddr.isValid(address)) return "unknown";
	const parsed = ipaddr.process(address);
	if (parsed.kind() === "ipv4") return parsed.toString();
	return parsed.toByteArray().slice(0, 8).join(".");
}

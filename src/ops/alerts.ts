/**
 * What must not be missed, told to a webhook: one JSON object by POST, tried again a few times. It holds names, times
 * and sentences, never a secret; the webhook's own URL often is one, so it is neither logged nor shown.
 */
import { PRIVATE_NETWORKS } from "../addresses.ts";
import { type Clock, delay } from "../clock.ts";
import { createEgress, type Egress } from "../egress.ts";
import { describeError } from "../errors.ts";
import type { Log } from "../log.ts";

export type Alert = {
	/** What happened, for programs. */
	readonly event: "certificate.ends";
	readonly isUrgent: boolean;
	/** What happened and what to do, for people. */
	readonly text: string;
	readonly names: readonly string[];
	readonly endsAt: number;
};

export type Alerts = {
	/** Takes an alert on; what becomes of it is in the log. */
	readonly send: (alert: Alert) => void;
	/** Gives up what is still on its way. */
	readonly stop: () => void;
};

/** How long after each failure it is tried again; after the last one it is given up. */
const RETRY_DELAYS_MS = [5_000, 60_000, 600_000];
const TIMEOUT_MS = 10_000;
/** Beyond these nobody reads on. */
const UNDER_WAY_MAX = 20;

/** @param deps.url where to; null: nowhere */
export function createAlerts(deps: {
	readonly url: string | null;
	/** The gateway's origin, so that its person knows which one it is. */
	readonly origin: () => string;
	readonly clock: Clock;
	readonly log: Log;
	/** The webhook is the operator's choice, and may live on the operator's own network. */
	readonly egress?: Egress;
	readonly retryDelaysMs?: readonly number[];
}): Alerts {
	const { url, origin, clock, log, retryDelaysMs = RETRY_DELAYS_MS } = deps;
	const egress =
		deps.egress ?? createEgress({ allowPrivate: PRIVATE_NETWORKS });
	const stopping = new AbortController();
	let underWay = 0;

	/** @returns why it did not arrive, or null */
	const post = async (to: string, body: string): Promise<string | null> => {
		try {
			const {
				ok,
				status,
				body: answer,
			} = await egress.fetch(to, {
				method: "POST",
				headers: { "content-type": "application/json" },
				body,
				timeoutMs: TIMEOUT_MS,
				signal: stopping.signal,
			});
			await answer?.cancel();
			return ok ? null : `the webhook answered ${status}`;
		} catch (error) {
			return `the webhook ${describeError(error)}`;
		}
	};

	const deliver = async (to: string, alert: Alert): Promise<void> => {
		const { event, isUrgent, text, names, endsAt } = alert;
		const body = JSON.stringify({
			event,
			gateway: origin(),
			at: isoTime(clock.now()),
			urgent: isUrgent,
			text,
			names,
			ends_at: isoTime(endsAt),
		});
		for (const wait of [...retryDelaysMs, null]) {
			const reason = await post(to, body);
			if (reason === null || stopping.signal.aborted) return;
			log.warn("alert not delivered", {
				reason,
				...(wait !== null && { delay_ms: wait }),
			});
			if (wait !== null) await delay(wait, stopping.signal);
			if (stopping.signal.aborted) return;
		}
	};

	return {
		send: (alert) => {
			if (url === null || underWay >= UNDER_WAY_MAX) return;
			underWay++;
			void deliver(url, alert).finally(() => underWay--);
		},
		stop: () => stopping.abort(),
	};
}

function isoTime(at: number): string {
	return new Date(at * 1000).toISOString();
}

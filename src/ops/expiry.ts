/**
 * Certificates that are about to end, told by us, because CAs write no mails about it any more: in the log, on the
 * pages of administrators, and to a webhook if there is one. What is told says what to do.
 */
import { type Clock, every } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Certificates, CertificateView } from "../tls/certificates.ts";
import { urgency } from "../tls/renewal.ts";
import type { Alerts } from "./alerts.ts";

/** Something an administrator has to know. */
export type Notice = {
	readonly isUrgent: boolean;
	/** Sentences. */
	readonly text: string;
};

const CHECK_MS = 3600_000;
const AGAIN_SECONDS = 86_400;
const DAY = 86_400;

/** What is wrong with the certificates now, the most urgent first. */
export function listNotices(
	certificates: readonly CertificateView[],
	now: number,
): readonly Notice[] {
	return certificates
		.flatMap((one) => noticeOf(one, now) ?? [])
		.toSorted((a, b) => Number(b.isUrgent) - Number(a.isUrgent));
}

function noticeOf(one: CertificateView, now: number): Notice | null {
	const names = one.names.join(", ");
	const why = reasonOf(one);
	if (ends(one, now) !== "none")
		return {
			isUrgent: ends(one, now) === "urgent",
			text: `${endOf(one, now)}${why ?? " It should have been renewed: see sallyport certificate show."}`,
		};
	if (one.trusted || why === null) return null;
	return {
		isUrgent: true,
		text: `Browsers and clients do not trust the certificate of ${names}.${why}`,
	};
}

/** In the words of whoever refused, and in ours. */
function reasonOf({ failure }: CertificateView): string | null {
	if (failure === null) return null;
	return ` The last error was: ${failure.detail}. What to do: ${failure.remedy}.`;
}

function endOf({ names, notAfter }: CertificateView, now: number): string {
	const days = Math.floor((notAfter - now) / DAY);
	const when =
		notAfter <= now
			? "has ended"
			: days === 0
				? "ends within a day"
				: `ends in ${days} ${days === 1 ? "day" : "days"}`;
	return `The certificate of ${names.join(", ")} ${when}.`;
}

/** One that we signed ourselves, until a CA issues one, has no end that matters. */
function ends(one: CertificateView, now: number): ReturnType<typeof urgency> {
	return one.trusted || one.renewAt === null ? urgency(one, now) : "none";
}

/** Looks at the certificates now and then, and tells of each that is about to end once a day. @returns how to stop */
export function watchExpiry(deps: {
	readonly certificates: Pick<Certificates, "list">;
	readonly clock: Clock;
	readonly log: Log;
	readonly alerts: Alerts;
}): () => void {
	const { certificates, clock, log, alerts } = deps;
	const told = new Map<string, number>();
	const look = (): void => {
		const now = clock.now();
		for (const one of certificates.list()) {
			const urgent = ends(one, now);
			const names = one.names.join(", ");
			if (urgent === "none" || now - (told.get(names) ?? 0) < AGAIN_SECONDS)
				continue;
			told.set(names, now);
			log[urgent === "urgent" ? "error" : "warn"]("certificate ends soon", {
				reason: names,
				delay_ms: (one.notAfter - now) * 1000,
			});
			alerts.send({
				event: "certificate.ends",
				isUrgent: urgent === "urgent",
				text: noticeOf(one, now)?.text ?? "",
				names: one.names,
				endsAt: one.notAfter,
			});
		}
	};
	look();
	return every(CHECK_MS, look);
}

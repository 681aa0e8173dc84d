/** What only a running gateway knows: its certificates, its servers, its backups, and whether it gets out. */
import { createJudge } from "../addresses.ts";
import type { Egress } from "../egress.ts";
import type { ClientPolicy } from "../oauth/policy.ts";
import type { Server } from "../store/servers.ts";
import type { Certificates } from "../tls/certificates.ts";
import type { Upstream } from "../upstream/upstream.ts";
import { listNotices } from "./expiry.ts";
import { type Finding, ill, well } from "./finding.ts";
import { type Addresses, findDetour } from "./whereabouts.ts";

const HTTPS_PORT = "";
/** Where a known client's document is: what the gateway would fetch itself. */
const OUTSIDE = "https://claude.ai/oauth/mcp-oauth-client-metadata";
const OUTSIDE_TIMEOUT_MS = 4000;
/** Less than what certificates and codes of authenticator apps forgive. */
const SKEW_SECONDS_MAX = 60;
const isPublic = createJudge([]);

/** Certificates: until when, whether they are trusted, and the CA's last word. */
export function judgeCertificates(
	certificates: Pick<Certificates, "source" | "list">,
	now: number,
): readonly Finding[] {
	if (certificates.source === "off")
		return [
			well(
				"certificate",
				"tls is off: on loopback, or with a proxy that has the certificate",
			),
		];
	const list = certificates.list();
	const notices = listNotices(list, now).map(({ isUrgent, text }) =>
		ill(
			isUrgent ? "error" : "warning",
			"certificate",
			text,
			"sallyport certificate show; to try now: sallyport certificate renew",
		),
	);
	if (notices.length > 0) return notices;
	return list.map(({ names, notAfter }) =>
		well(
			"certificate",
			`the certificate of ${names.join(", ")} is good for ${Math.floor((notAfter - now) / 86_400)} more days`,
		),
	);
}

/** Servers that did not start or answer when they were last asked. In our words: theirs could hold anything. */
export function judgeServers(
	servers: readonly Server[],
	live: (serverId: string) => readonly Pick<Upstream, "state">[],
): readonly Finding[] {
	const enabled = servers.filter((server) => server.enabled);
	const failing = enabled.filter(({ id }) =>
		live(id).some((upstream) => upstream.state() === "failed"),
	);
	if (failing.length === 0)
		return [
			well("servers", `${enabled.length} servers, and none is known to fail`),
		];
	return failing.map(({ slug }) =>
		ill(
			"error",
			"servers",
			`${slug} did not start or did not answer when it was last asked`,
			`why: sallyport servers show ${slug}, sallyport servers logs ${slug}`,
		),
	);
}

/**
 * Whether the gateway gets out to the web sites of clients, and what that means for them; and how far its clock is
 * from theirs.
 */
export async function judgeOutside(
	egress: Egress,
	{ documents }: Pick<ClientPolicy, "documents">,
	now: number,
): Promise<readonly Finding[]> {
	try {
		const response = await egress.fetch(OUTSIDE, {
			timeoutMs: OUTSIDE_TIMEOUT_MS,
			signal: AbortSignal.timeout(OUTSIDE_TIMEOUT_MS),
		});
		await response.body?.cancel();
		return [
			well("outside", "the gateway reaches the web over https"),
			...judgeSkew(response.headers.get("Date"), now),
		];
	} catch {
		// Why is of no use: a name that is not resolved, a port that is closed, a proxy that is not there.
		return [
			documents
				? ill(
						"warning",
						"outside",
						"the gateway does not reach the web over https, and tells clients that their own documents are read. Bundled copies stand in for known clients; others cannot connect",
						"allow DNS and TCP 443 outwards; in a network without a way out: sallyport clients policy --documents off",
					)
				: ill(
						"notice",
						"outside",
						"the gateway does not reach the web over https; servers elsewhere and certificates from a CA need that",
						"allow DNS and TCP 443 outwards, if they should work",
					),
		];
	}
}

/** RFC 9110 6.6.1: when the other side thinks it is. */
function judgeSkew(date: string | null, now: number): readonly Finding[] {
	const there = Date.parse(date ?? "") / 1000;
	const skewSeconds = Math.abs(now - there);
	if (!(skewSeconds > SKEW_SECONDS_MAX)) return [];
	return [
		ill(
			"error",
			"clock-skew",
			`this machine's clock is ${Math.round(skewSeconds / 60)} minutes ${now > there ? "ahead of" : "behind"} the web's`,
			"set it right: timedatectl set-ntp true, or install chrony",
		),
	];
}

/** The public URL, as clients will see it. */
export async function judgeAddress(
	publicUrl: string,
	addresses: Addresses,
): Promise<readonly Finding[]> {
	const { protocol, hostname, port } = new URL(publicUrl);
	const isHere = /^(localhost|127\.|\[::1\])/.test(hostname);
	if (isHere)
		return [
			ill(
				"notice",
				"public-url",
				`${publicUrl} is this machine only: hosted clients such as Claude and ChatGPT cannot reach it, nor can another computer`,
				"for them: serve --public-url https://NAME",
			),
		];
	const findings: Finding[] = [];
	if (protocol !== "https:" || port !== HTTPS_PORT)
		findings.push(
			ill(
				"warning",
				"public-url",
				`${publicUrl} is not https on port 443, and Claude's hosted clients call nothing else`,
				"serve it on port 443",
			),
		);
	const bare = hostname.replace(/^\[|\]$/g, "");
	if (/^[\d.]+$|:/.test(bare) && !isPublic(bare))
		findings.push(
			ill(
				"warning",
				"public-url",
				`${publicUrl} is an address of a private network: hosted clients cannot reach it, and some clients on this network refuse to sign in at one (Zed)`,
				"give it a name, and a public address if hosted clients should connect",
			),
		);
	const detour = await findDetour(bare, addresses).catch(() => null);
	if (detour !== null)
		findings.push(
			ill("error", "public-url", detour.message, detour.hint ?? null),
		);
	return findings.length > 0
		? findings
		: [
				well(
					"public-url",
					`${publicUrl} leads here as far as this machine can tell; whether the internet gets through, only a look from outside says`,
				),
			];
}

/** Backups that make themselves. */
export function judgeBackups(backups: {
	readonly failure: () => { readonly message: string } | null;
	readonly schedule: () => "nightly" | "off";
	readonly list: () => readonly unknown[];
}): Finding {
	const failure = backups.failure();
	if (failure !== null)
		return ill(
			"error",
			"backups",
			`the last backup failed: ${failure.message}`,
			"sallyport backup create shows whether it works now",
		);
	const count = backups.list().length;
	if (count > 0) return well("backups", `${count} backups are kept`);
	return backups.schedule() === "off"
		? ill(
				"warning",
				"backups",
				"there is no backup, and none is made by itself",
				"sallyport backup create",
			)
		: ill(
				"notice",
				"backups",
				"there is no backup yet; the first is made tonight",
				null,
			);
}

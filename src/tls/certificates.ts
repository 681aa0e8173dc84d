/**
 * The gateway's certificates as its operator sees them, wherever they come from: a CA, files, or nowhere. What went
 * wrong is told in the words of whoever refused, and in ours.
 */
import { SallyportError } from "../errors.ts";
import type { Tls } from "../serving.ts";
import type { OrderFailure } from "../store/certificate-orders.ts";
import { type CertificateFacts, spellFingerprint } from "./certificate.ts";
import type { CertificateFiles } from "./certificate-files.ts";
import type { CertificateStatus, Keeper } from "./keeper.ts";

/** A certificate as the API shows it. */
export type CertificateView = {
	readonly names: readonly string[];
	/** Whether a CA issued it, or it is signed by itself. */
	readonly trusted: boolean;
	readonly issuer: string;
	/** SHA-256, as browsers show it: how a person recognises one that is signed by itself. */
	readonly fingerprint: string;
	readonly notBefore: number;
	readonly notAfter: number;
	/** When a new one is ordered, as soon as possible if that is past; null: never by us. */
	readonly renewAt: number | null;
	/** The CA's page on why it wants it renewed. */
	readonly explanationUrl: string | null;
	readonly failure: CertificateFailure | null;
};

/** The last failure since the last success. */
export type CertificateFailure = {
	/** Null: it is so now. */
	readonly at: number | null;
	/** The ACME directory that refused; null: the files are wrong. */
	readonly directory: string | null;
	/** In the CA's words, or of what is wrong with the files. */
	readonly detail: string;
	/** What to do about it. */
	readonly remedy: string;
};

export type Certificates = {
	readonly source: Tls["mode"];
	readonly list: () => readonly CertificateView[];
	/**
	 * Orders new ones now, or reads the files again.
	 * @throws SallyportError `upstream` when the CA refused, `invalid` when the files do not fit or there are none
	 */
	readonly renew: () => Promise<void>;
	/** Certificates for further names; null where none are ordered by us. */
	readonly orders: Orders | null;
};

/** How a name that clients do not know yet gets its certificate. Failures are values, told in words. */
export type Orders = {
	/** Whether there is somewhere to rehearse; without it `rehearse` proves nothing. */
	readonly hasStaging: boolean;
	/** How the CA calls itself in CAA records; null: not known. */
	readonly caaIdentity: string | null;
	/** Proves at a staging directory that this name or address leads here. Keeps nothing. @throws SallyportError `invalid` */
	readonly rehearse: (host: string) => Promise<CertificateFailure | null>;
	/**
	 * Orders a certificate for this name or address, and shows it beside the others from then on.
	 * @throws SallyportError `invalid`, `too_many` (the CA asked to wait), `conflict` (another process orders)
	 */
	readonly obtain: (host: string) => Promise<CertificateFailure | null>;
};

/** Those a keeper keeps. */
export function keptCertificates(
	keeper: Keeper,
	caaIdentity: string | null,
): Certificates {
	return {
		source: "acme",
		list: () => keeper.status().map(viewKept),
		renew: async () => {
			for (const { names } of keeper.status()) {
				const failure = await keeper.renew(names);
				if (failure !== null)
					throw new SallyportError(
						"upstream",
						`the CA issued nothing for ${names.join(", ")}: ${failure.detail}`,
						{ hint: failure.remedy },
					);
			}
		},
		orders: {
			hasStaging: keeper.hasStaging,
			caaIdentity,
			rehearse: async (host) => viewFailure(await keeper.rehearse([host])),
			obtain: async (host) => viewFailure(await keeper.obtain([host])),
		},
	};
}

/** The one in the operator's own files. */
export function filedCertificates(files: CertificateFiles): Certificates {
	return {
		source: "files",
		list: () => {
			const problem = files.problem();
			return [
				{
					...viewFacts(files.facts()),
					trusted: !files.facts().selfSigned,
					renewAt: null,
					explanationUrl: null,
					failure: problem && {
						at: null,
						directory: null,
						detail: problem.message,
						remedy: problem.hint ?? "",
					},
				},
			];
		},
		renew: async () => {
			await files.check();
			const problem = files.problem();
			if (problem !== null) throw problem;
		},
		orders: null,
	};
}

/** None: the gateway serves in clear. */
export function noCertificates(): Certificates {
	return {
		source: "off",
		list: () => [],
		renew: async () => {
			throw new SallyportError(
				"invalid",
				"tls is off: there is no certificate to renew",
				{
					hint: "renew it where the proxy has it, or serve with --tls acme and a --public-url",
				},
			);
		},
		orders: null,
	};
}

function viewKept(status: CertificateStatus): CertificateView {
	return {
		...viewFacts(status),
		trusted: status.trusted,
		renewAt: Math.max(status.renewAt ?? 0, status.nextAttemptAt),
		explanationUrl: status.explanationUrl,
		failure: viewFailure(status.failure),
	};
}

function viewFailure(failure: OrderFailure | null): CertificateFailure | null {
	if (failure === null) return null;
	const { at, directory, detail, remedy } = failure;
	return { at, directory, detail, remedy };
}

function viewFacts({
	names,
	issuer,
	fingerprint,
	notBefore,
	notAfter,
}: Omit<CertificateFacts, "selfSigned">): Pick<
	CertificateView,
	"names" | "issuer" | "fingerprint" | "notBefore" | "notAfter"
> {
	return {
		names,
		issuer,
		fingerprint: spellFingerprint(fingerprint),
		notBefore,
		notAfter,
	};
}

/**
 * A certificate that somebody else renews: two PEM files, read again when they change. A pair that does not fit (one
 * file is written before the other) changes nothing: the old one is shown until both are right, and what is wrong is
 * said once.
 */
import { type Clock, every } from "../clock.ts";
import { describeError, SallyportError } from "../errors.ts";
import type { Log } from "../log.ts";
import {
	type CertificateFacts,
	covers,
	type KeyPair,
	requireServable,
} from "./certificate.ts";
import { readGivenFile } from "./given-files.ts";
import { type Identifier, namesKey } from "./identifiers.ts";
import type { TlsMaterial } from "./listeners.ts";

export type CertificateFiles = {
	readonly materials: () => readonly TlsMaterial[];
	readonly facts: () => CertificateFacts;
	/** What is wrong with the files as they are now, and what to do; null: they are what is shown. */
	readonly problem: () => SallyportError | null;
	/** Reads the files again if they changed, and shows what they hold. */
	readonly check: () => Promise<void>;
	/** Checks now and then, until the function it returns is called. */
	readonly watch: () => () => void;
};

const HINT = "name PEM files with --tls-cert and --tls-key";
const CHECK_MS = 10_000;

/**
 * Opens a pair of files.
 * @param identifiers what clients ask for; a certificate for something else is not shown
 * @throws SallyportError `invalid` when they cannot be read or do not fit
 */
export function openCertificateFiles(
	deps: {
		readonly clock: Clock;
		readonly log: Log;
		readonly show: (materials: readonly TlsMaterial[]) => Promise<void>;
	},
	paths: { readonly chain: string; readonly key: string },
	identifiers: readonly Identifier[] = [],
): CertificateFiles {
	const { clock, log } = deps;
	const requireFitting = (candidate: KeyPair): CertificateFacts => {
		const found = requireServable(candidate, clock.now());
		if (covers(found, identifiers)) return found;
		throw otherNames(found, identifiers);
	};
	let pair = readPair(paths);
	let facts = requireFitting(pair);
	let problem: SallyportError | null = null;

	const reload = async (): Promise<void> => {
		const next = readPair(paths);
		if (next.chain === pair.chain && next.key === pair.key) return;
		const nextFacts = requireFitting(next);
		await deps.show(shownAs(next));
		[pair, facts] = [next, nextFacts];
		log.info("certificate reloaded", { path: paths.chain });
	};

	const check = async (): Promise<void> => {
		try {
			await reload();
			problem = null;
		} catch (error) {
			if (!(error instanceof SallyportError)) throw error;
			if (error.message !== problem?.message)
				log.warn("certificate not reloaded", {
					path: paths.chain,
					reason: error.message,
				});
			problem = error;
		}
	};

	return {
		materials: () => shownAs(pair),
		facts: () => facts,
		problem: () => problem,
		check,
		watch: () =>
			every(CHECK_MS, () => {
				check().catch((error: unknown) =>
					log.error("certificate check failed", {
						reason: describeError(error),
					}),
				);
			}),
	};
}

function otherNames(
	{ names }: CertificateFacts,
	identifiers: readonly Identifier[],
): SallyportError {
	return new SallyportError(
		"invalid",
		`the certificate is for ${names.join(", ") || "no name"}, not for ${namesKey(identifiers)}`,
		{
			hint: "name the certificate of that address, or set --public-url to a name that it is for",
		},
	);
}

/** One certificate for every name a client may ask for. */
function shownAs(pair: KeyPair): readonly TlsMaterial[] {
	return [{ serverName: null, ...pair }];
}

function readPair(paths: {
	readonly chain: string;
	readonly key: string;
}): KeyPair {
	return {
		chain: readGivenFile(paths.chain, HINT),
		key: readGivenFile(paths.key, HINT),
	};
}

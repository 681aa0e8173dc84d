/**
 * Password hashes: argon2id with 64 MiB, three passes, one lane.
 * The native implementation where it loads, Bun's own where it does not; each reads what the other wrote. Few hashes
 * run at once and few may wait, so that many logins cannot exhaust the memory. A user who does not exist costs the
 * same work as one who does.
 *
 * @see RFC 9106 4
 */
import { SallyportError } from "../errors.ts";
import { mintNonce } from "../mint.ts";

export type Passwords = {
	/** The hash to keep. @throws SallyportError `invalid` when it is too short or long, `unavailable` when too many wait */
	readonly hash: (password: string) => Promise<string>;
	/** Whether the password made this hash; null is the hash of nobody. @throws SallyportError `unavailable` */
	readonly verify: (hash: string | null, password: string) => Promise<boolean>;
};

export const PASSWORD_LENGTH_MIN = 10;
const PASSWORD_LENGTH_MAX = 256;
const IN_FLIGHT_MAX = 2;
const QUEUE_MAX = 20;

type Cost = { readonly memoryKib: number; readonly passes: number };
const COSTS = {
	production: { memoryKib: 64 * 1024, passes: 3 },
	/** For tests only: as fast as the algorithm allows. */
	testing: { memoryKib: 1024, passes: 1 },
} as const satisfies Readonly<Record<string, Cost>>;

type Argon2 = {
	readonly hash: (password: string, cost: Cost) => Promise<string>;
	readonly verify: (hash: string, password: string) => Promise<boolean>;
};

/** Hashing with its queue. */
export function createPasswords(
	cost: keyof typeof COSTS = "production",
): Passwords {
	const queue: (() => void)[] = [];
	let inFlight = 0;
	let argon2: Promise<Argon2> | undefined;
	let nobody: Promise<string> | undefined;

	async function inTurn<T>(work: (argon2: Argon2) => Promise<T>): Promise<T> {
		if (inFlight >= IN_FLIGHT_MAX) {
			if (queue.length >= QUEUE_MAX)
				throw new SallyportError(
					"unavailable",
					"too many people are signing in at once",
					{ hint: "try again in a few seconds" },
				);
			// Whoever ends hands its place on, so the count does not change.
			await new Promise<void>((resolve) => queue.push(resolve));
		} else inFlight++;
		try {
			argon2 ??= loadArgon2();
			return await work(await argon2);
		} finally {
			const next = queue.shift();
			if (next) next();
			else inFlight--;
		}
	}

	return {
		hash: async (password) => {
			const plain = parsePassword(password);
			return inTurn((loaded) => loaded.hash(plain, COSTS[cost]));
		},
		verify: async (hash, password) => {
			const plain = password.normalize("NFKC");
			if (plain.length > PASSWORD_LENGTH_MAX) return false;
			return inTurn(async (loaded) => {
				nobody ??= loaded.hash(mintNonce(), COSTS[cost]);
				const same = await loaded.verify(hash ?? (await nobody), plain);
				return same && hash !== null;
			});
		},
	};
}

/** A password in one spelling of its characters. @throws SallyportError `invalid` */
function parsePassword(text: string): string {
	const password = text.normalize("NFKC");
	if (
		password.length < PASSWORD_LENGTH_MIN ||
		password.length > PASSWORD_LENGTH_MAX
	)
		throw new SallyportError(
			"invalid",
			`a password has ${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters`,
			{ hint: "four random words make a good one" },
		);
	return password;
}

async function loadArgon2(): Promise<Argon2> {
	try {
		const native = await import("@node-rs/argon2");
		return {
			// argon2id is the add-on's default; its enum does not exist at run time.
			hash: (password, { memoryKib, passes }) =>
				native.hash(password, {
					memoryCost: memoryKib,
					timeCost: passes,
					parallelism: 1,
				}),
			verify: (hash, password) => native.verify(hash, password),
		};
	} catch {
		// The add-on is not built for every C library we run on.
		return {
			hash: (password, { memoryKib, passes }) =>
				Bun.password.hash(password, {
					algorithm: "argon2id",
					memoryCost: memoryKib,
					timeCost: passes,
				}),
			verify: (hash, password) => Bun.password.verify(password, hash),
		};
	}
}

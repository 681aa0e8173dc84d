/** What keeps a form from being done, as its page says it when it is shown again. */

export type Problem = {
	readonly status: number;
	readonly text: string;
	readonly retryAfterSeconds?: number;
};

/** What a page that may show a problem answers with. */
export function problemOptions(problem: Problem | undefined): {
	readonly status: number;
	readonly headers: Readonly<Record<string, string>>;
} {
	return {
		status: problem?.status ?? 200,
		headers:
			problem?.retryAfterSeconds === undefined
				? {}
				: { "Retry-After": String(problem.retryAfterSeconds) },
	};
}

/** For someone who must wait before the next attempt. */
export function tooManyAttempts(waitSeconds: number): Problem {
	const minutes = Math.ceil(waitSeconds / 60);
	return {
		status: 429,
		text: `Too many attempts. Wait ${minutes === 1 ? "a minute" : `${minutes} minutes`}.`,
		retryAfterSeconds: waitSeconds,
	};
}

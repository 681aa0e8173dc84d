/** What keeps a form from being done, as its page says it when it is shown again. */
import type { VNode } from "preact";
import { Notice } from "./layout.tsx";

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

/** The line of a form that was not done; nothing on a form that is shown for the first time. */
export function NotDone(props: {
	readonly problem: Problem | undefined;
}): VNode | null {
	return props.problem === undefined ? null : (
		<Notice word="Not done">{props.problem.text}</Notice>
	);
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

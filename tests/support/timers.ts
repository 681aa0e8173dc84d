import { jest } from "bun:test";

/** Does the work under timers that only it moves. */
export function withTimers(work: (passMs: (ms: number) => void) => void): void {
	jest.useFakeTimers();
	try {
		work((ms) => jest.advanceTimersByTime(ms));
	} finally {
		jest.useRealTimers();
	}
}

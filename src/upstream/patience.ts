/**
 * How long one call waits for its server: anew each time the server shows that it is alive, and not at all while a
 * person is being asked.
 */

export type Patience = {
	readonly timeoutMs: number;
	/** Begins to wait. `onEnd` is called when nothing was heard for so long. */
	readonly start: (onEnd: () => void) => void;
	/** The server is alive: its time begins anew. */
	readonly touch: () => void;
	/** Time stands still until the returned function is called, and begins anew then. */
	readonly hold: () => () => void;
	readonly stop: () => void;
};

export function createPatience(timeoutMs: number): Patience {
	let timer: ReturnType<typeof setTimeout> | undefined;
	let holds = 0;
	let run: (() => void) | null = null;

	const begin = (): void => {
		clearTimeout(timer);
		timer = run && holds === 0 ? setTimeout(run, timeoutMs) : undefined;
	};
	return {
		timeoutMs,
		start: (onEnd) => {
			run = onEnd;
			begin();
		},
		touch: () => void timer?.refresh(),
		hold: () => {
			let held = true;
			holds++;
			begin();
			return () => {
				if (!held) return;
				held = false;
				holds--;
				begin();
			};
		},
		stop: () => {
			run = null;
			begin();
		},
	};
}

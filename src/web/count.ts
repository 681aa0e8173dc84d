/** How many of something there are, as a page says it: `1 tool`, `3 tools`. */
export function countOf(count: number, noun: string): string {
	return `${count} ${count === 1 ? noun : `${noun}s`}`;
}

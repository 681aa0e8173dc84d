/** What every row of the bench works with: how long, what is reached and what is not, and the table it is printed in. */
export const QUICK = process.argv.includes("--quick");
const ONLY = /--only[ =](\S+)/.exec(process.argv.join(" "))?.[1]?.split(",");
export const ROUNDS = QUICK ? 1 : 3;
export const SECONDS = QUICK ? 1 : 2;

export function isWanted(row: string): boolean {
	return ONLY?.includes(row) ?? true;
}

const missed: string[] = [];

/** One figure beside its goal. */
export function report(
	row: string,
	what: string,
	figure: string,
	goal: string,
	isReached: boolean,
): void {
	const verdict = isReached ? "reached" : "NOT REACHED";
	console.log(
		`${row.padEnd(4)}${what.padEnd(58)}${figure.padStart(24)}   ${goal.padEnd(24)}${verdict}`,
	);
	if (!isReached) missed.push(`${row} ${what}: ${figure} (goal ${goal})`);
}

/** What could not be measured here, and why. */
export function skipped(row: string, what: string, reason: string): void {
	console.log(`${row.padEnd(4)}${what.padEnd(58)} not measured: ${reason}`);
	missed.push(`${row} ${what}: not measured: ${reason}`);
}

/** Says plainly what was not reached. */
export function summarize(): void {
	console.log(
		missed.length === 0
			? "\nevery goal was reached"
			: `\nnot reached:\n${missed.map((line) => `  ${line}`).join("\n")}`,
	);
}

export function median(numbers: readonly number[]): number {
	return (
		numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ??
		Number.NaN
	);
}

/** A number as a person reads it. */
export function short(number: number): string {
	return number >= 100
		? Math.round(number).toLocaleString("en")
		: number.toFixed(number < 10 ? 2 : 1);
}

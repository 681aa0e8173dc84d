/**
 * The stdio transport: one message a line, to and from a child process.
 *
 * Lines that are not messages are counted and skipped, because many servers print something; a line without an end
 * is the end of the child.
 *
 * @see specification 2026-07-28 and 2025-11-25, basic/transports (stdio)
 */

import { lineOf, type Writable } from "../assembly.ts";
import { describeError, SallyportError } from "../errors.ts";
import type { Bytes } from "../message.ts";
import type { Child, Exit } from "./child.ts";
import { wrapCancellation } from "./envelope.ts";
import { createLineSplitter } from "./lines.ts";
import {
	type Hearing,
	type Link,
	LinkError,
	MESSAGE_BYTES_MAX,
	type Outgoing,
} from "./link.ts";
import { createPending, type Wire } from "./pending.ts";

export type StdioLink = Link & {
	/** Lines on standard output that were no messages. */
	readonly garbage: () => number;
	/** Said at least one message of the protocol. */
	readonly spoke: () => boolean;
};

/** Garbage beyond this is not a stray print any more. */
const GARBAGE_LINES_MAX = 10_000;

/** Speaks with a child that was just started. */
export function openStdioLink(child: Child, hearing: Hearing): StdioLink {
	let garbage = 0;
	let spoke = false;
	let open = true;
	let complaint: string | null = null;

	const write = (message: Bytes | Writable): void => {
		if (!open) throw new LinkError("unsent", "the server's process has ended");
		if (!child.write(lineOf(message)))
			throw new LinkError("unsent", "the server does not read its input", {
				hint: "restart it: sallyport servers restart SLUG",
			});
	};
	const pending = createPending(hearing, (bytes) => {
		if (open) child.write(lineOf(bytes));
	});
	const wire: Wire = {
		send: ({ message }) => write(message),
		cancel: (outgoing) => tryCancel(outgoing, write),
	};
	const giveUp = (reason: string): void => {
		if (complaint !== null) return;
		complaint = reason;
		pending.fail(reason);
		void child.stop();
	};

	const lines = createLineSplitter({
		bytesMax: MESSAGE_BYTES_MAX,
		onTooLong: () =>
			giveUp(
				`the server wrote a line of more than ${MESSAGE_BYTES_MAX / 1024 / 1024} MiB`,
			),
		onLine: (line) => {
			if (line.length === 0) return;
			if (pending.receive(line)) spoke = true;
			else if (++garbage > GARBAGE_LINES_MAX)
				giveUp("the server writes other things than messages to its output");
		},
	});
	child
		.read(lines.push)
		.then(lines.end)
		.catch((error: unknown) => {
			complaint ??= `the server's output cannot be read: ${describeError(error)}`;
		});

	const closed = child.exited.then((exit) => {
		open = false;
		const reason = complaint ?? explainExit(exit, garbage);
		pending.fail(reason);
		return reason;
	});

	return {
		send: (outgoing) => pending.add(outgoing, wire),
		notify: async (message) => write(message),
		listen: () => {},
		takeStream: () => () => {},
		close: () => child.stop(),
		closed,
		garbage: () => garbage,
		spoke: () => spoke,
	};
}

function tryCancel(outgoing: Outgoing, write: (bytes: Bytes) => void): void {
	const message = wrapCancellation(outgoing);
	try {
		if (message) write(message);
	} catch (error) {
		if (!(error instanceof SallyportError)) throw error; // a server that is gone needs no telling
	}
}

function explainExit({ code, signal }: Exit, garbage: number): string {
	const how =
		signal !== null
			? `was ended by ${signal}`
			: `ended with exit code ${code ?? "unknown"}`;
	return garbage > 0
		? `the server's process ${how}, after ${garbage} lines that are no messages`
		: `the server's process ${how}`;
}

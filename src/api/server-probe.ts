/**
 * The first connection to a server that was added or changed: how many tools it has, or why it cannot be used yet.
 * A server that does not answer now is kept, because it may answer tomorrow; the warning says what is wrong.
 */
import { type ErrorCode, SallyportError } from "../errors.ts";
import type { Server } from "../store/servers.ts";
import { withoutTasks } from "../upstream/tasks.ts";
import type { Upstreams } from "../upstream/upstream.ts";

const PROBE_TIMEOUT_MS = 60_000;

export type Warning = {
	readonly code: ErrorCode;
	readonly message: string;
	readonly hint?: string | undefined;
};

export type Probe = {
	/** Null when it could not be asked. */
	readonly toolCount: number | null;
	readonly warnings: readonly Warning[];
};

/** Connects and lists the tools. @param userId whose personal secrets it may use, if there is a user yet */
export async function probeServer(
	upstreams: Upstreams,
	server: Server,
	userId: string | null,
	signal: AbortSignal,
): Promise<Probe> {
	if (!server.enabled) return { toolCount: null, warnings: [] };
	const deadline = AbortSignal.any([
		signal,
		AbortSignal.timeout(PROBE_TIMEOUT_MS),
	]);
	try {
		const tools = await upstreams
			.forUser(server, userId ?? "")
			.list("tools", deadline);
		const callable = tools.filter((tool) => withoutTasks(tool) !== null);
		return { toolCount: callable.length, warnings: [] };
	} catch (error) {
		if (!(error instanceof SallyportError) || error.code === "internal")
			throw error;
		const { code, message, hint } = error;
		return { toolCount: null, warnings: [{ code, message, hint }] };
	}
}

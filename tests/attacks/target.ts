/**
 * The gateway under attack: a running one, reached over HTTP and nothing else. In this process by default; with
 * `ATTACK_EXECUTABLE=1` the executable. Its clock can be moved either way. Each request comes from an address of its
 * own (a proxy on loopback is trusted), so that one attack's limit does not answer for another.
 */

import { expect } from "bun:test";
import { connect } from "node:net";
import type { Place } from "../oauth/authority.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { createMovedClock } from "../support/moved-clock.ts";
import { fixtureCommand } from "../support/processes.ts";

export type Target = Place & {
	readonly gateway: Gateway;
	/** The status of an MCP request with this token; 401 when it is not accepted. */
	readonly use: (token: string, path?: string) => Promise<number>;
	/** Bytes on a socket as they stand, and all that comes back until the gateway closes or has answered. */
	readonly raw: (bytes: string) => Promise<string>;
	readonly stop: () => Promise<void>;
};

/** Whether the executable is under attack. */
export const IS_EXECUTABLE = Bun.env["ATTACK_EXECUTABLE"] === "1";

/** So that `manyVisitors` is believed. */
export const TRUST_LOOPBACK = [
	...["--trusted-proxy", "127.0.0.0/8"],
	...["--trusted-proxy", "::1/128"],
];
const RAW_TIMEOUT_MS = 3000;

const moved = IS_EXECUTABLE ? createMovedClock() : null;
let later = 0;

/** Moves the clock of every gateway under attack. */
export function advance(seconds: number): void {
	later += seconds;
	moved?.moveTo(later);
}

/** The time at every gateway under attack, in seconds. */
export function now(): number {
	return Math.floor(Date.now() / 1000) + later;
}

/** Starts a gateway with the servers `a` and `ab`. */
export async function openTarget(
	options: { readonly trustProxy?: boolean } = {},
): Promise<Target> {
	const gateway = await startGateway({
		compiled: IS_EXECUTABLE,
		flags: options.trustProxy === false ? [] : TRUST_LOOPBACK,
		...(moved && { env: moved.env }),
		clock: {
			now,
			nowMs: () => performance.now() + later * 1000,
		},
	});
	for (const slug of ["a", "ab"]) {
		const [command, ...args] = fixtureCommand("modern", "stdio");
		await gateway.cli([
			...["servers", "add", slug, "--command", command],
			...["--", ...args],
		]);
	}
	const place = manyVisitors(gateway.url);
	const { send } = place;
	return {
		...place,
		gateway,
		use: async (token, path = "/mcp") => {
			const response = await send(path, {
				method: "POST",
				headers: {
					"Content-Type": "application/json",
					Accept: "application/json, text/event-stream",
					Authorization: `Bearer ${token}`,
				},
				body: INITIALIZE,
			});
			await response.body?.cancel();
			return response.status;
		},
		raw: (bytes) => exchange(Number(new URL(gateway.url).port), bytes),
		stop: () => gateway.stop(),
	};
}

/** A gateway as it is reached from many addresses, each request from another. @param reach how it is reached */
export function manyVisitors(
	issuer: string,
	reach: (url: URL, init: RequestInit) => Promise<Response> = fetch,
): Place {
	let visitor = 0;
	return {
		issuer,
		send: (path, init = {}) => {
			const headers = new Headers(init.headers);
			visitor++;
			if (!headers.has("X-Forwarded-For"))
				headers.set("X-Forwarded-For", `10.1.${visitor >> 8}.${visitor & 255}`);
			return reach(new URL(path, issuer), {
				...init,
				headers,
				redirect: "manual",
			});
		},
	};
}

const INITIALIZE = JSON.stringify({
	jsonrpc: "2.0",
	id: 1,
	method: "initialize",
	params: {
		protocolVersion: "2025-11-25",
		capabilities: {},
		clientInfo: { name: "attacker", version: "1.0.0" },
	},
});

function exchange(port: number, bytes: string): Promise<string> {
	return new Promise((resolve, reject) => {
		let received = "";
		const socket = connect(port, "localhost", () =>
			socket.write(Buffer.from(bytes, "latin1")),
		);
		const timer = setTimeout(() => socket.destroy(), RAW_TIMEOUT_MS);
		socket.on("data", (chunk) => {
			received += chunk.toString("latin1");
		});
		socket.on("error", (error) =>
			received === "" ? reject(error) : undefined,
		);
		socket.on("close", () => {
			clearTimeout(timer);
			resolve(received);
		});
	});
}

/** The status line's number of a raw answer; 0 when the connection was closed without one. */
export function statusOf(answer: string): number {
	return Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1] ?? 0);
}

/** A page that tells the person and sends the browser nowhere. */
export async function expectPage(
	response: Response,
	what?: string,
): Promise<void> {
	expect(response.status, what).toBe(400);
	expect(response.headers.get("Location"), what).toBeNull();
	expect(response.headers.get("Content-Type"), what).toStartWith("text/html");
	expect(response.headers.get("Cache-Control"), what).toBe("no-store");
	expect(await response.text(), what).not.toContain("evil");
}

/** The error that the client is told at its own redirect URI. */
export function expectRedirect(
	response: Response,
	redirectUri: string,
	error: string,
	what?: string,
): URL {
	expect(response.status, what).toBe(303);
	const location = response.headers.get("Location") ?? "";
	expect(location, what).toStartWith(`${redirectUri}?`);
	const url = new URL(location);
	expect(url.searchParams.get("error"), what).toBe(error);
	return url;
}

/** The request was found good: the person is asked to sign in. */
export function expectAsked(response: Response, what?: string): void {
	expect(response.status, what).toBe(303);
	expect(response.headers.get("Location"), what).toStartWith("/login?next=");
}

/** An error in JSON, never stored. */
export async function expectError(
	response: Response,
	status: number | readonly number[],
	error: string,
	what?: string,
): Promise<void> {
	expect([status].flat(), what).toContain(response.status);
	expect(response.headers.get("Cache-Control"), what).toBe("no-store");
	expect(((await response.json()) as { error: string }).error, what).toBe(
		error,
	);
}

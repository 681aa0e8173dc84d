/** What a client may take of the server: bytes, seconds and connections. */

/** How much, and for how many seconds. */
export type Limits = {
	readonly headBytes: number;
	readonly bodyBytes: number;
	/** Of a body that nobody wants, before its connection is given up. */
	readonly unreadBytes: number;
	/** Until a head is complete, from the first byte of it or of the connection. */
	readonly headSeconds: number;
	/** Until the next request begins. */
	readonly idleSeconds: number;
	/** In which some part of a body must arrive, and how many bytes are some: a body that drips is not waited for. */
	readonly bodySeconds: number;
	readonly bodyBytesMin: number;
	/** In which a client takes nothing of its answer. */
	readonly takeSeconds: number;
	/** For the client to hear of the end, when it has more to say. */
	readonly lingerSeconds: number;
	readonly connections: number;
};

export const LIMITS: Limits = {
	headBytes: 32 * 1024,
	bodyBytes: 80 * 1024 * 1024,
	unreadBytes: 256 * 1024,
	headSeconds: 10,
	idleSeconds: 75,
	bodySeconds: 10,
	bodyBytesMin: 10 * 1024,
	takeSeconds: 60,
	lingerSeconds: 3,
	connections: 10_000,
};

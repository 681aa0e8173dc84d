/**
 * Hosts that only a test's own DNS knows: a `fetch` that takes every one of them to one machine, and still judges
 * certificates by the name that was asked for.
 */

export type Reach = (
	input: string | URL | Request,
	init?: RequestInit,
) => Promise<Response>;

/** @param ca whom to trust, in PEM, and nobody else @param address the machine; this one if it is not said */
export function reachHere(ca: string, address = "127.0.0.1"): Reach {
	return (input, init) => {
		const request = new Request(input, init);
		const url = new URL(request.url);
		const headers = new Headers(request.headers);
		headers.set("host", url.host);
		const serverName = url.hostname;
		url.hostname = address;
		return fetch(url, {
			method: request.method,
			headers,
			body: request.body,
			signal: request.signal,
			redirect: request.redirect,
			tls: { ca, ...(serverName !== address && { serverName }) },
		});
	};
}

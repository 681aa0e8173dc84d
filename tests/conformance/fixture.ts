/**
 * The fixture MCP server of the conformance runs: every name that the official suite calls, in one era at a time.
 *
 *     bun tests/conformance/fixture.ts http-modern PORT     0: any; prints `listening <port>`; any path
 *     bun tests/conformance/fixture.ts http-legacy PORT     with sessions
 *     bun tests/conformance/fixture.ts stdio-modern
 *     bun tests/conformance/fixture.ts stdio-legacy
 */
import {
	hostHeaderValidationResponse,
	localhostAllowedHostnames,
	localhostAllowedOrigins,
	originValidationResponse,
} from "@modelcontextprotocol/server";
import { createLegacyHandler, serveLegacyStdio } from "./fixture/legacy.ts";
import { createModernHandler, serveModernStdio } from "./fixture/modern.ts";

function listen(
	port: number,
	handle: (request: Request) => Promise<Response>,
): void {
	const listener = Bun.serve({
		port,
		hostname: "127.0.0.1",
		idleTimeout: 0,
		fetch: async (request) =>
			hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
			originValidationResponse(request, localhostAllowedOrigins()) ??
			(await handle(request)),
	});
	console.log(`listening ${listener.port}`);
}

const [mode, port] = process.argv.slice(2);
switch (mode) {
	case "http-modern":
		listen(Number(port ?? 0), createModernHandler());
		break;
	case "http-legacy":
		listen(Number(port ?? 0), createLegacyHandler());
		break;
	case "stdio-modern":
		serveModernStdio();
		break;
	case "stdio-legacy":
		await serveLegacyStdio();
		break;
	default:
		throw new Error(`no such mode: ${mode}`);
}

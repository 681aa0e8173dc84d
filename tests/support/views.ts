/** What a member is shown of some servers at `/mcp`, as the router is given it. */
import { NO_CAPABILITIES } from "../../src/mcp/capabilities.ts";
import type { View } from "../../src/mcp/view.ts";

export function viewOf(servers: View["servers"], userId = "usr_1"): View {
	return {
		caller: {
			userId,
			role: "member",
			clientId: "cli_1",
			grantId: null,
			scopes: ["mcp"],
		},
		only: null,
		toolset: null,
		capabilities: NO_CAPABILITIES,
		tasks: null,
		servers,
	};
}

import { describe, expect, test } from "bun:test";
import { Envelope } from "../../src/mcp/envelope.ts";
import { eraOf } from "../../src/mcp/era.ts";
import { RpcError } from "../../src/mcp/rpc.ts";
import { toBytes } from "../../src/message.ts";

const META = {
	"io.modelcontextprotocol/protocolVersion": "2026-07-28",
	"io.modelcontextprotocol/clientCapabilities": {},
};

function era(
	method: string,
	params: Record<string, unknown>,
	headers: Record<string, string> = {},
): string | number {
	try {
		const envelope = new Envelope(method, toBytes(JSON.stringify(params)));
		return eraOf(envelope, new Headers(headers));
	} catch (error) {
		if (error instanceof RpcError) return error.code;
		throw error;
	}
}

const MODERN_HEADERS = {
	"MCP-Protocol-Version": "2026-07-28",
	"Mcp-Method": "tools/list",
};

describe("a request is modern", () => {
	test("when its envelope and headers say so", () => {
		expect(era("tools/list", { _meta: META }, MODERN_HEADERS)).toBe("modern");
	});

	test("and must then carry the whole envelope (2026-07-28 basic, -32602)", () => {
		expect(era("tools/list", {}, MODERN_HEADERS)).toBe(-32602);
		const { "io.modelcontextprotocol/clientCapabilities": _, ...half } = META;
		expect(era("tools/list", { _meta: half }, MODERN_HEADERS)).toBe(-32602);
		expect(era("server/discover", {})).toBe(-32602);
	});

	test("and its headers must say what its body says (SEP-2243, -32020)", () => {
		expect(era("tools/list", { _meta: META })).toBe(-32020);
		expect(
			era(
				"tools/list",
				{ _meta: META },
				{ ...MODERN_HEADERS, "MCP-Protocol-Version": "2025-11-25" },
			),
		).toBe(-32020);
		expect(
			era(
				"tools/list",
				{ _meta: META },
				{ ...MODERN_HEADERS, "Mcp-Method": "tools/call" },
			),
		).toBe(-32020);
		const call = { ...MODERN_HEADERS, "Mcp-Method": "tools/call" };
		expect(era("tools/call", { name: "a", _meta: META }, call)).toBe(-32020);
		expect(
			era(
				"tools/call",
				{ name: "a", _meta: META },
				{ ...call, "Mcp-Name": "b" },
			),
		).toBe(-32020);
		expect(
			era(
				"tools/call",
				{ name: "a", _meta: META },
				{ ...call, "Mcp-Name": "a" },
			),
		).toBe("modern");
	});

	test("with a name that is not ASCII in its base64 form", () => {
		const headers = {
			...MODERN_HEADERS,
			"Mcp-Method": "resources/read",
			"Mcp-Name": "=?base64?w6k=?=",
		};
		expect(era("resources/read", { uri: "é", _meta: META }, headers)).toBe(
			"modern",
		);
	});

	test("but of a revision we do not speak is refused with those we do (-32022)", () => {
		const meta = {
			...META,
			"io.modelcontextprotocol/protocolVersion": "2030-01-01",
		};
		expect(
			era(
				"tools/list",
				{ _meta: meta },
				{ ...MODERN_HEADERS, "MCP-Protocol-Version": "2030-01-01" },
			),
		).toBe(-32022);
	});
});

describe("a request is legacy", () => {
	test("when nothing says otherwise", () => {
		expect(era("tools/list", {})).toBe("legacy");
		expect(
			era("tools/list", {}, { "MCP-Protocol-Version": "2025-06-18" }),
		).toBe("legacy");
	});

	test("when it initializes, whatever its header says", () => {
		expect(
			era("initialize", { protocolVersion: "2025-11-25" }, MODERN_HEADERS),
		).toBe("legacy");
	});

	test("but not in a revision that never was (2025-06-18 transports: 400)", () => {
		expect(
			era("tools/list", {}, { "MCP-Protocol-Version": "2025-01-01" }),
		).toBe(-32600);
	});
});

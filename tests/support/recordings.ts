/** Every recording: each client of the compatibility table, in each of its ways. */

import { chatgpt } from "./recordings/chatgpt.ts";
import { claude } from "./recordings/claude.ts";
import { claudeCode } from "./recordings/claude-code.ts";
import { codex } from "./recordings/codex.ts";
import { cursor } from "./recordings/cursor.ts";
import {
	firstRevision,
	grok,
	libreChat,
	n8n,
} from "./recordings/hosted-tools.ts";
import {
	copilotCli,
	gemini,
	goose,
	inspector,
	mcpRemote,
	openCode,
	zed,
} from "./recordings/local-tools.ts";
import type { Recording } from "./recordings/recording.ts";
import { vscode } from "./recordings/vscode.ts";

export const RECORDINGS: readonly Recording[] = [
	...claude,
	...claudeCode,
	...chatgpt,
	...codex,
	...cursor,
	...vscode,
	...copilotCli,
	...zed,
	...goose,
	...libreChat,
	...n8n,
	...inspector,
	...mcpRemote,
	...gemini,
	...openCode,
	...grok,
	...firstRevision,
];

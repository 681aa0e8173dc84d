/** The credentials that a real client keeps in files of its own, whatever shape they have. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Credentials } from "./client.ts";

/** Finds what a program stored, wherever in its home it stores it. */
export function storedCredentials(home: string): Credentials {
	const found: Record<string, string> = {};
	const collect = (value: unknown): void => {
		if (typeof value === "string" && value.startsWith("{")) {
			try {
				collect(JSON.parse(value));
			} catch {
				// Not JSON after all: a value like any other.
			}
		}
		if (typeof value !== "object" || value === null) return;
		for (const [key, member] of Object.entries(value)) {
			if (typeof member === "string") found[key] = member;
			collect(member);
		}
	};
	for (const file of filesUnder(home))
		if (file.endsWith(".json")) collect(JSON.parse(readFileSync(file, "utf8")));
	return {
		clientId: found["client_id"] ?? "",
		accessToken: found["access_token"] ?? "",
		refreshToken: found["refresh_token"] ?? "",
	};
}

function filesUnder(directory: string): readonly string[] {
	return readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name));
}

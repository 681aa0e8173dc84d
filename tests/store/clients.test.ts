/** The migration that rebuilds `clients`: what people allowed before it still holds after it. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrations } from "../../migrations/index.ts";
import { findClient } from "../../src/store/clients.ts";
import { openDatabase } from "../../src/store/database.ts";

const AUTHORIZATION = 3;

test("clients, grants, codes and tokens of before are there after", () => {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-clients-"));
	try {
		const path = join(folder, "sallyport.db");
		const before = openDatabase(path, migrations.slice(0, AUTHORIZATION - 1));
		for (const sql of [
			"INSERT INTO users (id, email, role, created_at) VALUES ('usr_1', 'a@example.org', 'owner', 1)",
			`INSERT INTO clients (id, kind, name, redirect_uris, auth_method, created_at)
			 VALUES ('cli_1', 'registered', 'A', '["http://localhost/cb"]', 'none', 7)`,
			`INSERT INTO grants (id, user_id, client_id, redirect_uri, resource, scope, created_at)
			 VALUES ('grt_1', 'usr_1', 'cli_1', 'http://localhost/cb', 'r', 'mcp', 7)`,
			"INSERT INTO codes (hash, grant_id, code_challenge, expires_at) VALUES (x'01', 'grt_1', 'c', 9)",
			"INSERT INTO access_tokens (hash, grant_id, scope, expires_at) VALUES (x'02', 'grt_1', 'mcp', 9)",
			"INSERT INTO refresh_tokens (hash, grant_id, created_at, expires_at) VALUES (x'03', 'grt_1', 7, 9)",
		])
			before.run(sql);
		before.close();
		const after = openDatabase(path);
		for (const table of ["grants", "codes", "access_tokens", "refresh_tokens"])
			expect(after.query(`SELECT 1 FROM ${table}`).all(), table).toHaveLength(
				1,
			);
		expect(findClient(after, "cli_1")).toMatchObject({
			name: "A",
			approvedAt: 7,
			introspects: [],
		});
		expect(after.query("PRAGMA foreign_key_check").all()).toEqual([]);
		after.close();
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
});

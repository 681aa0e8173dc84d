-- How a server's tools are shown: what was approved, what waits for approval, switches and names of our own; toolsets.

ALTER TABLE servers ADD COLUMN destructive INTEGER NOT NULL DEFAULT 1 CHECK (destructive IN (0, 1));
ALTER TABLE servers ADD COLUMN pinning TEXT NOT NULL DEFAULT 'hold' CHECK (pinning IN ('hold', 'auto', 'off'));
ALTER TABLE servers ADD COLUMN result_bytes_max INTEGER;

-- What an administrator decided about one tool, under the server's own name of it. Null: as the server has it.
CREATE TABLE tool_settings (
	server_id   TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	tool        TEXT NOT NULL,
	enabled     INTEGER CHECK (enabled IN (0, 1)),
	name        TEXT,
	title       TEXT,
	description TEXT,
	PRIMARY KEY (server_id, tool)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX tool_settings_name ON tool_settings (server_id, name) WHERE name IS NOT NULL;

-- A list of a server that was approved as it first was. Without this row its next listing is.
CREATE TABLE pinned_lists (
	server_id TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	kind      TEXT NOT NULL CHECK (kind IN ('tool', 'prompt', 'instructions')),
	pinned_at INTEGER NOT NULL,
	PRIMARY KEY (server_id, kind)
) STRICT, WITHOUT ROWID;

-- A definition that was approved. The instructions' name is empty.
CREATE TABLE tool_pins (
	server_id  TEXT NOT NULL,
	kind       TEXT NOT NULL,
	name       TEXT NOT NULL,
	definition TEXT NOT NULL CHECK (json_valid(definition)),
	digest     TEXT NOT NULL,
	likeness   TEXT NOT NULL,
	pinned_at  INTEGER NOT NULL,
	PRIMARY KEY (server_id, kind, name),
	FOREIGN KEY (server_id, kind) REFERENCES pinned_lists (server_id, kind) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- A definition that differs from what was approved, and waits.
CREATE TABLE held_changes (
	server_id  TEXT NOT NULL,
	kind       TEXT NOT NULL,
	name       TEXT NOT NULL,
	change     TEXT NOT NULL CHECK (change IN ('changed', 'new', 'renamed')),
	was        TEXT,
	definition TEXT NOT NULL CHECK (json_valid(definition)),
	digest     TEXT NOT NULL,
	likeness   TEXT NOT NULL,
	held_at    INTEGER NOT NULL,
	PRIMARY KEY (server_id, kind, name),
	FOREIGN KEY (server_id, kind) REFERENCES pinned_lists (server_id, kind) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE toolsets (
	id               TEXT PRIMARY KEY,
	slug             TEXT NOT NULL UNIQUE,
	title            TEXT NOT NULL,
	access           TEXT NOT NULL CHECK (json_valid(access)),
	result_bytes_max INTEGER,
	created_at       INTEGER NOT NULL,
	updated_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A server of a toolset, and which of its tools, by the server's own names; null: all.
CREATE TABLE toolset_servers (
	toolset_id TEXT NOT NULL REFERENCES toolsets (id) ON DELETE CASCADE,
	server_id  TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	tools      TEXT CHECK (tools IS NULL OR json_valid(tools)),
	PRIMARY KEY (toolset_id, server_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX toolset_servers_server ON toolset_servers (server_id);

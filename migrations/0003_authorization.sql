-- Clients that wait for an administrator, and clients that one made. SQLite cannot change a CHECK, so the table is made
-- anew; dropping it takes the grants along, so they and what hangs on them are put aside and back.

CREATE TEMP TABLE aside_clients AS SELECT * FROM clients;
CREATE TEMP TABLE aside_grants AS SELECT * FROM grants;
CREATE TEMP TABLE aside_codes AS SELECT * FROM codes;
CREATE TEMP TABLE aside_access_tokens AS SELECT * FROM access_tokens;
CREATE TEMP TABLE aside_refresh_tokens AS SELECT * FROM refresh_tokens;

DROP TABLE clients;

CREATE TABLE clients (
	id            TEXT PRIMARY KEY,
	kind          TEXT NOT NULL CHECK (kind IN ('registered', 'document', 'made')),
	name          TEXT NOT NULL,
	redirect_uris TEXT NOT NULL CHECK (json_valid(redirect_uris)),
	auth_method   TEXT NOT NULL CHECK (auth_method IN ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt')),
	secret_hash   BLOB,
	jwks          TEXT CHECK (jwks IS NULL OR json_valid(jwks)),
	user_id       TEXT REFERENCES users (id) ON DELETE CASCADE,
	introspects   TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(introspects)),
	created_at    INTEGER NOT NULL,
	approved_at   INTEGER,
	last_used_at  INTEGER,
	expires_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX clients_user ON clients (user_id);

INSERT INTO clients (id, kind, name, redirect_uris, auth_method, secret_hash, created_at, approved_at, last_used_at, expires_at)
SELECT id, kind, name, redirect_uris, auth_method, secret_hash, created_at, created_at, last_used_at, expires_at FROM aside_clients;
INSERT OR IGNORE INTO grants SELECT * FROM aside_grants;
INSERT OR IGNORE INTO codes SELECT * FROM aside_codes;
INSERT OR IGNORE INTO access_tokens SELECT * FROM aside_access_tokens;
INSERT OR IGNORE INTO refresh_tokens SELECT * FROM aside_refresh_tokens;

DROP TABLE aside_clients;
DROP TABLE aside_grants;
DROP TABLE aside_codes;
DROP TABLE aside_access_tokens;
DROP TABLE aside_refresh_tokens;

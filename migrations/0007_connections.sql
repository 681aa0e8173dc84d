-- Signing in to servers that want OAuth themselves: the service behind a server, who we are there, sign-ins under way, and
-- what they end in.

-- What an administrator said of the service, and what the server said itself when it refused a call.
CREATE TABLE services (
	server_id       TEXT PRIMARY KEY REFERENCES servers (id) ON DELETE CASCADE,
	provider        TEXT,
	issuer          TEXT,
	slot            TEXT,
	scope           TEXT,
	client_id       TEXT,
	version         INTEGER NOT NULL DEFAULT 0,
	secret_sealed   BLOB,
	metadata_url    TEXT,
	challenge_scope TEXT,
	created_at      INTEGER NOT NULL,
	updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who we are at an authorization server that let us register. Never used at another issuer, nor for another server.
CREATE TABLE registrations (
	server_id   TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	issuer      TEXT NOT NULL,
	client_id   TEXT NOT NULL,
	auth_method TEXT NOT NULL CHECK (auth_method IN ('none', 'client_secret_basic', 'client_secret_post')),
	redirect_uri TEXT NOT NULL,
	version     INTEGER NOT NULL,
	secret_sealed BLOB,
	created_at  INTEGER NOT NULL,
	expires_at  INTEGER,
	PRIMARY KEY (server_id, issuer)
) STRICT, WITHOUT ROWID;

-- A browser that was sent to an authorization server and has not come back yet.
CREATE TABLE sign_ins (
	state_hash BLOB PRIMARY KEY,
	login_hash BLOB NOT NULL REFERENCES logins (hash) ON DELETE CASCADE,
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	server_id  TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	request_sealed BLOB NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_ins_login ON sign_ins (login_hash);
CREATE INDEX sign_ins_user ON sign_ins (user_id);
CREATE INDEX sign_ins_server ON sign_ins (server_id);

-- One user's sign-in to the service of one server.
CREATE TABLE connections (
	id           TEXT PRIMARY KEY,
	user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	server_id    TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	issuer       TEXT NOT NULL,
	account      TEXT,
	requested    TEXT NOT NULL,
	granted      TEXT NOT NULL,
	wanted       TEXT,
	step_ups     INTEGER NOT NULL DEFAULT 0,
	version      INTEGER NOT NULL,
	tokens_sealed BLOB NOT NULL,
	refreshable  INTEGER NOT NULL CHECK (refreshable IN (0, 1)),
	refused      INTEGER NOT NULL DEFAULT 0,
	lost_at      INTEGER,
	expires_at   INTEGER,
	refresh_at   INTEGER,
	created_at   INTEGER NOT NULL,
	refreshed_at INTEGER NOT NULL,
	lease_holder TEXT,
	lease_until  INTEGER NOT NULL DEFAULT 0,
	UNIQUE (user_id, server_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX connections_server ON connections (server_id);

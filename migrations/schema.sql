CREATE TABLE access_tokens (
	hash       BLOB PRIMARY KEY,
	grant_id   TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
	scope      TEXT NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acme_accounts (
	directory  TEXT PRIMARY KEY,
	url        TEXT NOT NULL,
	key_sealed BLOB NOT NULL,
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
	id           TEXT PRIMARY KEY,
	hash         BLOB NOT NULL UNIQUE,
	user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	name         TEXT NOT NULL,
	created_at   INTEGER NOT NULL,
	last_used_at INTEGER,
	revoked_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
	id     INTEGER PRIMARY KEY,
	at     INTEGER NOT NULL,
	actor  TEXT NOT NULL,
	action TEXT NOT NULL,
	object TEXT NOT NULL,
	detail TEXT
) STRICT;

CREATE TABLE call_kinds (
	id        INTEGER PRIMARY KEY,
	user_id   TEXT NOT NULL,
	client_id TEXT NOT NULL,
	server_id TEXT NOT NULL,
	method    TEXT NOT NULL,
	name      TEXT,
	outcome   TEXT NOT NULL CHECK (outcome IN ('ok', 'tool_error', 'error', 'cancelled'))
) STRICT;

CREATE TABLE calls (
	id          INTEGER PRIMARY KEY,
	kind_id     INTEGER NOT NULL,
	at          INTEGER NOT NULL,
	duration_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE certificate_orders (
	names        TEXT PRIMARY KEY,
	failures     INTEGER NOT NULL DEFAULT 0,
	rehearsed    INTEGER NOT NULL DEFAULT 0 CHECK (rehearsed IN (0, 1)),
	next_at      INTEGER NOT NULL DEFAULT 0,
	failure      TEXT CHECK (failure IS NULL OR json_valid(failure)),
	lease_holder TEXT,
	lease_until  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE certificates (
	id              INTEGER PRIMARY KEY,
	fingerprint     TEXT NOT NULL UNIQUE,
	names           TEXT NOT NULL,
	directory       TEXT,
	chain           TEXT NOT NULL,
	key_sealed      BLOB NOT NULL,
	created_at      INTEGER NOT NULL,
	window_start    INTEGER,
	window_end      INTEGER,
	explanation_url TEXT,
	poll_at         INTEGER,
	CHECK ((window_start IS NULL) = (window_end IS NULL))
) STRICT;

CREATE TABLE children (
	pid        INTEGER PRIMARY KEY,
	start_time TEXT NOT NULL,
	boot_id    TEXT NOT NULL,
	server_id  TEXT NOT NULL
) STRICT;

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

CREATE TABLE codes (
	hash           BLOB PRIMARY KEY,
	grant_id       TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
	code_challenge TEXT NOT NULL,
	redirect_uri   TEXT,
	tries          INTEGER NOT NULL DEFAULT 0,
	used_at        INTEGER,
	expires_at     INTEGER NOT NULL
, answer_sealed BLOB, answered_to BLOB) STRICT, WITHOUT ROWID;

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

CREATE TABLE device_codes (
	hash           BLOB PRIMARY KEY,
	user_code_hash BLOB NOT NULL UNIQUE,
	client_id      TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	resource       TEXT NOT NULL,
	scope          TEXT NOT NULL,
	address        TEXT NOT NULL,
	agent          TEXT NOT NULL,
	created_at     INTEGER NOT NULL,
	expires_at     INTEGER NOT NULL,
	interval       INTEGER NOT NULL,
	polled_at      INTEGER NOT NULL,
	user_id        TEXT REFERENCES users (id) ON DELETE CASCADE,
	decision       TEXT CHECK (decision IN ('allowed', 'denied')),
	CHECK (decision IS NOT 'allowed' OR user_id IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE TABLE grants (
	id           TEXT PRIMARY KEY,
	user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	client_id    TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	redirect_uri TEXT NOT NULL,
	resource     TEXT NOT NULL,
	scope        TEXT NOT NULL,
	created_at   INTEGER NOT NULL,
	last_used_at INTEGER,
	revoked_at   INTEGER
, last_address TEXT) STRICT, WITHOUT ROWID;

CREATE TABLE half_logins (
	hash       BLOB PRIMARY KEY,
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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

CREATE TABLE identities (
	issuer       TEXT NOT NULL,
	subject      TEXT NOT NULL,
	user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	email        TEXT NOT NULL,
	created_at   INTEGER NOT NULL,
	last_used_at INTEGER,
	PRIMARY KEY (issuer, subject),
	UNIQUE (issuer, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity_provider (
	id            INTEGER PRIMARY KEY CHECK (id = 1),
	issuer        TEXT NOT NULL,
	client_id     TEXT NOT NULL,
	secret_sealed BLOB,
	domains       TEXT NOT NULL CHECK (json_valid(domains)),
	provisions    INTEGER NOT NULL CHECK (provisions IN (0, 1)),
	updated_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE instance (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invites (
	hash       BLOB PRIMARY KEY,
	kind       TEXT NOT NULL CHECK (kind IN ('setup', 'invite')),
	user_id    TEXT REFERENCES users (id) ON DELETE CASCADE,
	expires_at INTEGER NOT NULL,
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keyring (
	key_id     INTEGER PRIMARY KEY,
	purpose    TEXT NOT NULL CHECK (purpose IN ('data', 'mac')),
	wrapped    BLOB NOT NULL,
	state      TEXT NOT NULL CHECK (state IN ('active', 'decrypt', 'retired')),
	created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE login_failures (
	subject       TEXT PRIMARY KEY,
	count         INTEGER NOT NULL,
	last_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE logins (
	hash         BLOB PRIMARY KEY,
	id           TEXT NOT NULL UNIQUE,
	user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	method       TEXT NOT NULL CHECK (method IN ('password', 'totp', 'passkey', 'recovery', 'provider', 'link')),
	address      TEXT NOT NULL,
	agent        TEXT NOT NULL,
	created_at   INTEGER NOT NULL,
	proven_at    INTEGER NOT NULL,
	last_seen_at INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
	id      INTEGER PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	at      INTEGER NOT NULL,
	kind    TEXT NOT NULL,
	detail  TEXT NOT NULL
) STRICT;

CREATE TABLE packages (
	server_id    TEXT PRIMARY KEY REFERENCES servers (id) ON DELETE CASCADE,
	ecosystem    TEXT NOT NULL CHECK (ecosystem IN ('npm')),
	name         TEXT NOT NULL,
	version      TEXT NOT NULL,
	entry        TEXT NOT NULL,
	installed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE passkeys (
	id           TEXT PRIMARY KEY,
	user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	rp_id        TEXT NOT NULL,
	name         TEXT NOT NULL,
	public_key   BLOB NOT NULL,
	counter      INTEGER NOT NULL,
	transports   TEXT NOT NULL CHECK (json_valid(transports)),
	created_at   INTEGER NOT NULL,
	last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE pinned_lists (
	server_id TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	kind      TEXT NOT NULL CHECK (kind IN ('tool', 'prompt', 'instructions')),
	pinned_at INTEGER NOT NULL,
	PRIMARY KEY (server_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE provider_visits (
	hash       BLOB PRIMARY KEY,
	purpose    TEXT NOT NULL CHECK (purpose IN ('sign in', 'link', 'prove')),
	issuer     TEXT NOT NULL,
	next       TEXT NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_codes (
	hash    BLOB PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE refresh_tokens (
	hash             BLOB PRIMARY KEY,
	grant_id         TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
	created_at       INTEGER NOT NULL,
	expires_at       INTEGER NOT NULL,
	rotated_at       INTEGER,
	successor_hash   BLOB,
	successor_sealed BLOB
) STRICT, WITHOUT ROWID;

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

CREATE TABLE secrets (
	id         TEXT PRIMARY KEY,
	server_id  TEXT NOT NULL,
	slot       TEXT NOT NULL,
	owner      TEXT NOT NULL,
	user_id    TEXT REFERENCES users (id) ON DELETE CASCADE,
	version    INTEGER NOT NULL,
	sealed     BLOB NOT NULL,
	updated_at INTEGER NOT NULL,
	UNIQUE (server_id, slot, owner),
	CHECK (owner = coalesce(user_id, 'shared')),
	FOREIGN KEY (server_id, slot) REFERENCES slots (server_id, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE servers (
	id         TEXT PRIMARY KEY,
	slug       TEXT NOT NULL UNIQUE,
	transport  TEXT NOT NULL CHECK (json_valid(transport)),
	access     TEXT NOT NULL CHECK (json_valid(access)),
	tools      TEXT CHECK (tools IS NULL OR json_valid(tools)),
	enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL
, destructive INTEGER NOT NULL DEFAULT 1 CHECK (destructive IN (0, 1)), pinning TEXT NOT NULL DEFAULT 'hold' CHECK (pinning IN ('hold', 'auto', 'off')), result_bytes_max INTEGER) STRICT, WITHOUT ROWID;

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

CREATE TABLE sessions (
	hash             BLOB PRIMARY KEY,
	user_id          TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	client_id        TEXT NOT NULL,
	endpoint         TEXT NOT NULL,
	protocol_version TEXT NOT NULL,
	capabilities     TEXT NOT NULL CHECK (json_valid(capabilities)),
	created_at       INTEGER NOT NULL,
	last_seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sign_ins (
	state_hash BLOB PRIMARY KEY,
	login_hash BLOB NOT NULL REFERENCES logins (hash) ON UPDATE CASCADE ON DELETE CASCADE,
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	server_id  TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	request_sealed BLOB NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE slots (
	server_id TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	name      TEXT NOT NULL,
	injection TEXT NOT NULL CHECK (injection IN ('env', 'header')),
	target    TEXT NOT NULL,
	personal  INTEGER NOT NULL CHECK (personal IN (0, 1)),
	optional  INTEGER NOT NULL CHECK (optional IN (0, 1)),
	PRIMARY KEY (server_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
	server_id    TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	capabilities TEXT NOT NULL,
	body         BLOB NOT NULL,
	taken_at     INTEGER NOT NULL,
	PRIMARY KEY (server_id, capabilities)
) STRICT;

CREATE TABLE spent_challenges (
	hash       BLOB PRIMARY KEY,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE timeline (
	id        INTEGER PRIMARY KEY,
	at        INTEGER NOT NULL,
	step      TEXT NOT NULL,
	outcome   TEXT NOT NULL CHECK (outcome IN ('ok', 'waiting', 'refused')),
	detail    TEXT,
	client_id TEXT,
	user_id   TEXT,
	grant_id  TEXT,
	address   TEXT NOT NULL,
	agent     TEXT NOT NULL
) STRICT;

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

CREATE TABLE tool_settings (
	server_id   TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	tool        TEXT NOT NULL,
	enabled     INTEGER CHECK (enabled IN (0, 1)),
	name        TEXT,
	title       TEXT,
	description TEXT,
	PRIMARY KEY (server_id, tool)
) STRICT, WITHOUT ROWID;

CREATE TABLE toolset_servers (
	toolset_id TEXT NOT NULL REFERENCES toolsets (id) ON DELETE CASCADE,
	server_id  TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	tools      TEXT CHECK (tools IS NULL OR json_valid(tools)),
	PRIMARY KEY (toolset_id, server_id)
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

CREATE TABLE totp (
	user_id      TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	sealed       BLOB NOT NULL,
	last_counter INTEGER NOT NULL,
	created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
	id            TEXT PRIMARY KEY,
	email         TEXT NOT NULL UNIQUE COLLATE NOCASE,
	role          TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
	password_hash TEXT,
	disabled_at   INTEGER,
	created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX access_tokens_grant ON access_tokens (grant_id);

CREATE INDEX api_keys_user ON api_keys (user_id);

CREATE INDEX audit_of_gateway ON audit (id) WHERE actor = 'gateway';

CREATE INDEX certificates_names ON certificates (names);

CREATE INDEX clients_user ON clients (user_id);

CREATE INDEX codes_grant ON codes (grant_id);

CREATE INDEX connections_server ON connections (server_id);

CREATE INDEX device_codes_client ON device_codes (client_id);

CREATE INDEX device_codes_user ON device_codes (user_id);

CREATE INDEX grants_client ON grants (client_id);

CREATE INDEX grants_user ON grants (user_id);

CREATE INDEX half_logins_user ON half_logins (user_id);

CREATE INDEX identities_user ON identities (user_id);

CREATE INDEX logins_user ON logins (user_id);

CREATE INDEX notices_user ON notices (user_id);

CREATE INDEX passkeys_user ON passkeys (user_id);

CREATE INDEX recovery_codes_user ON recovery_codes (user_id);

CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);

CREATE INDEX secrets_user ON secrets (user_id);

CREATE INDEX sessions_user ON sessions (user_id);

CREATE INDEX sign_ins_login ON sign_ins (login_hash);

CREATE INDEX sign_ins_server ON sign_ins (server_id);

CREATE INDEX sign_ins_user ON sign_ins (user_id);

CREATE INDEX timeline_client ON timeline (client_id, id);

CREATE UNIQUE INDEX tool_settings_name ON tool_settings (server_id, name) WHERE name IS NOT NULL;

CREATE INDEX toolset_servers_server ON toolset_servers (server_id);

CREATE UNIQUE INDEX users_one_owner ON users (role) WHERE role = 'owner';

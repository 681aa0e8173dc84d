-- How a person proves who they are, beside a password. Logins are made anew: everyone signs in once more.

DROP TABLE logins;

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

CREATE INDEX logins_user ON logins (user_id);

-- A first factor that was right, while the second is awaited. No login: it opens nothing but the page that asks.
CREATE TABLE half_logins (
	hash       BLOB PRIMARY KEY,
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX half_logins_user ON half_logins (user_id);

CREATE TABLE totp (
	user_id      TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	sealed       BLOB NOT NULL,
	last_counter INTEGER NOT NULL,
	created_at   INTEGER NOT NULL
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

CREATE INDEX passkeys_user ON passkeys (user_id);

-- Challenges that were answered, until they are too old to be answered at all.
CREATE TABLE spent_challenges (
	hash       BLOB PRIMARY KEY,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_codes (
	hash    BLOB PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX recovery_codes_user ON recovery_codes (user_id);

-- The one OpenID provider that people may sign in with.
CREATE TABLE identity_provider (
	id            INTEGER PRIMARY KEY CHECK (id = 1),
	issuer        TEXT NOT NULL,
	client_id     TEXT NOT NULL,
	secret_sealed BLOB,
	domains       TEXT NOT NULL CHECK (json_valid(domains)),
	provisions    INTEGER NOT NULL CHECK (provisions IN (0, 1)),
	updated_at    INTEGER NOT NULL
) STRICT;

-- Who someone is at an issuer.
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

CREATE INDEX identities_user ON identities (user_id);

-- A browser that was sent to the provider, until it comes back.
CREATE TABLE provider_visits (
	hash       BLOB PRIMARY KEY,
	purpose    TEXT NOT NULL CHECK (purpose IN ('sign in', 'link', 'prove')),
	issuer     TEXT NOT NULL,
	next       TEXT NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a person is told of their own account.
CREATE TABLE notices (
	id      INTEGER PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	at      INTEGER NOT NULL,
	kind    TEXT NOT NULL,
	detail  TEXT NOT NULL
) STRICT;

CREATE INDEX notices_user ON notices (user_id);

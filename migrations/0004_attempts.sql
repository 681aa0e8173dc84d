-- What happens between a client and its first call: the steps of its attempts, repeated redemptions of a code, and
-- devices that show a code because they have no browser.

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

CREATE INDEX timeline_client ON timeline (client_id, id);

ALTER TABLE grants ADD COLUMN last_address TEXT;

ALTER TABLE codes ADD COLUMN answer_sealed BLOB;
ALTER TABLE codes ADD COLUMN answered_to BLOB;

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

CREATE INDEX device_codes_client ON device_codes (client_id);

CREATE INDEX device_codes_user ON device_codes (user_id);

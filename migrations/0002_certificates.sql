-- The gateway's own certificates: what clients are shown, as whom they were ordered, and what was tried.

CREATE TABLE acme_accounts (
	directory  TEXT PRIMARY KEY,
	url        TEXT NOT NULL,
	key_sealed BLOB NOT NULL,
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest row of a set of names is the one that is shown. Without a directory it is signed by itself.
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

CREATE INDEX certificates_names ON certificates (names);

-- What was tried for a set of names since the last success, and who is trying now.
CREATE TABLE certificate_orders (
	names        TEXT PRIMARY KEY,
	failures     INTEGER NOT NULL DEFAULT 0,
	rehearsed    INTEGER NOT NULL DEFAULT 0 CHECK (rehearsed IN (0, 1)),
	next_at      INTEGER NOT NULL DEFAULT 0,
	failure      TEXT CHECK (failure IS NULL OR json_valid(failure)),
	lease_holder TEXT,
	lease_until  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What calls have in common stands once in each chapter of 10,000, so that a call is a few numbers (`store/calls.ts`).
-- A kind is no foreign key: what deletes both does so by their ids, and a check would cost each call a look-up.
ALTER TABLE calls RENAME TO whole_calls;

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

INSERT INTO calls (id, kind_id, at, duration_ms)
SELECT id,
	min(id) OVER (PARTITION BY id / 10000, user_id, client_id, server_id, method, name, outcome),
	at,
	duration_ms
FROM whole_calls;

INSERT INTO call_kinds (id, user_id, client_id, server_id, method, name, outcome)
SELECT id, user_id, client_id, server_id, method, name, outcome
FROM whole_calls
WHERE id IN (SELECT kind_id FROM calls);

DROP TABLE whole_calls;

-- What a server that is a process said of itself and of its lists, so that it is listed without being woken.
CREATE TABLE snapshots (
	server_id    TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	capabilities TEXT NOT NULL,
	body         BLOB NOT NULL,
	taken_at     INTEGER NOT NULL,
	PRIMARY KEY (server_id, capabilities)
) STRICT;

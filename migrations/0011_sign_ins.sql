-- A sign-in under way belongs to its login also when that gets another cookie, because its person proved who they are.
ALTER TABLE sign_ins RENAME TO sign_ins_before;
CREATE TABLE sign_ins (
	state_hash BLOB PRIMARY KEY,
	login_hash BLOB NOT NULL REFERENCES logins (hash) ON UPDATE CASCADE ON DELETE CASCADE,
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	server_id  TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
	request_sealed BLOB NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO sign_ins SELECT * FROM sign_ins_before;
DROP TABLE sign_ins_before;
CREATE INDEX sign_ins_login ON sign_ins (login_hash);
CREATE INDEX sign_ins_user ON sign_ins (user_id);
CREATE INDEX sign_ins_server ON sign_ins (server_id);

-- Accounts, logins, conversation sessions and the audit trail.
-- Times are microseconds since 1970 in UTC, ids are text; both come from the gateway.

-- +goose Up
CREATE TABLE users (
    id            TEXT PRIMARY KEY NOT NULL,
    email         TEXT NOT NULL,
    full_name     TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('user', 'admin')),
    preferences   TEXT NOT NULL, -- a JSON object, byte for byte as compacted
    password_hash TEXT NOT NULL,
    search        TEXT NOT NULL, -- e-mail and name in lower case
    disabled_at   INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CONSTRAINT users_email_key UNIQUE (email)
) STRICT;

CREATE TABLE logins (
    id             TEXT PRIMARY KEY NOT NULL,
    user_id        TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    counter        INTEGER NOT NULL, -- of the refresh token that is good now
    device         TEXT NOT NULL,
    address        TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    rotated_at     INTEGER NOT NULL, -- when it was last used
    expires_at     INTEGER NOT NULL,
    revoked_at     INTEGER,
    revoked_reason TEXT
) STRICT;
CREATE INDEX logins_user_id_idx ON logins (user_id);
CREATE INDEX logins_expires_at_idx ON logins (expires_at);

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title      TEXT NOT NULL,
    context    TEXT NOT NULL, -- a JSON object, byte for byte as compacted
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_user_id_id_idx ON sessions (user_id, id);

CREATE TABLE audit_events (
    id             TEXT PRIMARY KEY NOT NULL,
    at             INTEGER NOT NULL,
    event          TEXT NOT NULL,
    user_id        TEXT, -- outlives the user: no foreign key
    actor_id       TEXT, -- who did it, when it was somebody else
    login_id       TEXT,
    address        TEXT NOT NULL,
    device         TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    detail         TEXT NOT NULL
) STRICT;
CREATE INDEX audit_events_user_id_id_idx ON audit_events (user_id, id);

-- +goose Down
DROP TABLE audit_events;
DROP TABLE sessions;
DROP TABLE logins;
DROP TABLE users;

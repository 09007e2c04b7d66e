-- Accounts, logins, conversation sessions and the audit trail.
-- Times and ids come from the gateway: no sequences, no triggers, no extensions.

-- +goose Up
CREATE TABLE users (
    id            uuid PRIMARY KEY,
    email         text NOT NULL,
    full_name     text NOT NULL,
    role          text NOT NULL CHECK (role IN ('user', 'admin')),
    preferences   text NOT NULL, -- a JSON object, byte for byte as compacted
    password_hash text NOT NULL,
    search        text NOT NULL, -- e-mail and name in lower case
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT users_email_key UNIQUE (email)
);

CREATE TABLE logins (
    id             uuid PRIMARY KEY,
    user_id        uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    counter        bigint NOT NULL, -- of the refresh token that is good now
    device         text NOT NULL,
    address        text NOT NULL,
    created_at     timestamptz NOT NULL,
    rotated_at     timestamptz NOT NULL, -- when it was last used
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    revoked_reason text
);
CREATE INDEX logins_user_id_idx ON logins (user_id);
CREATE INDEX logins_expires_at_idx ON logins (expires_at);

CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title      text NOT NULL,
    context    text NOT NULL, -- a JSON object, byte for byte as compacted
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX sessions_user_id_id_idx ON sessions (user_id, id);

CREATE TABLE audit_events (
    id             uuid PRIMARY KEY,
    at             timestamptz NOT NULL,
    event          text NOT NULL,
    user_id        uuid, -- outlives the user: no foreign key
    actor_id       uuid, -- who did it, when it was somebody else
    login_id       uuid,
    address        text NOT NULL,
    device         text NOT NULL,
    correlation_id text NOT NULL,
    detail         text NOT NULL
);
CREATE INDEX audit_events_user_id_id_idx ON audit_events (user_id, id);

-- +goose Down
DROP TABLE audit_events;
DROP TABLE sessions;
DROP TABLE logins;
DROP TABLE users;

-- API keys, which act for their users within their scopes.

-- +goose Up
CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY NOT NULL,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest       BLOB NOT NULL, -- SHA-256 of the secret, which is not stored
    prefix       TEXT NOT NULL, -- of the secret, to recognize it by
    name         TEXT NOT NULL,
    scopes       TEXT NOT NULL, -- separated by spaces
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER, -- null: never
    last_used_at INTEGER, -- to the minute
    CONSTRAINT api_keys_digest_key UNIQUE (digest)
) STRICT;
CREATE INDEX api_keys_user_id_id_idx ON api_keys (user_id, id);

-- +goose Down
DROP TABLE api_keys;

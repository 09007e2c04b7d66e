-- API keys, which act for their users within their scopes.

-- +goose Up
CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest       bytea NOT NULL, -- SHA-256 of the secret, which is not stored
    prefix       text NOT NULL, -- of the secret, to recognize it by
    name         text NOT NULL,
    scopes       text NOT NULL, -- separated by spaces
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz, -- null: never
    last_used_at timestamptz, -- to the minute
    CONSTRAINT api_keys_digest_key UNIQUE (digest)
);
CREATE INDEX api_keys_user_id_id_idx ON api_keys (user_id, id);

-- +goose Down
DROP TABLE api_keys;

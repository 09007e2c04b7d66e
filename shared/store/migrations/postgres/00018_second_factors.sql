-- The second factor of a user (RFC 6238). It has a row from its setup on;
-- users.second_factor_at tells since when logins require it.

-- +goose Up
ALTER TABLE users ADD COLUMN second_factor_at timestamptz; -- null while logins require only the password

CREATE TABLE second_factors (
    user_id     uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    id          uuid NOT NULL,              -- of this setup; another setup has another
    secret      bytea NOT NULL,             -- sealed
    last_step   bigint NOT NULL DEFAULT 0,  -- the time step of the last accepted code
    wrong_codes text NOT NULL DEFAULT '',   -- when the last ones came, newest first; as logins.uses
    created_at  timestamptz NOT NULL
);

CREATE TABLE backup_codes (
    user_id uuid NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
    hash    bytea NOT NULL, -- keyed with the secret of the factor
    PRIMARY KEY (user_id, hash)
);

-- The challenges that were answered. Those that were not have no row.
CREATE TABLE login_challenges (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tries      integer NOT NULL,
    spent      boolean NOT NULL DEFAULT FALSE, -- a login followed
    expires_at timestamptz NOT NULL
);
CREATE INDEX login_challenges_user_id_idx ON login_challenges (user_id);
CREATE INDEX login_challenges_expires_at_idx ON login_challenges (expires_at);

-- +goose Down
DROP TABLE login_challenges;
DROP TABLE backup_codes;
DROP TABLE second_factors;
ALTER TABLE users DROP COLUMN second_factor_at;

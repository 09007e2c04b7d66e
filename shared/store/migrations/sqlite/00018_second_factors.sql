-- The second factor of a user (RFC 6238). It has a row from its setup on;
-- users.second_factor_at tells since when logins require it.

-- +goose Up
ALTER TABLE users ADD COLUMN second_factor_at INTEGER; -- null while logins require only the password

CREATE TABLE second_factors (
    user_id TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id TEXT NOT NULL,                      -- of this setup; another setup has another
    secret BLOB NOT NULL,                  -- sealed
    last_step INTEGER NOT NULL DEFAULT 0,  -- the time step of the last accepted code
    wrong_codes TEXT NOT NULL DEFAULT '',  -- when the last ones came, newest first; as logins.uses
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE backup_codes (
    user_id TEXT NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
    hash BLOB NOT NULL, -- keyed with the secret of the factor
    PRIMARY KEY (user_id, hash)
) STRICT, WITHOUT ROWID;

-- The challenges that were answered. Those that were not have no row.
CREATE TABLE login_challenges (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tries INTEGER NOT NULL,
    spent INTEGER NOT NULL DEFAULT FALSE, -- a login followed
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX login_challenges_user_id_idx ON login_challenges (user_id);
CREATE INDEX login_challenges_expires_at_idx ON login_challenges (expires_at);

-- +goose Down
DROP TABLE login_challenges;
DROP TABLE backup_codes;
DROP TABLE second_factors;
ALTER TABLE users DROP COLUMN second_factor_at;

-- What a password of an account is for, when Nextcloud may be called, and the
-- app passwords that users have for clients of their own.

-- +goose Up
ALTER TABLE nextcloud_accounts ADD COLUMN personal INTEGER NOT NULL DEFAULT FALSE; -- the user's own password opens it
ALTER TABLE nextcloud_accounts ADD COLUMN wants_password INTEGER NOT NULL DEFAULT FALSE; -- the next login shall hand it over
UPDATE nextcloud_accounts SET personal = TRUE
    WHERE owned AND password IS NULL AND last_error NOT IN ('password_refused', 'password_lost');

CREATE TABLE nextcloud_gate ( -- one row: all processes share it
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    proved TEXT NOT NULL DEFAULT '',  -- which administrator's credentials were accepted last
    refused TEXT NOT NULL DEFAULT '', -- which were refused last
    trial_until INTEGER,           -- somebody tries whether they are accepted
    closed_until INTEGER,          -- no call before, as Nextcloud does not answer
    refused_until INTEGER,         -- no call before with those that were refused
    edits_until INTEGER,           -- no edit before, as Nextcloud counts them
    outages INTEGER NOT NULL DEFAULT 0, -- in a row
    swept_at INTEGER               -- when both sides were last compared
) STRICT;
INSERT INTO nextcloud_gate (id) VALUES (1);

CREATE TABLE nextcloud_app_passwords (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    app_password BLOB NOT NULL, -- sealed; it must be itself to revoke it
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX nextcloud_app_passwords_by_user ON nextcloud_app_passwords (user_id, id);

-- +goose Down
DROP TABLE nextcloud_app_passwords;
DROP TABLE nextcloud_gate;
ALTER TABLE nextcloud_accounts DROP COLUMN wants_password;
ALTER TABLE nextcloud_accounts DROP COLUMN personal;

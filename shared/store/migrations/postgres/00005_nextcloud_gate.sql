-- What a password of an account is for, when Nextcloud may be called, and the
-- app passwords that users have for clients of their own.

-- +goose Up
ALTER TABLE nextcloud_accounts ADD COLUMN personal boolean NOT NULL DEFAULT FALSE; -- the user's own password opens it
ALTER TABLE nextcloud_accounts ADD COLUMN wants_password boolean NOT NULL DEFAULT FALSE; -- the next login shall hand it over
UPDATE nextcloud_accounts SET personal = TRUE
    WHERE owned AND password IS NULL AND last_error NOT IN ('password_refused', 'password_lost');

CREATE TABLE nextcloud_gate ( -- one row: all processes share it
    id smallint PRIMARY KEY CHECK (id = 1),
    proved text NOT NULL DEFAULT '',  -- which administrator's credentials were accepted last
    refused text NOT NULL DEFAULT '', -- which were refused last
    trial_until timestamptz,           -- somebody tries whether they are accepted
    closed_until timestamptz,          -- no call before, as Nextcloud does not answer
    refused_until timestamptz,         -- no call before with those that were refused
    edits_until timestamptz,           -- no edit before, as Nextcloud counts them
    outages integer NOT NULL DEFAULT 0, -- in a row
    swept_at timestamptz               -- when both sides were last compared
);
INSERT INTO nextcloud_gate (id) VALUES (1);

CREATE TABLE nextcloud_app_passwords (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL,
    app_password bytea NOT NULL, -- sealed; it must be itself to revoke it
    created_at timestamptz NOT NULL
);
CREATE INDEX nextcloud_app_passwords_by_user ON nextcloud_app_passwords (user_id, id);

-- +goose Down
DROP TABLE nextcloud_app_passwords;
DROP TABLE nextcloud_gate;
ALTER TABLE nextcloud_accounts DROP COLUMN wants_password;
ALTER TABLE nextcloud_accounts DROP COLUMN personal;

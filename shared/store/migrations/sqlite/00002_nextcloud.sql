-- What everybody's account in Nextcloud shall be, and what is known of it. A row
-- outlives its user, so that a deletion can be carried out: no foreign key.

-- +goose Up
CREATE TABLE nextcloud_accounts (
    user_id        TEXT PRIMARY KEY NOT NULL,
    nextcloud_id   TEXT NOT NULL,
    wish           TEXT NOT NULL CHECK (wish IN ('present', 'disabled', 'absent')),
    email          TEXT NOT NULL,
    full_name      TEXT NOT NULL,
    quota          TEXT NOT NULL,
    password       BLOB, -- sealed; waits to be set
    first_password BLOB NOT NULL, -- sealed; proves that the account is ours
    version        INTEGER NOT NULL, -- of the wish
    owned          INTEGER NOT NULL,
    status         TEXT NOT NULL,
    attempts       INTEGER NOT NULL,
    due_at         INTEGER, -- null: nothing to do
    lease          TEXT,
    lease_until    INTEGER,
    last_error     TEXT NOT NULL,
    last_synced_at INTEGER,
    used_bytes     INTEGER,
    total_bytes    INTEGER,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    CONSTRAINT nextcloud_accounts_nextcloud_id_key UNIQUE (nextcloud_id)
) STRICT;
CREATE INDEX nextcloud_accounts_due_at_idx ON nextcloud_accounts (due_at);

-- +goose Down
DROP TABLE nextcloud_accounts;

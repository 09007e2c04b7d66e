-- App passwords that their owners took back, until Nextcloud has deleted them.

-- +goose Up
CREATE TABLE nextcloud_revocations (
    id TEXT PRIMARY KEY NOT NULL, -- of the app password
    user_id TEXT NOT NULL REFERENCES nextcloud_accounts (user_id) ON DELETE CASCADE, -- outlives the user
    app_password BLOB NOT NULL, -- sealed; it must be itself to revoke it
    state TEXT NOT NULL CHECK (state IN ('wanted', 'refused', 'retried')),
    revoked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX nextcloud_revocations_by_user ON nextcloud_revocations (user_id, id);

-- +goose Down
DROP TABLE nextcloud_revocations;

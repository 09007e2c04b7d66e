-- When somebody last asked Nextcloud how much an account holds.

-- +goose Up
ALTER TABLE nextcloud_accounts ADD COLUMN seen_at INTEGER;

-- +goose Down
ALTER TABLE nextcloud_accounts DROP COLUMN seen_at;

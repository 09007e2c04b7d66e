-- A quota of the account's own, which quota the gateway set last, and when the
-- numbers were read.

-- +goose Up
ALTER TABLE nextcloud_accounts ADD COLUMN own_quota TEXT NOT NULL DEFAULT ''; -- in place of quota; 'keep': as Nextcloud has it
ALTER TABLE nextcloud_accounts ADD COLUMN set_quota TEXT NOT NULL DEFAULT ''; -- empty: the wished one is to be set
ALTER TABLE nextcloud_accounts ADD COLUMN used_at INTEGER; -- when used_bytes and total_bytes were read
UPDATE nextcloud_accounts SET set_quota = quota WHERE owned AND last_synced_at IS NOT NULL;
UPDATE nextcloud_accounts SET used_at = last_synced_at WHERE used_bytes IS NOT NULL;

-- +goose Down
ALTER TABLE nextcloud_accounts DROP COLUMN used_at;
ALTER TABLE nextcloud_accounts DROP COLUMN set_quota;
ALTER TABLE nextcloud_accounts DROP COLUMN own_quota;

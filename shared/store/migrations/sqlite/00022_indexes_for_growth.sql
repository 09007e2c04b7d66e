-- Indexes for statements that read all users or all accounts in Nextcloud.

-- +goose Up
CREATE INDEX users_admins_idx ON users (id) WHERE role = 'admin';
CREATE INDEX nextcloud_accounts_lower_id_idx ON nextcloud_accounts (LOWER(nextcloud_id));
CREATE INDEX nextcloud_accounts_status_idx ON nextcloud_accounts (status, user_id);
CREATE INDEX nextcloud_accounts_lease_idx ON nextcloud_accounts (lease) WHERE lease IS NOT NULL;
CREATE INDEX nextcloud_accounts_unsynced_idx ON nextcloud_accounts (created_at) WHERE last_synced_at IS NULL;

-- +goose Down
DROP INDEX nextcloud_accounts_unsynced_idx;
DROP INDEX nextcloud_accounts_lease_idx;
DROP INDEX nextcloud_accounts_status_idx;
DROP INDEX nextcloud_accounts_lower_id_idx;
DROP INDEX users_admins_idx;

-- Indexes for statements that read all users or all accounts in Nextcloud. They are built
-- while others write; see 00021.

-- +goose NO TRANSACTION

-- +goose Up
SET lock_timeout = '5min';
DROP INDEX CONCURRENTLY IF EXISTS users_admins_idx;
CREATE INDEX CONCURRENTLY users_admins_idx ON users (id) WHERE role = 'admin';
DROP INDEX CONCURRENTLY IF EXISTS nextcloud_accounts_lower_id_idx;
CREATE INDEX CONCURRENTLY nextcloud_accounts_lower_id_idx ON nextcloud_accounts (LOWER(nextcloud_id));
DROP INDEX CONCURRENTLY IF EXISTS nextcloud_accounts_status_idx;
CREATE INDEX CONCURRENTLY nextcloud_accounts_status_idx ON nextcloud_accounts (status, user_id);
DROP INDEX CONCURRENTLY IF EXISTS nextcloud_accounts_lease_idx;
CREATE INDEX CONCURRENTLY nextcloud_accounts_lease_idx ON nextcloud_accounts (lease) WHERE lease IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS nextcloud_accounts_unsynced_idx;
CREATE INDEX CONCURRENTLY nextcloud_accounts_unsynced_idx ON nextcloud_accounts (created_at) WHERE last_synced_at IS NULL;
SET lock_timeout = '1s';

-- +goose Down
DROP INDEX nextcloud_accounts_unsynced_idx;
DROP INDEX nextcloud_accounts_lease_idx;
DROP INDEX nextcloud_accounts_status_idx;
DROP INDEX nextcloud_accounts_lower_id_idx;
DROP INDEX users_admins_idx;

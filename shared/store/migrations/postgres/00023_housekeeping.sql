-- When housekeeping looks at a login, to delete it if it has expired. A refresh changes
-- expires_at, which therefore has no index, but not this. The default is for rows of older
-- code: they are looked at soon, and get the time at which they expire. The indexes are
-- built while others write; see 00021.

-- +goose NO TRANSACTION

-- +goose Up
ALTER TABLE logins ADD COLUMN IF NOT EXISTS sweep_at timestamptz NOT NULL DEFAULT 'epoch';
SET lock_timeout = '5min';
DROP INDEX CONCURRENTLY IF EXISTS logins_sweep_at_idx;
CREATE INDEX CONCURRENTLY logins_sweep_at_idx ON logins (sweep_at, id);
DROP INDEX CONCURRENTLY IF EXISTS nextcloud_accounts_held_idx;
CREATE INDEX CONCURRENTLY nextcloud_accounts_held_idx ON nextcloud_accounts (created_at) WHERE held;
SET lock_timeout = '1s';

-- +goose Down
DROP INDEX nextcloud_accounts_held_idx;
DROP INDEX logins_sweep_at_idx;
ALTER TABLE logins DROP COLUMN sweep_at;

-- When housekeeping looks at a login, to delete it if it has expired. A refresh changes
-- expires_at, which therefore has no index, but not this. The default is for rows of older
-- code: they are looked at soon, and get the time at which they expire.

-- +goose Up
ALTER TABLE logins ADD COLUMN sweep_at timestamptz NOT NULL DEFAULT 'epoch';
CREATE INDEX logins_sweep_at_idx ON logins (sweep_at, id);
CREATE INDEX nextcloud_accounts_held_idx ON nextcloud_accounts (created_at) WHERE held;

-- +goose Down
DROP INDEX nextcloud_accounts_held_idx;
DROP INDEX logins_sweep_at_idx;
ALTER TABLE logins DROP COLUMN sweep_at;

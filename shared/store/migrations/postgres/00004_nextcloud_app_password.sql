-- With what the gateway reaches the files of an account.

-- +goose Up
ALTER TABLE nextcloud_accounts ADD COLUMN app_password bytea; -- sealed

-- +goose Down
ALTER TABLE nextcloud_accounts DROP COLUMN app_password;

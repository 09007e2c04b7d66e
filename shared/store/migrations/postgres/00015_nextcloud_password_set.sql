-- A password that Nextcloud has is kept until the files answer.

-- +goose Up
ALTER TABLE nextcloud_accounts ADD COLUMN password_set boolean NOT NULL DEFAULT FALSE; -- of password: Nextcloud has it

-- +goose Down
ALTER TABLE nextcloud_accounts DROP COLUMN password_set;

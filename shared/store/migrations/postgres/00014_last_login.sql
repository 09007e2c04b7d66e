-- What clients are told of a user beside the profile. The time of the last login
-- is that of the newest row of logins; old rows are deleted, so the account keeps it.

-- +goose Up
ALTER TABLE users ADD COLUMN last_login_at timestamptz; -- of the newest login that was deleted
ALTER TABLE users ADD COLUMN email_verified_at timestamptz; -- null until the address is verified
CREATE INDEX logins_user_id_id_idx ON logins (user_id, id);
DROP INDEX logins_user_id_idx;

-- +goose Down
CREATE INDEX logins_user_id_idx ON logins (user_id);
DROP INDEX logins_user_id_id_idx;
ALTER TABLE users DROP COLUMN email_verified_at;
ALTER TABLE users DROP COLUMN last_login_at;

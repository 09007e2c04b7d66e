-- When the refresh tokens of a login were first used: a slow client may repeat
-- one for a while, also when its successor was used meanwhile.

-- +goose Up
ALTER TABLE logins ADD COLUMN uses TEXT NOT NULL DEFAULT ''; -- the newest first, 16 hexadecimal digits of microseconds since 1970 each

-- +goose Down
ALTER TABLE logins DROP COLUMN uses;

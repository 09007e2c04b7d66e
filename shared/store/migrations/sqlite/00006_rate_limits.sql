-- How often clients called lately, for all processes together, and the networks
-- that an account was signed in from.

-- +goose Up
CREATE TABLE rate_limits (
    key     BLOB PRIMARY KEY NOT NULL, -- a MAC of what is limited
    kept    INTEGER NOT NULL,          -- when its burst will have come back, in microseconds since 1970
    allowed INTEGER NOT NULL           -- whether the last request passed
) STRICT, WITHOUT ROWID;

ALTER TABLE logins ADD COLUMN network TEXT NOT NULL DEFAULT ''; -- what one client has of addresses around address

-- +goose Down
ALTER TABLE logins DROP COLUMN network;
DROP TABLE rate_limits;

-- How often clients called lately, for all processes together, and the networks
-- that an account was signed in from.

-- +goose Up

-- Unlogged: nothing is lost with it but a minute's count, and it is written at
-- almost every login. Half of a page stays free, so that updates stay on it.
CREATE UNLOGGED TABLE rate_limits (
    key     bytea PRIMARY KEY, -- a MAC of what is limited
    kept    bigint NOT NULL,   -- when its burst will have come back, in microseconds since 1970
    allowed boolean NOT NULL   -- whether the last request passed
) WITH (fillfactor = 50);

ALTER TABLE logins ADD COLUMN network text NOT NULL DEFAULT ''; -- what one client has of addresses around address

-- +goose Down
ALTER TABLE logins DROP COLUMN network;
DROP TABLE rate_limits;

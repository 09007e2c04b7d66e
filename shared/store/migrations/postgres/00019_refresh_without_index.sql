-- A refresh changes expires_at. Without an index on it, PostgreSQL writes the new version
-- of the row into the same page and leaves all indexes alone (heap-only tuple), which
-- halves what a refresh writes to the log. Only housekeeping looks for expired logins; it
-- scans the table once an hour.

-- +goose Up
DROP INDEX logins_expires_at_idx;

-- +goose Down
CREATE INDEX logins_expires_at_idx ON logins (expires_at);

-- How many sessions a user has at most: it rises with each that is made and is
-- corrected, by counting them, when it reaches the limit. Null until the first is
-- made by code that knows of it; older code beside it makes some uncounted.

-- +goose Up
ALTER TABLE users ADD COLUMN session_bound bigint;

-- +goose Down
ALTER TABLE users DROP COLUMN session_bound;

-- On SQLite, the index on expires_at stays: a scan of the table would hold the write lock.

-- +goose Up
SELECT 1;

-- +goose Down
SELECT 1;

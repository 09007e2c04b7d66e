-- The texts with which a search for an account may begin. Code makes them
-- (store.IndexAccounts): no database folds letters as account.Fold does. They are
-- bytes, so that every database sorts them alike.

-- Indexes of tables with rows are built while others write, which no transaction can do.
-- So every statement can be repeated; an index that an interrupted run left is dropped.
-- Building waits for the end of older transactions, and nobody waits for it meanwhile.
-- +goose NO TRANSACTION

-- +goose Up
CREATE TABLE IF NOT EXISTS search_keys (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key     bytea NOT NULL, -- in UTF-8
    PRIMARY KEY (user_id, key)
);
CREATE INDEX IF NOT EXISTS search_keys_key_idx ON search_keys (key, user_id);

ALTER TABLE users ADD COLUMN IF NOT EXISTS indexed_search text; -- the search that the keys were made of; it may have changed since
SET lock_timeout = '5min';
DROP INDEX CONCURRENTLY IF EXISTS users_unindexed_idx;
CREATE INDEX CONCURRENTLY users_unindexed_idx ON users (id) WHERE indexed_search IS DISTINCT FROM search;
SET lock_timeout = '1s';

-- +goose Down
DROP INDEX users_unindexed_idx;
ALTER TABLE users DROP COLUMN indexed_search;
DROP TABLE search_keys;

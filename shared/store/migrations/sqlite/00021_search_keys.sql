-- The texts with which a search for an account may begin. Code makes them
-- (store.IndexAccounts): no database folds letters as account.Fold does. They are
-- bytes, so that every database sorts them alike.

-- +goose Up
CREATE TABLE search_keys (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key     BLOB NOT NULL, -- in UTF-8
    PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX search_keys_key_idx ON search_keys (key, user_id);

ALTER TABLE users ADD COLUMN indexed_search TEXT; -- the search that the keys were made of; it may have changed since
CREATE INDEX users_unindexed_idx ON users (id) WHERE indexed_search IS DISTINCT FROM search;

-- +goose Down
DROP INDEX users_unindexed_idx;
ALTER TABLE users DROP COLUMN indexed_search;
DROP TABLE search_keys;

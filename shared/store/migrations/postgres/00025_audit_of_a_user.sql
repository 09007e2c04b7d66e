-- Events of one user with one name, newest first: without this index, a search for a rare
-- event of a user reads all of the user's events. It is built while others write; see 00021.

-- +goose NO TRANSACTION

-- +goose Up
SET lock_timeout = '5min';
DROP INDEX CONCURRENTLY IF EXISTS audit_events_user_id_event_id_idx;
CREATE INDEX CONCURRENTLY audit_events_user_id_event_id_idx ON audit_events (user_id, event, id);
SET lock_timeout = '1s';

-- +goose Down
DROP INDEX audit_events_user_id_event_id_idx;

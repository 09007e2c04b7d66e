-- Events of one user with one name, newest first: without this index, a search for a rare
-- event of a user reads all of the user's events.

-- +goose Up
CREATE INDEX audit_events_user_id_event_id_idx ON audit_events (user_id, event, id);

-- +goose Down
DROP INDEX audit_events_user_id_event_id_idx;

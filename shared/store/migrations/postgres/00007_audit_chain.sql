-- The chain of audit events: what is removed or changed shows.

-- +goose Up
ALTER TABLE audit_events ADD COLUMN seq bigint; -- the place in the chain; null until it is chained
ALTER TABLE audit_events ADD COLUMN hash bytea; -- of the event and the hash before it
ALTER TABLE audit_events ADD COLUMN mac bytea; -- of the hash, with a key that is not in the database
CREATE UNIQUE INDEX audit_events_seq_key ON audit_events (seq);
CREATE INDEX audit_events_unchained_idx ON audit_events (id) WHERE seq IS NULL;
CREATE INDEX audit_events_event_id_idx ON audit_events (event, id);

CREATE TABLE audit_chain ( -- one row: all processes share it
    id          smallint PRIMARY KEY CHECK (id = 1),
    seq         bigint NOT NULL DEFAULT 0, -- of the last event
    hash        bytea, -- of it; null before the first
    pruned_seq  bigint NOT NULL DEFAULT 0, -- of the last event that was pruned
    pruned_hash bytea,
    mac         bytea -- of all of it
);
INSERT INTO audit_chain (id) VALUES (1);

-- +goose Down
DROP TABLE audit_chain;
DROP INDEX audit_events_event_id_idx;
DROP INDEX audit_events_unchained_idx;
DROP INDEX audit_events_seq_key;
ALTER TABLE audit_events DROP COLUMN mac;
ALTER TABLE audit_events DROP COLUMN hash;
ALTER TABLE audit_events DROP COLUMN seq;

-- Mail: the outbox, the single-use tokens in its links, and the verification of
-- e-mail addresses.

-- +goose Up
CREATE TABLE link_tokens (
    id TEXT PRIMARY KEY NOT NULL, -- the token itself is derived from it, and never stored
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose    TEXT NOT NULL,
    slot       TEXT NOT NULL, -- one valid token per user, purpose and slot
    bound      TEXT NOT NULL, -- the state in which the token works
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, -- of the latest token that was mailed
    CONSTRAINT link_tokens_slot_key UNIQUE (user_id, purpose, slot)
) STRICT;
CREATE INDEX link_tokens_expires_at_idx ON link_tokens (expires_at);

CREATE TABLE mails (
    id TEXT PRIMARY KEY NOT NULL,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL, -- the name of the templates
    recipient   TEXT NOT NULL,
    mailbox     TEXT NOT NULL, -- recipients with the same mailbox share a limit
    language    TEXT NOT NULL,
    token_id    TEXT, -- of the link; not a foreign key, so that the token can be spent
    data        TEXT NOT NULL, -- a JSON object without secrets
    created_at  INTEGER NOT NULL,
    due_at      INTEGER, -- null once the mail is sent, dropped or dead
    attempts    INTEGER NOT NULL DEFAULT 0,
    lease       TEXT,
    lease_until INTEGER,
    sending     INTEGER NOT NULL DEFAULT FALSE, -- an attempt began and did not end
    repeated    INTEGER NOT NULL DEFAULT FALSE, -- it was sent again after such an attempt
    last_error  TEXT NOT NULL DEFAULT '',
    outcome     TEXT CHECK (outcome IN ('sent', 'dropped', 'dead')),
    finished_at INTEGER
) STRICT;
CREATE INDEX mails_due_at_idx ON mails (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX mails_waiting_idx ON mails (recipient, id) WHERE due_at IS NOT NULL;
CREATE INDEX mails_mailbox_idx ON mails (mailbox, kind, created_at);
CREATE INDEX mails_user_id_idx ON mails (user_id);
CREATE INDEX mails_finished_at_idx ON mails (finished_at);

ALTER TABLE users ADD COLUMN pending_email TEXT; -- replaces email once it is confirmed
ALTER TABLE users ADD COLUMN verification TEXT NOT NULL DEFAULT ''; -- what the user may not do before verifying; '' for nothing
ALTER TABLE nextcloud_accounts ADD COLUMN held INTEGER NOT NULL DEFAULT FALSE; -- until the address is verified

-- +goose Down
ALTER TABLE nextcloud_accounts DROP COLUMN held;
ALTER TABLE users DROP COLUMN verification;
ALTER TABLE users DROP COLUMN pending_email;
DROP TABLE mails;
DROP TABLE link_tokens;

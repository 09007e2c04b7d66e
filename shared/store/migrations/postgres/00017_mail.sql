-- Mail: the outbox, the single-use tokens in its links, and the verification of
-- e-mail addresses.

-- +goose Up
CREATE TABLE link_tokens (
    id         uuid PRIMARY KEY, -- the token itself is derived from it, and never stored
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose    text NOT NULL,
    slot       text NOT NULL, -- one valid token per user, purpose and slot
    bound      text NOT NULL, -- the state in which the token works
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL, -- of the latest token that was mailed
    CONSTRAINT link_tokens_slot_key UNIQUE (user_id, purpose, slot)
);
CREATE INDEX link_tokens_expires_at_idx ON link_tokens (expires_at);

CREATE TABLE mails (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind        text NOT NULL, -- the name of the templates
    recipient   text NOT NULL,
    mailbox     text NOT NULL, -- recipients with the same mailbox share a limit
    language    text NOT NULL,
    token_id    uuid, -- of the link; not a foreign key, so that the token can be spent
    data        text NOT NULL, -- a JSON object without secrets
    created_at  timestamptz NOT NULL,
    due_at      timestamptz, -- null once the mail is sent, dropped or dead
    attempts    integer NOT NULL DEFAULT 0,
    lease       uuid,
    lease_until timestamptz,
    sending     boolean NOT NULL DEFAULT FALSE, -- an attempt began and did not end
    repeated    boolean NOT NULL DEFAULT FALSE, -- it was sent again after such an attempt
    last_error  text NOT NULL DEFAULT '',
    outcome     text CHECK (outcome IN ('sent', 'dropped', 'dead')),
    finished_at timestamptz
);
CREATE INDEX mails_due_at_idx ON mails (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX mails_waiting_idx ON mails (recipient, id) WHERE due_at IS NOT NULL;
CREATE INDEX mails_mailbox_idx ON mails (mailbox, kind, created_at);
CREATE INDEX mails_user_id_idx ON mails (user_id);
CREATE INDEX mails_finished_at_idx ON mails (finished_at);

ALTER TABLE users ADD COLUMN pending_email text; -- replaces email once it is confirmed
ALTER TABLE users ADD COLUMN verification text NOT NULL DEFAULT ''; -- what the user may not do before verifying; '' for nothing
ALTER TABLE nextcloud_accounts ADD COLUMN held boolean NOT NULL DEFAULT FALSE; -- until the address is verified

-- +goose Down
ALTER TABLE nextcloud_accounts DROP COLUMN held;
ALTER TABLE users DROP COLUMN verification;
ALTER TABLE users DROP COLUMN pending_email;
DROP TABLE mails;
DROP TABLE link_tokens;

-- What everybody's account in Nextcloud shall be, and what is known of it. A row
-- outlives its user, so that a deletion can be carried out: no foreign key.

-- +goose Up
CREATE TABLE nextcloud_accounts (
    user_id        uuid PRIMARY KEY,
    nextcloud_id   text NOT NULL,
    wish           text NOT NULL CHECK (wish IN ('present', 'disabled', 'absent')),
    email          text NOT NULL,
    full_name      text NOT NULL,
    quota          text NOT NULL,
    password       bytea, -- sealed; waits to be set
    first_password bytea NOT NULL, -- sealed; proves that the account is ours
    version        bigint NOT NULL, -- of the wish
    owned          boolean NOT NULL,
    status         text NOT NULL,
    attempts       integer NOT NULL,
    due_at         timestamptz, -- null: nothing to do
    lease          text,
    lease_until    timestamptz,
    last_error     text NOT NULL,
    last_synced_at timestamptz,
    used_bytes     bigint,
    total_bytes    bigint,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT nextcloud_accounts_nextcloud_id_key UNIQUE (nextcloud_id)
);
CREATE INDEX nextcloud_accounts_due_at_idx ON nextcloud_accounts (due_at);

-- +goose Down
DROP TABLE nextcloud_accounts;

-- When Nextcloud may be called, for each set of administrator settings: those of
-- before and after a correction do not wait for each other. Of nextcloud_gate,
-- only edits_until and swept_at are still used.

-- +goose Up
CREATE TABLE nextcloud_access (
    settings TEXT PRIMARY KEY NOT NULL,     -- a keyed hash of address, user and password
    proved INTEGER NOT NULL DEFAULT FALSE,  -- they were accepted: everybody may call
    trial_until INTEGER,                    -- somebody finds out whether they are
    closed_until INTEGER,                   -- no call before, as Nextcloud does not answer
    refused_until INTEGER,                  -- no call before, as Nextcloud refused them
    outages INTEGER NOT NULL DEFAULT 0,     -- in a row
    changed_at INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE nextcloud_access;

-- Accounts in Nextcloud that the gateway did not make: those that stand in the
-- way of one of its own, and those that became a user's.

-- +goose Up
ALTER TABLE nextcloud_accounts ADD COLUMN conflict_id text; -- in Nextcloud; null: the account of nextcloud_id
ALTER TABLE nextcloud_accounts ADD COLUMN link text NOT NULL DEFAULT '' CHECK (link IN ('', 'adopted', 'claimed', 'released'));
ALTER TABLE nextcloud_accounts ADD COLUMN create_tried boolean NOT NULL DEFAULT TRUE; -- with first_password; true where it is not known
ALTER TABLE nextcloud_accounts ADD COLUMN keeps_email boolean NOT NULL DEFAULT FALSE; -- as it was when it was linked
ALTER TABLE nextcloud_accounts ADD COLUMN keeps_name boolean NOT NULL DEFAULT FALSE;

CREATE TABLE nextcloud_claim_tries ( -- passwords that were tried at accounts in Nextcloud lately
    id uuid PRIMARY KEY NOT NULL,
    user_id uuid NOT NULL, -- who tried
    nextcloud_id text NOT NULL, -- which account; in lower case
    refused boolean NOT NULL, -- also while it is not known
    tried_at timestamptz NOT NULL
);

-- +goose Down
DROP TABLE nextcloud_claim_tries;
ALTER TABLE nextcloud_accounts DROP COLUMN keeps_name;
ALTER TABLE nextcloud_accounts DROP COLUMN keeps_email;
ALTER TABLE nextcloud_accounts DROP COLUMN create_tried;
ALTER TABLE nextcloud_accounts DROP COLUMN link;
ALTER TABLE nextcloud_accounts DROP COLUMN conflict_id;

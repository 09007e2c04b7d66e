-- The e-mail address in the form in which all its spellings are one. Code makes
-- it (store.SettleEmails): no database knows UTS 46 and PRECIS.

-- +goose Up
ALTER TABLE users ADD COLUMN canonical_email text; -- null until it is made, and while another account has it
ALTER TABLE users ADD COLUMN canonical_of text; -- the email that it was made of; it may have changed since
CREATE UNIQUE INDEX users_canonical_email_key ON users (canonical_email);
CREATE INDEX users_unsettled_idx ON users (id) WHERE canonical_of IS DISTINCT FROM email;

-- +goose Down
DROP INDEX users_unsettled_idx;
DROP INDEX users_canonical_email_key;
ALTER TABLE users DROP COLUMN canonical_of;
ALTER TABLE users DROP COLUMN canonical_email;

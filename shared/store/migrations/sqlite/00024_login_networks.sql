-- From which networks somebody has logged in to an account. Users are told of a login from
-- another one. The column is read with the row of the user, so a login needs no statement
-- of its own for it, and code bounds its length (signin.Networks).

-- +goose Up
ALTER TABLE users ADD COLUMN login_networks TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE users DROP COLUMN login_networks;

package test_test

import "path/filepath"

// psqlWith returns a script that fills the database with the tables of another system
// before it runs the real psql.
func psqlWith(tables string) string {
	return `PATH=${PATH#*:}
psql --quiet --no-psqlrc "$1" <<'SQL' || exit 1
` + tables + `SQL
exec psql --no-psqlrc "$@"
`
}

// Hashes of the password on the pages.
const (
	bcryptCost12 = "$2b$12$b749VEPExOYBXnbjqsMpauLMdD7eiMbYsJyDWb6r2.8qpsz6EmYES"
	bcryptCost10 = "$2a$10$QVcQ68Bi1fkga0CmWl/ou.Ww7yCJ2N5hYFmwZ8QG7MAyuVX7I.aMe"
	argon2       = "$argon2id$v=19$m=65536,t=3,p=4$CL5OdG8UTa85n7MTmdGebQ$2IL7Q2v9w+lWCzdiIRwsqYH0Mdjzx6umdN6VT9/RxbI"
)

// fastAPIUsers is the table of fastapi-users-db-sqlalchemy 6 or 7, with users.
const fastAPIUsers = `
CREATE TABLE "user" (id uuid PRIMARY KEY, email varchar(320) NOT NULL, hashed_password varchar(1024) NOT NULL,
	is_active boolean NOT NULL, is_superuser boolean NOT NULL, is_verified boolean NOT NULL);
INSERT INTO "user" VALUES
	(gen_random_uuid(), 'ada@example.org', '` + bcryptCost12 + `', true, false, true),
	(gen_random_uuid(), 'Grace@Example.org', '` + argon2 + `', true, false, false),
	(gen_random_uuid(), 'root@example.org', '` + bcryptCost12 + `', true, true, true),
	(gen_random_uuid(), 'mallory@example.org', '` + bcryptCost12 + `', false, false, true);
`

// supabase has the columns of auth.users that a user of the project can see and that
// concern logins by mail and password.
const supabase = `
CREATE SCHEMA auth;
CREATE TABLE auth.users (instance_id uuid, id uuid PRIMARY KEY, aud varchar(255), role varchar(255), email varchar(255),
	encrypted_password varchar(255), email_confirmed_at timestamptz, last_sign_in_at timestamptz,
	raw_app_meta_data jsonb, raw_user_meta_data jsonb, is_super_admin boolean, created_at timestamptz, updated_at timestamptz,
	phone text, banned_until timestamptz, is_sso_user boolean NOT NULL DEFAULT false, deleted_at timestamptz, is_anonymous boolean NOT NULL DEFAULT false);
INSERT INTO auth.users (id, aud, role, email, encrypted_password, email_confirmed_at, raw_user_meta_data, created_at, banned_until, deleted_at) VALUES
	(gen_random_uuid(), 'authenticated', 'authenticated', 'ada@example.org', '` + bcryptCost10 + `', '2024-01-15 10:23:45.123456+00',
		'{"sub": "5f0e1c0a-0c52-4f0c-8ab1-3d2a9f3b7a01", "full_name": "Ada Lovelace", "email_verified": true}', '2024-01-15 10:22:01.5+00', NULL, NULL),
	(gen_random_uuid(), 'authenticated', 'authenticated', 'grace@example.org', NULL, '2024-02-01 08:00:00+01', '{"name": "Grace Hopper"}', '2024-02-01 08:00:00+01', NULL, NULL),
	(gen_random_uuid(), 'authenticated', 'authenticated', 'mallory@example.org', '` + bcryptCost10 + `', NULL, '{}', '2024-03-01 12:00:00+00', '2124-05-01 00:00:00+00', NULL),
	(gen_random_uuid(), 'authenticated', 'authenticated', 'eve@example.org', '` + bcryptCost10 + `', '2024-03-02 12:00:00+00', NULL, '2024-03-02 12:00:00+00', '2024-03-09 12:00:00+00', NULL),
	(gen_random_uuid(), 'authenticated', 'authenticated', 'deleted@example.org', '', NULL, NULL, '2024-03-02 12:00:00+00', NULL, '2024-03-03 12:00:00+00'),
	(gen_random_uuid(), 'authenticated', 'authenticated', NULL, NULL, NULL, '{}', '2024-03-02 12:00:00+00', NULL, NULL);
`

// keycloakScript returns a script that stands in for the export of a realm by Keycloak 26.
func keycloakScript() string {
	export, err := filepath.Abs("../cmd/gateway/internal/userfile/testdata/keycloak.json")
	if err != nil {
		panic(err)
	}
	return `[ "$*" = "export --realm voice --file realm.json --users realm_file" ] && cp "` + export + `" realm.json
`
}

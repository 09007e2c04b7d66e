-- Runs once, when the image of PostgreSQL creates the database: makes the role that owns
-- the database and nothing else. Afterwards the superuser has no password, so it can log
-- in only inside the container: docker compose exec postgres psql --username=postgres
\set ON_ERROR_STOP on
\getenv role OWNER
\getenv password POSTGRES_PASSWORD
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
ALTER ROLE postgres PASSWORD NULL;

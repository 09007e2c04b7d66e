package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Conflicts makes a PostgreSQL database report serialization failures (40001), as a
// distributed database does under contention: for so many percent of the statements that
// write, and for as many of the commits of transactions that have written. What failed has
// had no effect. Which ones fail depends on the number of the transaction, so a repeated one
// may succeed.
func Conflicts(tb testing.TB, dsn string, percent int) {
	tb.Helper()
	if err := addConflicts(tb.Context(), dsn, percent); err != nil {
		tb.Fatalf("conflicts for the test: %v", err)
	}
}

// addConflicts adds triggers to all tables.
func addConflicts(ctx context.Context, dsn string, percent int) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, fmt.Sprintf(`
		CREATE FUNCTION injected_conflict() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			-- A commit and a statement of one transaction fail independently.
			IF mod(abs(hashint8(txid_current() * 2 + CASE TG_LEVEL WHEN 'ROW' THEN 1 ELSE 0 END)::bigint), 100) < %[1]d THEN
				RAISE EXCEPTION 'injected conflict' USING ERRCODE = '40001';
			END IF;
			RETURN NULL;
		END $$;
		DO $$
		DECLARE name text;
		BEGIN
			FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%%' LOOP
				EXECUTE format('CREATE TRIGGER injected_at_statement BEFORE INSERT OR UPDATE OR DELETE ON %%I
					FOR EACH STATEMENT EXECUTE FUNCTION injected_conflict()', name);
				EXECUTE format('CREATE CONSTRAINT TRIGGER injected_at_commit AFTER INSERT OR UPDATE OR DELETE ON %%I
					DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION injected_conflict()', name);
			END LOOP;
		END $$`, percent))
	return err
}

package store_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/voiceassist/gateway/shared/conversation"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// session returns a session of the user that is not in any database yet.
func session(user account.ID, content document.Object) conversation.Session {
	return conversation.Session{
		ID: conversation.NewID(), UserID: user, Title: "Weather", Context: content, CreatedAt: kept(noon), UpdatedAt: kept(noon),
	}
}

// fill creates sessions as older code did, without a limit.
func fill(tb testing.TB, db *store.DB, user account.ID, n int, content string) {
	tb.Helper()
	err := db.Update(tb.Context(), func(*store.Tx) error { return nil }) // the schema exists after this
	if err != nil {
		tb.Fatal(err)
	}
	tx, err := db.Handle().BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer tx.Rollback()
	for range n {
		_, err := tx.ExecContext(tb.Context(), `
			INSERT INTO sessions (id, user_id, title, context, created_at, updated_at) VALUES ($1, $2, 'x', $3, $4, $4)`,
			string(conversation.NewID()), string(user), content, kept(noon))
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
}

// analyze updates the statistics, as a database does from time to time.
func analyze(b *testing.B, db *store.DB) {
	b.Helper()
	maintain := "ANALYZE"
	if db.Engine() == store.PostgreSQL {
		maintain = "VACUUM ANALYZE"
	}
	if _, err := db.Handle().ExecContext(b.Context(), maintain); err != nil {
		b.Fatal(err)
	}
}

func sessionsOf(tb testing.TB, db *store.DB, user account.ID) int {
	tb.Helper()
	var n int
	if err := db.Handle().QueryRowContext(tb.Context(), `SELECT COUNT(*) FROM sessions WHERE user_id = $1`, string(user)).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// TestCreateSession_EnforcesTheLimit creates sessions concurrently, repeatedly after some
// were deleted, and beside some that older code created.
func TestCreateSession_EnforcesTheLimit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const limit, callers = 20, 40
		ada, bob := someone(t, db, "ada@example.org"), someone(t, db, "bob@example.org")
		by := signedIn(t, db, ada)
		fill(t, db, ada.ID, 15, "{}")
		for round, room := range []int{5, 0, 3, 7} {
			if round > 1 { // the gateway did not create these
				_, err := db.Handle().ExecContext(t.Context(), `
					DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user_id = $1 ORDER BY id LIMIT $2)`, string(ada.ID), room)
				if err != nil {
					t.Fatal(err)
				}
			}
			var made, full atomic.Int64
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					err := error(store.ErrUnavailable)
					for errors.Is(err, store.ErrUnavailable) { // too many conflicts with the others: nothing was created
						err = db.CreateSession(t.Context(), by, session(ada.ID, document.Empty), limit)
					}
					switch {
					case err == nil:
						made.Add(1)
					case errors.Is(err, conversation.ErrTooMany):
						full.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := sessionsOf(t, db, ada.ID); made.Load() != int64(room) || full.Load() != callers-int64(room) || n != limit {
				t.Errorf("round %d: %d created and %d refused, want %d created; %d exist, want %d", round, made.Load(), full.Load(), room, n, limit)
			}
		}
		if err := db.CreateSession(t.Context(), signedIn(t, db, bob), session(bob.ID, document.Empty), limit); err != nil {
			t.Errorf("another user: %v", err)
		}
		if err := db.CreateSession(t.Context(), by, session(ada.ID, document.Empty), limit-5); !errors.Is(err, conversation.ErrTooMany) {
			t.Errorf("with a lower limit: got %v", err)
		}
		if err := db.CreateSession(t.Context(), by, session(ada.ID, document.Empty), limit+1); err != nil {
			t.Errorf("with a higher limit: %v", err)
		}
		endings(db, ada, by)["logged out"](t)
		if err := db.CreateSession(t.Context(), by, session(ada.ID, document.Empty), limit+1); !errors.Is(err, signin.ErrRevoked) {
			t.Errorf("with an ended login: got %v", err)
		}
	})
}

func benchmarkEach(b *testing.B, run func(b *testing.B, db *store.DB)) {
	b.Helper()
	b.Run("sqlite", func(b *testing.B) { run(b, storetest.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { run(b, storetest.Postgres(b)) })
}

// BenchmarkCreateSession creates sessions for a user who has none, and for a user who has
// one less than the limit each time.
func BenchmarkCreateSession(b *testing.B) {
	benchmarkEach(b, func(b *testing.B, db *store.DB) {
		for _, had := range []int{0, 9_999} {
			name := "first"
			if had > 0 {
				name = "after 9999"
			}
			b.Run(name, func(b *testing.B) {
				who := someone(b, db, name)
				by := signedIn(b, db, who)
				fill(b, db, who.ID, had, "{}")
				analyze(b, db)
				limit := 1 << 30
				if had > 0 {
					limit = had + 1
				}
				for b.Loop() {
					s := session(who.ID, document.Empty)
					if err := db.CreateSession(b.Context(), by, s, limit); err != nil {
						b.Fatal(err)
					}
					if had > 0 { // the next call counts sessions, as always at the limit
						b.StopTimer()
						if err := db.DeleteSession(b.Context(), by, s.ID, noon); err != nil {
							b.Fatal(err)
						}
						b.StartTimer()
					}
				}
			})
		}
	})
}

// BenchmarkSessions reads a page of 50 of 10,000 sessions, small and large.
func BenchmarkSessions(b *testing.B) {
	benchmarkEach(b, func(b *testing.B, db *store.DB) {
		for name, size := range map[string]int{"200 B": 200, "60 KB": 60_000} {
			b.Run(name, func(b *testing.B) {
				who := someone(b, db, name)
				fill(b, db, who.ID, min(10_000, 30_000_000/size), `{"a":"`+strings.Repeat("x", size)+`"}`)
				analyze(b, db)
				for b.Loop() {
					if list, err := db.Sessions(b.Context(), who.ID, store.Page{Limit: 201, Bytes: 1 << 20}); err != nil || len(list) < 10 {
						b.Fatal(len(list), err)
					}
				}
			})
		}
	})
}

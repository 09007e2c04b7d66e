package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// A history is a login in db with a complete record of when each of its tokens was first used.
type history struct {
	*testing.T
	db   *store.DB
	id   signin.ID
	used []time.Time
}

func newHistory(t *testing.T, db *store.DB, email string) *history {
	t.Helper()
	l := signin.Start(someone(t, db, email).ID, "device", "192.0.2.1", noon, signin.Lifetimes{Idle: signin.DefaultIdle})
	if err := db.StartLogin(t.Context(), l, "hash", audit.New(audit.LoggedIn, l.UserID, audit.Origin{}, noon), nil); err != nil {
		t.Fatal(err)
	}
	return &history{T: t, db: db, id: l.ID}
}

// present presents a token as the refresh function does and returns the decision.
func (w *history) present(counter int, now time.Time, grace time.Duration) signin.Decision {
	w.Helper()
	r, matched, err := w.db.RotateLogin(w.Context(), w.id, int64(counter), "192.0.2.1", now, now.Add(time.Hour))
	if err != nil {
		w.Fatal(err)
	}
	if matched {
		w.used = append(w.used, kept(now))
		if r.Login.Counter != int64(len(w.used)) {
			w.Fatalf("rotation: got counter %d, want %d", r.Login.Counter, len(w.used))
		}
		return signin.Rotate
	}
	is, err := w.db.Login(w.Context(), w.id)
	if err != nil {
		w.Fatal(err)
	}
	return signin.Decide(is.Login, int64(counter), now, grace)
}

// rotateAsBefore rotates as an older gateway does, which does not record uses.
func (w *history) rotateAsBefore(now time.Time) {
	w.Helper()
	// The engines store times differently, so the time is that of a rotation.
	if v := w.present(len(w.used), now, signin.DefaultGrace); v != signin.Rotate {
		w.Fatal(v)
	}
	text := ""
	if n := len(w.used); n > 1 {
		text = fmt.Sprintf("%016x", w.used[n-2].UnixMicro())
	}
	if _, err := w.db.Handle().ExecContext(w.Context(), "UPDATE logins SET uses = $2 WHERE id = $1", string(w.id), text); err != nil {
		w.Fatal(err)
	}
}

// TestRotateLogin_RecordsEachFirstUse has clients present current and used tokens at random
// times, to the microsecond around the end of grace, and compares the row with a complete
// record.
func TestRotateLogin_RecordsEachFirstUse(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		repeats, reuses := 0, 0
		for n := range 20 {
			w := newHistory(t, db, fmt.Sprintf("ada%d@example.org", n))
			now := noon
			for range 30 {
				counter := max(0, len(w.used)-random.IntN(6))
				if counter < len(w.used) && random.IntN(2) == 0 { // exactly at the end of grace
					now = latest(now, w.used[counter].Add(signin.DefaultGrace+time.Duration(random.IntN(2))*time.Microsecond))
				}
				want := signin.Rotate
				if counter < len(w.used) {
					want = signin.Reuse
					if kept(now).Sub(w.used[counter]) <= signin.DefaultGrace {
						want = signin.Repeat
					}
				}
				if got := w.present(counter, kept(now), signin.DefaultGrace); got != want {
					t.Fatalf("seed %d: token %d at %v is %v, want %v; used at %v", seed, counter, now, got, want, w.used)
				}
				switch want {
				case signin.Repeat:
					repeats++
				case signin.Reuse:
					reuses++
				}
				now = now.Add(time.Duration(random.IntN(4)) * time.Second)
			}
		}
		if repeats < 30 || reuses < 30 {
			t.Errorf("only %d repeats and %d reuses were tried", repeats, reuses)
		}
	})
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestRotateLogin_KeepsABoundedNumberOfUses(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHistory(t, db, "ada@example.org")
		for i := range signin.MaxUses + 1 {
			w.present(i, noon, signin.MaxGrace)
		}
		if got := w.present(1, noon, signin.MaxGrace); got != signin.Repeat {
			t.Errorf("after %d rotations a token used now is %v, want repeat", signin.MaxUses, got)
		}
		if got := w.present(0, noon, signin.MaxGrace); got != signin.Reuse {
			t.Errorf("after %d rotations the token is %v, want reuse", signin.MaxUses+1, got)
		}
		end := kept(noon).Add(signin.MaxGrace)
		if got := w.present(1, end, signin.MaxGrace); got != signin.Repeat {
			t.Errorf("at the end of the longest grace the token is %v, want repeat", got)
		}
		w.present(signin.MaxUses+1, end.Add(time.Second), signin.MaxGrace)
		is, err := db.Login(t.Context(), w.id)
		if err != nil || len(is.Login.Uses) != 1 {
			t.Errorf("afterwards %d uses are kept, %v; want only the last", len(is.Login.Uses), err)
		}
	})
}

// TestRotateLogin_AlongsideAnOlderGateway: during a deployment, the old version rotates the
// same logins without recording uses. That extends the life of no token, and the previous
// token stays valid for its grace period.
func TestRotateLogin_AlongsideAnOlderGateway(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newHistory(t, db, "ada@example.org")
		w.present(0, noon, signin.DefaultGrace)
		w.rotateAsBefore(noon.Add(20 * time.Second))
		for at, want := range map[time.Duration]signin.Decision{
			50 * time.Second: signin.Repeat, 50*time.Second + time.Microsecond: signin.Reuse,
		} {
			if got := w.present(1, kept(noon).Add(at), signin.DefaultGrace); got != want {
				t.Errorf("the token rotated by the older gateway is %v after %v, want %v", got, at, want)
			}
		}
		w.present(2, noon.Add(25*time.Second), signin.DefaultGrace)
		if got := w.present(0, kept(noon).Add(signin.DefaultGrace+time.Microsecond), signin.DefaultGrace); got != signin.Reuse {
			t.Errorf("the first token is %v after its grace, want reuse", got)
		}
	})
}

// An update that changes an indexed column adds an entry to every index of the table
// (PostgreSQL, section 73.7).
func TestRotateLogin_ChangesNoIndexedColumn_OnPostgres(t *testing.T) {
	t.Parallel()
	db := storetest.Postgres(t)
	rows, err := db.Handle().QueryContext(t.Context(), `
		SELECT attname FROM pg_attribute JOIN pg_index ON attrelid = indrelid AND attnum = ANY (indkey)
		WHERE indrelid = 'logins'::regclass ORDER BY attname`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var indexed []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		indexed = append(indexed, name)
	}
	if want := []string{"id", "id", "id", "sweep_at", "user_id"}; rows.Err() != nil || !slices.Equal(indexed, want) {
		t.Errorf("indexed columns: %q, %v; want %q", indexed, rows.Err(), want)
	}
}

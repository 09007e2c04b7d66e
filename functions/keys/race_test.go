package keys_test

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestDelete_EndsRequestsThatRun deletes keys while requests with them change sessions. A
// request that begins after the response to the DELETE is refused. One that began before
// either has made its change by then, or is refused.
func TestDelete_EndsRequestsThatRun(t *testing.T) {
	t.Parallel()
	const rounds, clients = 5, 6
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.NewWith(t, db, map[string]string{"RATE_LIMIT_PER_MINUTE": "off", "API_KEY_RATE_LIMIT_PER_MINUTE": "off"})
		_, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		changes := func() (n int64) { // titles count the changes of their session
			err := db.Handle().QueryRowContext(t.Context(), "SELECT SUM(CAST(title AS INTEGER)) FROM sessions").Scan(&n)
			if err != nil {
				t.Error(err)
			}
			return n
		}
		var made atomic.Int64
		for range rounds {
			key, id := create(g, ada, request("sessions:write"))
			var deleted atomic.Bool
			var wg sync.WaitGroup
			running := make(chan struct{}, clients)
			for range clients {
				at := g.Do("POST", sessionsPath, `{"title":"0"}`, ada).Want(http.StatusCreated, "").Header.Get("Location")
				wg.Go(func() {
					for n := 1; ; n++ {
						late := deleted.Load()
						a := g.Do("PATCH", at, fmt.Sprintf(`{"title":"%d"}`, n), key)
						if n == 1 {
							running <- struct{}{}
						}
						switch {
						case a.Status == http.StatusOK && !late:
							made.Add(1)
						case a.Status != http.StatusUnauthorized:
							t.Errorf("begun after the response to the DELETE (%v): got %d %s", late, a.Status, a.Body)
							return
						default:
							n-- // a refused change is no change
						}
						if late {
							return
						}
					}
				})
			}
			for range clients {
				<-running
			}
			status := g.Do("DELETE", keysPath+"/"+id, nil, ada).Status
			before := changes()
			deleted.Store(true)
			wg.Wait()
			if after := changes(); status != http.StatusNoContent || before != after || after != made.Load() {
				t.Errorf("DELETE: %d; %d changes after it, %d at last; %d were reported", status, before, after, made.Load())
			}
		}
	})
}

// TestCreateSession_ConcurrentlyWithOneKey creates sessions with one key from many clients
// at once, up to the limit, and then deletes the key while they go on. No request fails
// because of the others, and the limit is exact.
func TestCreateSession_ConcurrentlyWithOneKey(t *testing.T) {
	t.Parallel()
	const limit, clients, each = 40, 16, 5
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.NewWith(t, db, map[string]string{
			"RATE_LIMIT_PER_MINUTE": "off", "API_KEY_RATE_LIMIT_PER_MINUTE": "off", "SESSIONS_PER_USER": strconv.Itoa(limit),
		})
		_, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		key, id := create(g, ada, request("sessions:write"))
		statuses := func() (counts map[int]int) {
			counts = map[int]int{}
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for range each {
						a := g.Do("POST", sessionsPath, `{"title":"x"}`, key)
						mu.Lock()
						counts[a.Status]++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			return counts
		}
		if got, want := statuses(), (map[int]int{http.StatusCreated: limit, http.StatusConflict: clients*each - limit}); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if _, err := db.Handle().ExecContext(t.Context(), "DELETE FROM sessions"); err != nil {
			t.Fatal(err)
		}
		var ended sync.WaitGroup
		ended.Go(func() { g.Do("DELETE", keysPath+"/"+id, nil, ada).Want(http.StatusNoContent, "") })
		got := statuses()
		ended.Wait()
		delete(got, http.StatusCreated)
		delete(got, http.StatusConflict)
		delete(got, http.StatusUnauthorized)
		if len(got) != 0 {
			t.Errorf("while the key is deleted: also got %v", got)
		}
		g.Do("POST", sessionsPath, `{"title":"x"}`, key).Want(http.StatusUnauthorized, "")
	})
}

// TestCreateSession_WithAKeyIsOneStatement counts the statements of a request with a key on
// PostgreSQL, where a transaction would conflict with others of the same user: one
// authenticates, and one creates the session.
func TestCreateSession_WithAKeyIsOneStatement(t *testing.T) {
	t.Parallel()
	db := storetest.Postgres(t)
	var statements atomic.Int64
	db.Observe(func(time.Duration) { statements.Add(1) })
	g := functionstest.New(t, db)
	_, p := g.Person()
	key, _ := create(g, functionstest.Bearer(p.Access), request("sessions:write"))
	post := func() int64 {
		before := statements.Load()
		g.Do("POST", sessionsPath, `{"title":"x"}`, key).Want(http.StatusCreated, "")
		return statements.Load() - before
	}
	post() // the first one records the use of the key
	if got := post(); got != 2 {
		t.Errorf("%d statements, want 2", got)
	}
}

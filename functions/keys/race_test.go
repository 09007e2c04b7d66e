package keys_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

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

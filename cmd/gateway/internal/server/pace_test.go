package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
)

// refuse is a handler that refuses requests to /login.
func refuse(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/login" {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// TestPace_SlowsAFloodDown lets clients hammer. They get 100 refusals a second, or if there are
// more than 100 of them, each gets one a second. Other requests do not wait.
func TestPace_SlowsAFloodDown(t *testing.T) {
	t.Parallel()
	for clients, perSecond := range map[int]int{64: 100, 200: 200} {
		synctest.Test(t, func(t *testing.T) { slowsDown(t, clients, perSecond) })
	}
}

func slowsDown(t *testing.T, clients, perSecond int) {
	t.Helper()
	h := server.Pace(http.HandlerFunc(refuse))
	took := func(path string) time.Duration {
		begin := time.Now()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, http.NoBody))
		return time.Since(begin)
	}
	if d := took("/login"); d != 0 {
		t.Errorf("a single refusal took %v", d)
	}
	const seconds = 10
	begin := time.Now()
	var mu sync.Mutex
	var refused int
	var longest time.Duration
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for n := 0; time.Since(begin) < seconds*time.Second && n < 10000; n++ { // the clock may stand still
				d := took("/login")
				mu.Lock()
				refused, longest = refused+1, max(longest, d)
				mu.Unlock()
			}
		})
	}
	time.Sleep(seconds * time.Second / 2)
	if d := took("/me"); d != 0 {
		t.Errorf("a request that is not refused took %v", d)
	}
	wg.Wait()
	// The first 100 do not wait, and at the end each client waits for its last one.
	if most := perSecond*seconds + 100 + clients; refused > most || refused < most*8/10 {
		t.Errorf("%d clients got %d refusals in %d s, want at most %d", clients, refused, seconds, most)
	}
	if longest > time.Second {
		t.Errorf("with %d clients a refusal took %v", clients, longest)
	}
}

// TestPace_HoldsFewRequests floods with more clients than may wait. The others get their
// refusals at once, so their number does not matter for memory.
func TestPace_HoldsFewRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const clients, mayWait = 3000, 1024
		h := server.Pace(http.HandlerFunc(refuse))
		ctx, leave := context.WithCancel(t.Context())
		var mu sync.Mutex
		var answered int
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/login", http.NoBody))
				mu.Lock()
				answered++
				mu.Unlock()
			})
		}
		synctest.Wait()
		mu.Lock()
		if waiting := clients - answered; waiting > mayWait || waiting < mayWait/2 {
			t.Errorf("%d refusals wait, want at most %d", waiting, mayWait)
		}
		mu.Unlock()
		begin := time.Now()
		leave() // nobody waits for clients that are gone
		wg.Wait()
		if d := time.Since(begin); d != 0 {
			t.Errorf("requests of clients that are gone took %v", d)
		}
	})
}

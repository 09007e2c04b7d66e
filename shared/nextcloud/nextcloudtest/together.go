package nextcloudtest

import (
	"net/http"
	"sync"
	"time"
)

// togetherWait is how long a request waits for others that may never come. It is far above
// what they need on an idle machine.
const togetherWait = 100 * time.Millisecond

// Together returns h for requests that come in groups of n: each waits for the others of its
// group. So n clients use n connections at a time, however fast h answers, and a client that
// keeps fewer opens others for each group.
func Together(n int, h http.Handler) http.Handler {
	var (
		mu       sync.Mutex
		waiting  int
		complete = make(chan struct{})
	)
	join := func() <-chan struct{} {
		mu.Lock()
		defer mu.Unlock()
		group := complete
		if waiting++; waiting == n {
			close(group)
			waiting, complete = 0, make(chan struct{})
		}
		return group
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		late := time.NewTimer(togetherWait)
		defer late.Stop()
		select {
		case <-join():
		case <-late.C:
		}
		h.ServeHTTP(w, r)
	})
}

package server

import (
	"net/http"
	"sync"
	"time"
)

// How fast refusals leave.
const (
	refusalInterval = 10 * time.Millisecond // between two
	refusalBurst    = 100                   // that leave at once after a pause
	refusalDelay    = time.Second           // the longest wait of one
	maxDelayed      = 1024                  // waiting at once: about 20 MB
)

// A pacer delays refusals if there are many. A client that ignores Retry-After sends
// its next request as soon as it has its response. A few such clients would keep all
// processors busy, however little a refusal costs. While its response waits, a client
// of HTTP/1.1 cannot use the connection, and one of HTTP/2 has a stream less. Nobody
// else waits, even behind the same proxy. A pacer is safe for concurrent use.
type pacer struct {
	mu      sync.Mutex
	last    time.Time // when the last refusal leaves
	delayed int       // refusals that wait
}

// pace wraps h, which sets Retry-After in every refusal. What h writes must fit into
// the buffers of net/http, so that it is sent when the handler returns.
func (p *pacer) pace(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		if w.Header().Get("Retry-After") != "" {
			p.wait(r)
		}
	})
}

// wait returns when the refusal of r may leave, or its client has gone.
func (p *pacer) wait(r *http.Request) {
	delay := p.enter(time.Now())
	defer p.leave()
	if delay <= 0 {
		return
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

// enter returns how long a refusal has to wait from now. Beyond the limits of memory
// it does not wait.
func (p *pacer) enter(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.delayed++; p.delayed > maxDelayed {
		return 0
	}
	if earliest := now.Add(-refusalBurst * refusalInterval); p.last.Before(earliest) {
		p.last = earliest
	}
	p.last = p.last.Add(refusalInterval)
	if latest := now.Add(refusalDelay); p.last.After(latest) {
		p.last = latest
	}
	return p.last.Sub(now)
}

func (p *pacer) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delayed--
}

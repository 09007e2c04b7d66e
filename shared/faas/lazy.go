package faas

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
)

// Lazy returns a handler that is opened by the first request that reaches it:
// for what must be fetched over the network, which would lengthen every cold
// start, and end the function where the other side is down for a moment. A
// failure is logged and answered with 503, and the next request tries again.
func Lazy(open func(ctx context.Context) (http.Handler, error)) http.Handler {
	return &lazy{open: open}
}

type lazy struct {
	open func(context.Context) (http.Handler, error)

	mu sync.Mutex // not a sync.Once, which takes a panic for success
	h  http.Handler
}

func (l *lazy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, err := l.get(r.Context())
	if err != nil {
		slog.LogAttrs(r.Context(), slog.LevelError, "open", slog.String("cause", err.Error()))
		p := notOpen
		p.Instance, p.CorrelationID = r.URL.EscapedPath(), correlationID(r.Context(), r.Header)
		w.Header().Set("Retry-After", "1")
		p.send(w)
		return
	}
	h.ServeHTTP(w, r)
}

func (l *lazy) get(ctx context.Context) (http.Handler, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.h != nil {
		return l.h, nil
	}
	h, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	l.h = h
	return h, nil
}

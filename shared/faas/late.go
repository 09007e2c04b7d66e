package faas

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas/secrets"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// A late function is opened by its first event, with settings from secrets, and
// anew by the event that finds them changed. So a cold start fetches nothing,
// and a rotation reaches an instance that lives on. Safe for concurrent use.
type late struct {
	open   opener
	ctx    context.Context
	lookup func(string) (string, bool)
	source func(context.Context) (*secrets.Values, error)
	keeper *secrets.Keeper

	mu     sync.Mutex
	now    *opened         // nil before the first
	bad    *secrets.Values // with which opening failed; nil where it did not
	badErr error
}

// opened is what one opening made.
type opened struct {
	Function

	with  *secrets.Values
	stop  context.CancelFunc
	users int // events that run in it
}

// newLate returns a function that open opens with the environment of lookup,
// and what source returns.
func newLate(
	ctx context.Context, lookup func(string) (string, bool),
	source func(context.Context) (*secrets.Values, error), open opener,
) *late {
	l := &late{open: open, ctx: ctx, lookup: lookup, source: source}
	l.keeper = secrets.NewKeeper(l.fetch)
	return l
}

// Invoke answers one event, or says that the function cannot be opened, in the
// way of whatever asks.
func (l *late) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	o, err := l.acquire(ctx)
	if err != nil {
		return unopened(err).Invoke(ctx, payload)
	}
	defer l.release(ctx, o)
	return o.Invoke(ctx, payload)
}

// Close closes what is open.
func (l *late) Close() error {
	l.mu.Lock()
	o := l.now
	l.now = nil
	l.mu.Unlock()
	if o == nil {
		return nil
	}
	return o.close()
}

// acquire returns the function of the settings of now. While others cannot be
// had or are wrong, that is the one of the settings before.
func (l *late) acquire(ctx context.Context) (*opened, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	v, err := l.keeper.Values(ctx)
	if err == nil && l.never(v) {
		v, err = l.keeper.Renew(ctx) // somebody may have put it right
	}
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if (l.now == nil || l.now.with != v) && l.bad != v {
		l.replace(ctx, v)
	}
	if l.now == nil {
		return nil, l.badErr
	}
	l.now.users++
	return l.now, nil
}

// never reports whether nothing was opened yet, because v is wrong.
func (l *late) never(v *secrets.Values) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now == nil && l.bad == v
}

// replace opens the function with v, and closes the one before when its events
// are done. l.mu is held: to open is to wire, which takes microseconds.
func (l *late) replace(ctx context.Context, v *secrets.Values) {
	read := map[string]bool{}
	lookup := l.with(v)
	env := config.New(func(name string) (string, bool) {
		read[name] = true
		return lookup(name)
	})
	env.RenewWith(l.renew)
	openCtx, stop := context.WithCancel(l.ctx)
	f, err := opening(openCtx, env, l.open)
	if err != nil {
		stop()
		l.bad, l.badErr = v, err
		if l.now != nil {
			slog.LogAttrs(ctx, slog.LevelError, "open with new settings", slog.String("cause", err.Error()))
		}
		return
	}
	before := l.now
	l.now, l.bad, l.badErr = &opened{Function: f, with: v, stop: stop}, nil, nil
	if len(v.Versions()) > 0 {
		slog.LogAttrs(ctx, slog.LevelInfo, "opened", slog.Any("settings_from_secrets", v.Names()),
			slog.Any("unread", unread(v.Names(), read)), slog.Any("versions", v.Versions()), slog.Int("ignored_members", v.Ignored()))
	}
	if before != nil && before.users == 0 {
		before.end(ctx)
	}
}

// unread returns the settings that the function did not look at: it needs no
// secret that holds nothing else.
func unread(names []string, read map[string]bool) []string {
	return slices.DeleteFunc(names, func(name string) bool { return read[name] })
}

// release ends the use of o, and o itself where another has taken its place.
func (l *late) release(ctx context.Context, o *opened) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.users--
	if o.users == 0 && o != l.now {
		o.end(ctx)
	}
}

// end closes o and logs where that fails: nobody is left to tell.
func (o *opened) end(ctx context.Context) {
	if err := o.close(); err != nil {
		slog.LogAttrs(ctx, slog.LevelError, "close", slog.String("cause", err.Error()))
	}
}

func (o *opened) close() error {
	o.stop()
	if o.Function.Close == nil {
		return nil
	}
	return o.Function.Close()
}

// with looks a setting up in the environment and then in v. The environment
// wins: it is what the deployment says about this one function, and the way out
// when a secret that many share is wrong.
func (l *late) with(v *secrets.Values) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if s, ok := l.lookup(name); ok && strings.TrimSpace(s) != "" {
			return s, true
		}
		s, ok := v.Lookup(name)
		return s.Reveal(), ok
	}
}

// renew is [config.Env.Renew] of everything opened here.
func (l *late) renew(ctx context.Context, name string) secret.String {
	v, err := l.keeper.Renew(ctx)
	if err != nil {
		return ""
	}
	s, _ := l.with(v)(name)
	return secret.String(s)
}

// fetch fetches, and logs a failure that nobody will hear of because there are
// values to go on with.
func (l *late) fetch(ctx context.Context) (*secrets.Values, error) {
	v, err := l.source(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && l.now != nil {
		slog.LogAttrs(ctx, slog.LevelError, "read the secrets again", slog.String("cause", err.Error()))
	}
	return v, err
}

// unopened is what stands for a function that cannot be opened because of err.
// The next event tries again.
func unopened(err error) Function {
	return Function{
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			slog.LogAttrs(r.Context(), slog.LevelError, "open", slog.String("cause", err.Error()))
			p := notOpen
			p.Instance, p.CorrelationID = r.URL.EscapedPath(), correlationID(r.Context(), r.Header)
			w.Header().Set("Retry-After", "1")
			p.send(w)
		}),
		Job:      func(context.Context, Event) error { return fmt.Errorf("open: %w", err) },
		Resource: func(context.Context, map[string]any) (map[string]any, error) { return nil, fmt.Errorf("open: %w", err) },
		Command:  func(context.Context, string) (any, error) { return nil, fmt.Errorf("open: %w", err) },
	}
}

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

// A lazy function is opened by its first event with settings from secrets, and reopened by
// the event that finds them changed. So a cold start fetches nothing, and a rotation
// reaches instances that are already running. It is safe for concurrent use.
type lazy struct {
	open   opener
	ctx    context.Context
	lookup func(string) (string, bool)
	source func(context.Context) (*secrets.Values, error)
	keeper *secrets.Keeper

	mu          sync.Mutex
	current     *opened         // nil until the function is opened
	rejected    *secrets.Values // opening failed with these; nil if it did not
	rejectedErr error
}

// opened is the result of one opening.
type opened struct {
	Function

	with  *secrets.Values
	stop  context.CancelFunc
	users int // events that are running in it
}

// newLazy returns a function that is opened by open, with settings from the environment
// (lookup) and from source.
func newLazy(
	ctx context.Context, lookup func(string) (string, bool),
	source func(context.Context) (*secrets.Values, error), open opener,
) *lazy {
	l := &lazy{open: open, ctx: ctx, lookup: lookup, source: source}
	l.keeper = secrets.NewKeeper(l.fetch)
	return l
}

// Invoke answers one event. If the function cannot be opened, it reports that in the form
// that suits the event.
func (l *lazy) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	o, err := l.acquire(ctx)
	if err != nil {
		return failedFunction(err).Invoke(ctx, payload)
	}
	defer l.release(ctx, o)
	return o.Invoke(ctx, payload)
}

// Close closes the current function, if any.
func (l *lazy) Close() error {
	l.mu.Lock()
	o := l.current
	l.current = nil
	l.mu.Unlock()
	if o == nil {
		return nil
	}
	return o.close()
}

// acquire returns the function for the current settings. If new settings cannot be read or
// are invalid, it returns the one for the previous settings.
func (l *lazy) acquire(ctx context.Context) (*opened, error) {
	ctx, cancel := withMargin(ctx)
	defer cancel()
	v, err := l.keeper.Values(ctx)
	if err == nil && l.neverOpened(v) {
		v, err = l.keeper.Renew(ctx) // the secret may have been corrected meanwhile
	}
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if (l.current == nil || l.current.with != v) && l.rejected != v {
		l.replace(ctx, v)
	}
	if l.current == nil {
		return nil, l.rejectedErr
	}
	l.current.users++
	return l.current, nil
}

// neverOpened reports whether no function was opened yet because v is invalid.
func (l *lazy) neverOpened(v *secrets.Values) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current == nil && l.rejected == v
}

// replace opens the function with v, and closes the previous one when its events are done.
// The caller holds l.mu: opening only wires and takes microseconds.
func (l *lazy) replace(ctx context.Context, v *secrets.Values) {
	read := map[string]bool{}
	lookup := l.lookupIn(v)
	env := config.New(func(name string) (string, bool) {
		read[name] = true
		return lookup(name)
	})
	env.RenewWith(l.renew)
	openCtx, stop := context.WithCancel(l.ctx)
	f, err := safeOpen(openCtx, env, l.open)
	if err != nil {
		stop()
		l.rejected, l.rejectedErr = v, err
		if l.current != nil {
			slog.LogAttrs(ctx, slog.LevelError, "open with new settings", slog.String("cause", err.Error()))
		}
		return
	}
	before := l.current
	l.current, l.rejected, l.rejectedErr = &opened{Function: f, with: v, stop: stop}, nil, nil
	if len(v.Versions()) > 0 {
		slog.LogAttrs(ctx, slog.LevelInfo, "opened", slog.Any("settings_from_secrets", v.Names()),
			slog.Any("unread", unread(v.Names(), read)), slog.Any("versions", v.Versions()), slog.Int("ignored_members", v.Ignored()))
	}
	if before != nil && before.users == 0 {
		before.end(ctx)
	}
}

// unread returns the settings that the function did not read. It does not need a secret
// that holds only those.
func unread(names []string, read map[string]bool) []string {
	return slices.DeleteFunc(names, func(name string) bool { return read[name] })
}

// release ends one use of o. It closes o after the last use if another has replaced it.
func (l *lazy) release(ctx context.Context, o *opened) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.users--
	if o.users == 0 && o != l.current {
		o.end(ctx)
	}
}

// end closes o. It logs a failure because there is no caller to return it to.
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

// lookupIn returns a lookup of settings in the environment and then in v. The environment
// wins: it is specific to this function, and it is the way out if a shared secret is
// wrong.
func (l *lazy) lookupIn(v *secrets.Values) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if s, ok := l.lookup(name); ok && strings.TrimSpace(s) != "" {
			return s, true
		}
		s, ok := v.Lookup(name)
		return s.Reveal(), ok
	}
}

// renew implements [config.Env.Renew] for everything opened here.
func (l *lazy) renew(ctx context.Context, name string) secret.String {
	v, err := l.keeper.Renew(ctx)
	if err != nil {
		return ""
	}
	s, _ := l.lookupIn(v)(name)
	return secret.String(s)
}

// fetch reads the secrets. It logs a failure if older values are in use, because no caller
// sees the error then.
func (l *lazy) fetch(ctx context.Context) (*secrets.Values, error) {
	v, err := l.source(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && l.current != nil {
		slog.LogAttrs(ctx, slog.LevelError, "read the secrets again", slog.String("cause", err.Error()))
	}
	return v, err
}

// failedFunction returns a stand-in for a function that cannot be opened because of err. The
// next event tries again.
func failedFunction(err error) Function {
	return Function{
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			slog.LogAttrs(r.Context(), slog.LevelError, "open", slog.String("cause", err.Error()))
			p := starting
			p.Instance, p.CorrelationID = r.URL.EscapedPath(), correlationID(r.Context(), r.Header)
			w.Header().Set("Retry-After", "1")
			p.send(w)
		}),
		Job:      func(context.Context, Event) error { return fmt.Errorf("open: %w", err) },
		Resource: func(context.Context, map[string]any) (map[string]any, error) { return nil, fmt.Errorf("open: %w", err) },
		Command:  func(context.Context, string) (any, error) { return nil, fmt.Errorf("open: %w", err) },
	}
}

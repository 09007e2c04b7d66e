package keys

import (
	"context"
	"log/slog"
	"os"
	"time"
)

// FollowInterval is how often a server reads its keys again: from files that may
// have been changed by `gateway keys`, by hand or by a mount, and because keys begin
// to sign at scheduled times. It is far below the time that a rotation allows for.
const FollowInterval = 2 * time.Second

// A Follower reads keys again periodically. While that fails, the present keys stay
// in use.
type Follower struct {
	Read  func(context.Context) error // reads the keys, and uses them if they are valid
	Every time.Duration
	Now   <-chan os.Signal // a signal triggers an additional read
	Log   *slog.Logger
}

// Run reads the keys until ctx ends. It logs a failure once, until the cause
// changes or reading succeeds again.
func (f Follower) Run(ctx context.Context) {
	ticker := time.NewTicker(f.Every)
	defer ticker.Stop()
	for logged := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-f.Now:
		}
		cause := ""
		if err := f.Read(ctx); err != nil {
			cause = err.Error()
		}
		if cause != logged && cause != "" {
			f.Log.LogAttrs(ctx, slog.LevelError, "the keys cannot be read again; those before stay in use", slog.String("cause", cause))
		} else if cause != logged {
			f.Log.LogAttrs(ctx, slog.LevelInfo, "the keys can be read again")
		}
		logged = cause
	}
}

package keys_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
)

func TestFollower_ReadsPeriodicallyAndAfterASignal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		signals := make(chan os.Signal, 1)
		time.AfterFunc(3*time.Second, func() { signals <- syscall.SIGHUP })
		began := time.Now()
		var reads []time.Duration
		keys.Follower{
			Read:  func(context.Context) error { reads = append(reads, time.Since(began)); return nil },
			Every: 2 * time.Second, Now: signals, Log: slog.New(slog.DiscardHandler),
		}.Run(ctx)
		if want := []time.Duration{2 * time.Second, 3 * time.Second, 4 * time.Second, 6 * time.Second, 8 * time.Second}; !slices.Equal(reads, want) {
			t.Errorf("read after %v, want %v", reads, want)
		}
	})
}

func TestFollower_LogsEachFailureOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken, missing := errors.New("broken"), errors.New("missing")
		results := []error{nil, broken, broken, missing, missing, nil, nil, broken, nil}
		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		keys.Follower{
			Read: func(context.Context) error {
				err := results[0]
				if results = results[1:]; len(results) == 0 {
					cancel()
				}
				return err
			},
			Every: time.Second,
			Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}})),
		}.Run(ctx)
		const failed, again = `level=ERROR msg="the keys cannot be read again; those before stay in use" cause=`, `level=INFO msg="the keys can be read again"`
		want := []string{failed + "broken", failed + "missing", again, failed + "broken", again}
		if got := strings.Split(strings.TrimSpace(log.String()), "\n"); !slices.Equal(got, want) {
			t.Errorf("logged\n%s\nwant\n%s", log.String(), strings.Join(want, "\n"))
		}
	})
}

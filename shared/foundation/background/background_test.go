package background_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/background"
)

var errDown = errors.New("the database is down")

// rounds runs the loop for the given time and returns when each round began.
func rounds(t *testing.T, l background.Loop, runFor time.Duration, round func(context.Context) error) []time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runFor)
	defer cancel()
	start := time.Now()
	var began []time.Duration
	l.Run(ctx, func(ctx context.Context) error {
		began = append(began, time.Since(start))
		return round(ctx)
	})
	return began
}

func idle(context.Context) error { return nil }

func TestRun_StartsAtOnceAndRepeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := rounds(t, background.Loop{Interval: time.Hour}, 150*time.Minute, func(context.Context) error {
			<-time.After(10 * time.Minute)
			return nil
		})
		// The pause is counted from the end of a round.
		if want := []time.Duration{0, 70 * time.Minute, 140 * time.Minute}; !slices.Equal(got, want) {
			t.Errorf("rounds began at %v, want %v", got, want)
		}
	})
}

func TestRun_AddsJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := rounds(t, background.Loop{Interval: time.Second, Jitter: time.Second}, time.Hour, idle)
		pauses := map[time.Duration]bool{}
		for i := range len(began) - 1 {
			pause := began[i+1] - began[i]
			pauses[pause] = true
			if pause < time.Second || pause >= 2*time.Second {
				t.Errorf("paused for %v, want at least 1s and less than 2s", pause)
			}
		}
		if len(pauses) < 1000 {
			t.Errorf("%d different pauses in an hour, want random ones", len(pauses))
		}
	})
}

func TestRun_WakesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		time.AfterFunc(time.Minute, func() { wake <- struct{}{} })
		got := rounds(t, background.Loop{Interval: time.Hour, Wake: wake}, 65*time.Minute, idle)
		if want := []time.Duration{0, time.Minute, 61 * time.Minute}; !slices.Equal(got, want) {
			t.Errorf("rounds began at %v, want %v", got, want)
		}
	})
}

func TestRun_DoesNotStartAfterCancellation(t *testing.T) {
	t.Parallel()
	if got := rounds(t, background.Loop{Interval: time.Hour}, 0, idle); len(got) != 0 {
		t.Errorf("%d rounds, want none", len(got))
	}
}

func TestRun_LogsFailuresAndContinues(t *testing.T) {
	var log bytes.Buffer
	usual := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(usual) })
	synctest.Test(t, func(t *testing.T) {
		down := func(context.Context) error { return errDown }
		if got := rounds(t, background.Loop{Failed: "clean up", Interval: time.Hour}, 90*time.Minute, down); len(got) != 2 {
			t.Errorf("%d rounds, want 2: a failure does not end the loop", len(got))
		}
		const want = `level=WARN msg="clean up" cause="the database is down"`
		if n := strings.Count(log.String(), want); n != 2 {
			t.Errorf("logged %q, want twice %q", log.String(), want)
		}

		log.Reset()
		level := func(error) slog.Level { return slog.LevelError }
		rounds(t, background.Loop{Failed: "clean up", Level: level, Interval: time.Hour}, time.Minute, down)
		if got := log.String(); !strings.Contains(got, "level=ERROR") {
			t.Errorf("logged %q, want the level of the loop", got)
		}

		log.Reset()
		rounds(t, background.Loop{Failed: "clean up"}, time.Minute, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if log.Len() != 0 {
			t.Errorf("logged %q for a round that the end of the process interrupted", log.String())
		}
	})
}

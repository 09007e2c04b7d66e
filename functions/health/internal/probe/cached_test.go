package probe_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voiceassist/gateway/functions/health/internal/probe"
)

func TestCached_ProbesOncePerTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		p := probe.Cached(func(context.Context) error {
			if asked++; asked == 1 {
				return errors.New("down")
			}
			return nil
		}, 5*time.Second)
		// Each step waits, then probes.
		for _, step := range []struct {
			wait  time.Duration
			want  string
			asked int
		}{
			{0, "down", 1},
			{4 * time.Second, "down", 1},
			{time.Second, "", 2},
			{4 * time.Second, "", 2},
			{time.Hour, "", 3},
		} {
			<-time.After(step.wait)
			if got := text(p(t.Context())); got != step.want || asked != step.asked {
				t.Errorf("%v later: got %q after %d probes, want %q after %d", step.wait, got, asked, step.want, step.asked)
			}
		}
	})
}

func TestCached_ConcurrentCallersShareOneProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked, answer := 0, make(chan error)
		p := probe.Cached(func(context.Context) error {
			asked++
			return <-answer
		}, time.Second)
		var wg sync.WaitGroup
		got := make([]string, 10)
		for i := range got {
			wg.Go(func() { got[i] = text(p(t.Context())) })
		}
		synctest.Wait()
		answer <- errors.New("down")
		wg.Wait()
		for _, g := range got {
			if g != "down" {
				t.Errorf("a caller got %q, want the shared result", g)
			}
		}
		if asked != 1 {
			t.Errorf("probed %d times, want once", asked)
		}
	})
}

func TestCached_OutlivesItsFirstCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := probe.Cached(func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}, time.Minute)
		first, leave := context.WithTimeout(t.Context(), time.Millisecond)
		defer leave()
		if got, want := text(p(first)), "no answer in time"; got != want {
			t.Errorf("canceled caller: got %q, want %q", got, want)
		}
		if err := p(t.Context()); err != nil {
			t.Errorf("other caller: got %v, want nil", err)
		}
	})
}

func TestCached_TimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := probe.Cached(func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, 0)
		start := time.Now()
		if err := p(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != probe.Timeout {
			t.Errorf("probe ended with %v after %v, want its deadline after %v", err, time.Since(start), probe.Timeout)
		}
	})
}

package ratelimit_test

import (
	"math"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/ratelimit"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestTake_AllowsABurstThenOnePerInterval(t *testing.T) {
	t.Parallel()
	l := ratelimit.PerMinute(5)
	var kept int64
	for i, step := range []struct {
		after time.Duration // noon
		want  bool
	}{
		{0, true}, {0, true}, {0, true}, {0, true}, {0, true}, {0, false},
		{12*time.Second - time.Microsecond, false}, {12 * time.Second, true}, {12 * time.Second, false},
		{24 * time.Second, true}, {time.Hour, true}, {time.Hour, true}, {time.Hour, true}, {time.Hour, true}, {time.Hour, true},
		{time.Hour, false},
	} {
		var got bool
		if kept, got = l.At(noon.Add(step.after)).Take(kept); got != step.want {
			t.Errorf("request %d, at %v: %v, want %v", i+1, step.after, got, step.want)
		}
	}
}

func TestTake_RefusalsCostNothing(t *testing.T) {
	t.Parallel()
	b := ratelimit.PerMinute(1).At(noon)
	first, _ := b.Take(0)
	again, allowed := b.Take(first)
	if allowed || again != first {
		t.Errorf("a refusal changed %d to %d, %v", first, again, allowed)
	}
}

func TestTake_ClockSetBackRefusesForOneInterval(t *testing.T) {
	t.Parallel()
	l := ratelimit.PerMinute(5)
	var kept int64
	for range 5 {
		kept, _ = l.At(noon.Add(time.Hour)).Take(kept)
	}
	kept, allowed := l.At(noon).Take(kept)
	if allowed {
		t.Error("allowed, want the burst exhausted")
	}
	if _, allowed = l.At(noon.Add(12 * time.Second)).Take(kept); !allowed {
		t.Error("a clock set back by an hour refuses for longer than one interval")
	}
}

// FuzzTake checks the rule for any stored value: it never allows more than the burst at once,
// and never refuses for longer than one interval.
func FuzzTake(f *testing.F) {
	f.Add(int64(0), uint16(5), uint32(60_000))
	f.Add(int64(math.MaxInt64), uint16(1), uint32(1))
	f.Add(noon.UnixMicro(), uint16(100), uint32(60_000))
	f.Fuzz(func(t *testing.T, kept int64, burst uint16, window uint32) {
		l := ratelimit.Limit{Burst: int(burst) + 1, Window: time.Duration(window+1) * time.Millisecond}
		passed, first := 0, kept
		for range l.Burst + 2 {
			next, ok := l.At(noon).Take(kept)
			if ok {
				passed++
			}
			if ok && next <= kept {
				t.Fatalf("an allowed request changed %d to %d", next, kept)
			}
			kept = next
		}
		if passed > l.Burst || first <= noon.UnixMicro() && passed != l.Burst {
			t.Errorf("%d requests pass at once with a burst of %d, after %d", passed, l.Burst, first)
		}
		later := noon.Add(l.Window/time.Duration(l.Burst) + time.Microsecond)
		if _, ok := l.At(later).Take(kept); !ok {
			t.Errorf("refused after an interval; stored %d", kept)
		}
	})
}

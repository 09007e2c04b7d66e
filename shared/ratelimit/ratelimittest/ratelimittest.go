// Package ratelimittest has the tests and benchmarks that every store of rate limits must
// pass.
package ratelimittest

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/ratelimit"
)

// Noon is the time at which the tests run.
var Noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// none is the time that a caller knows of a new key.
var none = time.UnixMicro(0)

// Key returns the n-th key, evenly distributed like a MAC.
func Key(n int) (k ratelimit.Key) {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	binary.BigEndian.PutUint64(k[:8], r.Uint64())
	binary.BigEndian.PutUint64(k[8:], uint64(n))
	return k
}

// TestStore tests that s decides as [ratelimit.Bounds.Take] does, for requests that come at
// once, late, and from clocks that are ahead or behind.
func TestStore(t *testing.T, s ratelimit.Store) {
	t.Helper()
	const steps = 300
	r := rand.New(rand.NewPCG(7, 7))
	limits := []ratelimit.Limit{ratelimit.PerMinute(1), ratelimit.PerMinute(5), ratelimit.PerMinute(7), ratelimit.PerMinute(100)}
	kept := map[int]int64{}
	now := Noon
	for i := range steps {
		n := r.IntN(len(limits))
		switch r.IntN(10) {
		case 0:
			now = now.Add(-time.Duration(r.IntN(200)) * time.Second)
		case 1:
			now = now.Add(time.Duration(r.IntN(200)) * time.Second)
		default:
			now = now.Add(time.Duration(r.IntN(3000)) * time.Millisecond / 2)
		}
		want, passes := limits[n].At(now).Take(kept[n])
		kept[n] = want
		got, allowed, err := s.Take(t.Context(), Key(n), limits[n], now, none)
		if err != nil {
			t.Fatal(err)
		}
		if got.UnixMicro() != want || allowed != passes {
			t.Fatalf("step %d, limit of %d: got %d and %v, want %d and %v", i, limits[n].Burst, got.UnixMicro(), allowed, want, passes)
		}
	}
	testLostKey(t, s)
}

// testLostKey tests that a store that has lost a key continues from what the caller knows.
func testLostKey(t *testing.T, s ratelimit.Store) {
	t.Helper()
	l := ratelimit.PerMinute(5)
	b := l.At(Noon)
	for i, known := range []int64{0, b.Now, b.Now + 1, b.Last, b.Last + 1, b.Full, b.Full + 1} {
		want, passes := b.Take(known)
		got, allowed, err := s.Take(t.Context(), Key(3000+i), l, Noon, time.UnixMicro(known))
		if err != nil {
			t.Fatal(err)
		}
		if got.UnixMicro() != want || allowed != passes {
			t.Errorf("a lost key that was kept until %d: got %d and %v, want %d and %v", known-b.Now, got.UnixMicro()-b.Now, allowed, want-b.Now, passes)
		}
	}
}

// TestConcurrency sends 50 concurrent requests of one key to the stores in turn, which share
// one server, and tests that exactly the burst passes.
func TestConcurrency(t *testing.T, stores ...ratelimit.Store) {
	t.Helper()
	const requests, burst = 50, 5
	for round := range 5 {
		var passed atomic.Int64
		var wg sync.WaitGroup
		for i := range requests {
			s := stores[i%len(stores)]
			wg.Go(func() {
				_, allowed, err := s.Take(t.Context(), Key(1000+round), ratelimit.PerMinute(burst), Noon, none)
				if err != nil {
					t.Error(err)
				}
				if allowed {
					passed.Add(1)
				}
			})
		}
		wg.Wait()
		if passed.Load() != burst {
			t.Errorf("round %d: %d of %d passed, want %d", round, passed.Load(), requests, burst)
		}
	}
}

// Benchmark measures a store with eight clients, on one key and on 100,000 keys.
func Benchmark(b *testing.B, s ratelimit.Store) {
	b.Helper()
	for name, keys := range map[string]int{"one key": 1, "100000 keys": 100_000} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(4) // for each of two processors
			var n atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := int(n.Add(1))
					_, _, err := s.Take(context.Background(), Key(i%keys), ratelimit.PerMinute(100), Noon.Add(time.Duration(i)*time.Microsecond), none)
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "takes/s")
		})
	}
}

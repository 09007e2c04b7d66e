package ratelimit_test

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/ratelimit"
)

// key returns the nth key, evenly distributed like MACs.
func key(n uint64) (k ratelimit.Key) {
	r := rand.New(rand.NewPCG(n, 1))
	binary.BigEndian.PutUint64(k[:8], r.Uint64())
	binary.BigEndian.PutUint64(k[8:], n)
	return k
}

func TestMemory_ConcurrentCallersShareOneBurst(t *testing.T) {
	t.Parallel()
	m, b := ratelimit.NewMemory(1000), ratelimit.PerMinute(5).At(noon)
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if m.Take(key(1), b).Allowed {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 5 {
		t.Errorf("%d of 50 passed, want 5", passed.Load())
	}
}

func TestMemory_ReportsWhatRemains(t *testing.T) {
	t.Parallel()
	m, l := ratelimit.NewMemory(1000), ratelimit.PerMinute(5)
	for want := 4; want >= 0; want-- {
		if d := m.Take(key(1), l.At(noon)); !d.Allowed || d.Remaining != want || d.Next != 12*time.Second {
			t.Errorf("got %+v, want %d remaining and the next in 12 s", d, want)
		}
	}
	if d := m.Take(key(1), l.At(noon.Add(time.Second))); d.Allowed || d.Remaining != 0 || d.Next != 11*time.Second {
		t.Errorf("got %+v, want a refusal and the next in 11 s", d)
	}
}

func TestMemory_IsBounded(t *testing.T) {
	t.Parallel()
	const capacity = 6400
	m, b := ratelimit.NewMemory(capacity), ratelimit.PerMinute(5).At(noon)
	for n := range uint64(100_000) {
		m.Take(key(n), b)
	}
	if m.Len() > capacity {
		t.Errorf("%d keys are kept, want at most %d", m.Len(), capacity)
	}
}

func TestMemory_ForgetsKeysWithAFullBurst(t *testing.T) {
	t.Parallel()
	m, l := ratelimit.NewMemory(ratelimit.Capacity), ratelimit.PerMinute(60)
	for n := range uint64(20_000) { // ten a second; each has its full burst after one second
		m.Take(key(n), l.At(noon.Add(time.Duration(n)*100*time.Millisecond)))
	}
	if m.Len() > 1000 {
		t.Errorf("%d keys are kept, want about ten", m.Len())
	}
}

// TestMemory_FloodOfOtherKeysResetsNoLimit attacks a bounded memory: it adds other keys until
// the attacker's own key would be forgotten.
func TestMemory_FloodOfOtherKeysResetsNoLimit(t *testing.T) {
	t.Parallel()
	const capacity = 6400
	m, b := ratelimit.NewMemory(capacity), ratelimit.PerMinute(5).At(noon)
	mine := key(1 << 60)
	for range 5 {
		m.Take(mine, b)
	}
	for n := range uint64(20 * capacity) { // one request each, twenty times the capacity
		m.Take(key(n), b)
	}
	if m.Take(mine, b).Allowed {
		t.Error("the flood reset an exhausted limit")
	}
}

func BenchmarkMemory_OneKey(b *testing.B) {
	m, l := ratelimit.NewMemory(ratelimit.Capacity), ratelimit.PerMinute(100)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Take(key(1), l.At(noon))
		}
	})
}

func BenchmarkMemory_100000Keys(b *testing.B) {
	m, l := ratelimit.NewMemory(ratelimit.Capacity), ratelimit.PerMinute(100)
	keys := make([]ratelimit.Key, 100_000)
	for i := range keys {
		keys[i] = key(uint64(i))
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := rand.IntN(len(keys)); pb.Next(); i++ {
			m.Take(keys[i%len(keys)], l.At(noon))
		}
	})
}

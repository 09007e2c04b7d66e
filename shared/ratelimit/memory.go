package ratelimit

import (
	"math/rand/v2"
	"sync"
)

// A Key identifies what is limited, in a form for stores; see [Limiter].
type Key [16]byte

// Capacity is how many keys a [Memory] keeps: about 8 MB.
const Capacity = 1 << 17

const (
	shards  = 64 // so that requests rarely wait for each other
	samples = 8  // when a shard is full, the least important of as many items is forgotten
)

// A Memory keeps limits in this process. It is safe for concurrent use and starts no
// goroutine.
//
// Its size is bounded. When it is full, a new key replaces one with an almost restored
// burst, so forgetting that key loses little. To have an exhausted key forgotten, an
// attacker must exhaust as many keys as the memory holds.
type Memory struct {
	shards [shards]shard
}

type shard struct {
	mu    sync.Mutex
	index map[Key]int32 // into items
	items []item
	limit int
}

type item struct {
	key  Key
	kept int64
}

// NewMemory returns an empty memory for that many keys, at least one for each shard.
func NewMemory(capacity int) *Memory {
	m := &Memory{}
	for i := range m.shards {
		m.shards[i] = shard{index: map[Key]int32{}, limit: max(1, capacity/shards)}
	}
	return m
}

// Take decides a request of the key and stores the new time.
func (m *Memory) Take(key Key, b Bounds) Decision {
	s := m.lock(key)
	defer s.mu.Unlock()
	next, allowed := b.Take(s.kept(key))
	s.keep(key, next, b.Now)
	return b.decide(next, allowed)
}

// Peek returns the time kept for the key, or 0 if there is none.
func (m *Memory) Peek(key Key) int64 {
	s := m.lock(key)
	defer s.mu.Unlock()
	return s.kept(key)
}

// Observe records the time that a store returned for the key, unless a later valid time is
// kept already.
func (m *Memory) Observe(key Key, said int64, b Bounds) {
	s := m.lock(key)
	defer s.mu.Unlock()
	if kept := s.kept(key); said > kept || kept > b.Full {
		s.keep(key, said, b.Now)
	}
}

// Len returns how many keys are kept.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.items)
		s.mu.Unlock()
	}
	return n
}

// lock returns the key's shard, locked. Keys are MACs, so one byte distributes them
// evenly.
func (m *Memory) lock(key Key) *shard {
	s := &m.shards[key[0]%shards]
	s.mu.Lock()
	return s
}

func (s *shard) kept(key Key) int64 {
	if i, ok := s.index[key]; ok {
		return s.items[i].kept
	}
	return 0
}

// keep stores the time for the key.
func (s *shard) keep(key Key, kept, now int64) {
	if i, ok := s.index[key]; ok {
		s.items[i].kept = kept
		return
	}
	// Restored items do not matter any more. Each new key checks two random items, which is
	// more than it adds, so restored items do not accumulate.
	for range min(2, len(s.items)) {
		if i := rand.IntN(len(s.items)); s.items[i].kept <= now {
			s.forget(i)
			if len(s.items) == 0 {
				break
			}
		}
	}
	if len(s.items) >= s.limit {
		s.forget(s.victim())
	}
	s.index[key] = int32(len(s.items))
	s.items = append(s.items, item{key, kept})
}

// victim returns the item that is restored first, of a random sample.
func (s *shard) victim() int {
	best := rand.IntN(len(s.items))
	for range samples - 1 {
		if i := rand.IntN(len(s.items)); s.items[i].kept < s.items[best].kept {
			best = i
		}
	}
	return best
}

func (s *shard) forget(i int) {
	delete(s.index, s.items[i].key)
	last := len(s.items) - 1
	if i != last {
		s.items[i] = s.items[last]
		s.index[s.items[i].key] = int32(i)
	}
	s.items = s.items[:last]
}

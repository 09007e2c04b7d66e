package ratelimit

import (
	"math/rand/v2"
	"sync"
)

// A Key is what is limited, as stores know it: see [Limiter].
type Key [16]byte

// Capacity is how many keys a [Memory] keeps: some 8 MB.
const Capacity = 1 << 17

const (
	shards  = 64 // so that requests rarely wait for each other
	samples = 8  // of which the most harmless is forgotten when a shard is full
)

// A Memory keeps limits in this process. It is safe for concurrent use, and has
// no goroutine.
//
// It is bounded. When it is full, a new key takes the place of one that is about
// to be at its full burst again, so what a forgotten key gains is little: to get
// an exhausted one forgotten, an attacker must exhaust as many keys as there is
// room for.
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

// NewMemory returns an empty memory for that many keys, at least one a shard.
func NewMemory(capacity int) *Memory {
	m := &Memory{}
	for i := range m.shards {
		m.shards[i] = shard{index: map[Key]int32{}, limit: max(1, capacity/shards)}
	}
	return m
}

// Take judges a request of the key and keeps what follows.
func (m *Memory) Take(key Key, b Bounds) Decision {
	s := m.lock(key)
	defer s.mu.Unlock()
	next, allowed := b.Take(s.kept(key))
	s.keep(key, next, b.Now)
	return b.decide(next, allowed)
}

// Peek returns what is kept for the key, 0 for nothing.
func (m *Memory) Peek(key Key) int64 {
	s := m.lock(key)
	defer s.mu.Unlock()
	return s.kept(key)
}

// Note keeps what a store said about the key, unless more is known already.
func (m *Memory) Note(key Key, said int64, b Bounds) {
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

// lock returns the key's shard, locked. Keys are MACs, so one byte spreads them.
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

// keep sets what is kept for the key.
func (s *shard) keep(key Key, kept, now int64) {
	if i, ok := s.index[key]; ok {
		s.items[i].kept = kept
		return
	}
	// Each new key looks at two others, and so at more than were added: what is
	// at its full burst again, which is as if it were not there, does not pile up.
	for range min(2, len(s.items)) {
		if i := rand.IntN(len(s.items)); s.items[i].kept <= now {
			s.forget(i)
			if len(s.items) == 0 {
				break
			}
		}
	}
	if len(s.items) >= s.limit {
		s.forget(s.harmless())
	}
	s.index[key] = int32(len(s.items))
	s.items = append(s.items, item{key, kept})
}

// harmless returns the item, of some, that is the first at its full burst again.
func (s *shard) harmless() int {
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

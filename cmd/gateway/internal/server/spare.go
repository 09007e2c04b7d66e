package server

import (
	"runtime"
	"sync"
	"time"
)

// spareTime is how long the processors remain after the last hash. To change their number
// stops all goroutines for a moment.
const spareTime = time.Second

// Spare gives Go a processor more for each hash that may run at once, while any does. On a
// shared processor, other goroutines would wait up to 10 ms, until the scheduler preempts the
// hash. The operating system has shorter time slices (ADR 17).
type Spare struct {
	usual, raised int

	mu     sync.Mutex
	hashes int // that run
	rest   *time.Timer
}

// NewSpare returns a Spare for so many hashes at once.
func NewSpare(hashes int) *Spare {
	usual := runtime.GOMAXPROCS(0)
	return &Spare{usual: usual, raised: usual + hashes}
}

// Hash raises GOMAXPROCS, if no hash ran before. The caller hashes, then calls done.
func (s *Spare) Hash() (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hashes++
	if s.rest == nil {
		runtime.GOMAXPROCS(s.raised)
		s.rest = time.AfterFunc(spareTime, s.lower)
	}
	s.rest.Stop()
	return s.done
}

func (s *Spare) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hashes--
	s.rest.Reset(spareTime)
}

// lower takes the processors back, if no hash has begun meanwhile.
func (s *Spare) lower() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hashes == 0 {
		runtime.GOMAXPROCS(s.usual)
		s.rest = nil
	}
}

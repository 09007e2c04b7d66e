package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A schedule says when requests are due. In a closed loop, each client sends its next
// request as soon as it has the response to the last one. In an open loop, requests
// are due at a fixed rate, however slow the responses are; whoever is free sends the
// next one. Latency counts from the time at which a request was due, so a server that
// stalls is charged for all requests that had to wait (no "coordinated omission").
type schedule struct {
	begin, end time.Time
	interval   time.Duration // 0: closed loop
	taken      atomic.Int64
}

func newSchedule(rate float64, d time.Duration) *schedule {
	s := &schedule{begin: time.Now()}
	s.end = s.begin.Add(d)
	if rate > 0 {
		s.interval = time.Duration(float64(time.Second) / rate)
	}
	return s
}

// next waits until the next request is due. It returns false when the time is over.
func (s *schedule) next() (due time.Time, ok bool) {
	if s.interval == 0 {
		due = time.Now()
		return due, due.Before(s.end)
	}
	due = s.begin.Add(time.Duration(s.taken.Add(1)-1) * s.interval)
	if !due.Before(s.end) {
		return due, false
	}
	if wait := time.Until(due); wait > 0 {
		<-time.After(wait)
	}
	return due, true
}

// drive lets each client send requests of the scenario until the schedule ends, and
// returns the latency of each request in ascending order. A failed request ends the
// measurement, since its numbers would mean nothing.
func drive(clients []*client, s scenario, when *schedule) ([]time.Duration, error) {
	var wg sync.WaitGroup
	latencies := make([][]time.Duration, len(clients))
	errs := make([]error, len(clients))
	for i, c := range clients {
		wg.Go(func() {
			for {
				due, ok := when.next()
				if !ok {
					return
				}
				if err := s.step(c); err != nil {
					errs[i] = fmt.Errorf("%s, client %d: %w", s.name, c.number, err)
					return
				}
				latencies[i] = append(latencies[i], time.Since(due))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	return all, nil
}

// each runs fn for each client, all at once.
func each(clients []*client, fn func(*client) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(clients))
	for i, c := range clients {
		wg.Go(func() { errs[i] = fn(c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

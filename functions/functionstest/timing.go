package functionstest

import "time"

// Longer returns how probable it is that one of a took longer than one of b: U
// of Mann and Whitney over all pairs. Alike it is 0.5, and 0 or 1 where every
// sample tells which it is. It looks at ranks, so a busy machine, which makes
// some samples of both very long, does not move it; with 100 samples of each,
// chance alone moves it by 0.04 (one standard deviation).
func Longer(a, b []time.Duration) float64 {
	var u float64
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				u++
			case x == y:
				u += 0.5
			}
		}
	}
	return u / float64(len(a)*len(b))
}

// Telling is how far from 0.5 [Longer] must be to count as told apart: five
// standard deviations of 100 samples each.
const Telling = 0.2

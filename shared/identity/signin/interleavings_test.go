package signin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/signin"
)

// start is when the logins of this file begin, and tick the unit of their clock.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const tick = 10 * time.Second

func at(tick_ int) time.Time { return start.Add(time.Duration(tick_) * tick) }

// A record is the complete history of a login: used[c] is the tick at which the token with
// counter c was first used.
type record struct{ used []int }

func (r record) counter() int { return len(r.used) }

// rotated returns the record after a use of its current token; r is unchanged.
func (r record) rotated(now int) record { return record{append(slices.Clip(r.used), now)} }

// login returns what the store keeps of r.
func (r record) login() signin.Login {
	l := signin.Login{Counter: int64(r.counter()), RotatedAt: start, ExpiresAt: start.Add(time.Hour)}
	for _, used := range slices.Backward(r.used) {
		l.Uses = append(l.Uses, at(used))
	}
	if len(l.Uses) > 0 {
		l.RotatedAt = l.Uses[0]
	}
	return l
}

// A rule reports whether the login of r gives out its current pair for the token with
// counter c, which is current or used.
type rule func(r record, c, now int) bool

const grace = 2 // ticks

func decided(r record, c, now int) bool {
	verdict := signin.Decide(r.login(), int64(c), at(now), grace*tick)
	return verdict == signin.Rotate || verdict == signin.Repeat
}

// documented is what the API promises: each token is valid until it is used, and for the
// grace period after its first use.
func documented(r record, c, now int) bool {
	return c == r.counter() || now-r.used[c] <= grace
}

// strict ends the grace period of a token when its successor is used.
func strict(r record, c, now int) bool {
	return c == r.counter() || c == r.counter()-1 && now-r.used[c] <= grace
}

// lax counts the grace period of every token from the last use of any.
func lax(r record, c, now int) bool {
	return c == r.counter() || now-r.used[r.counter()-1] <= grace
}

// TestDecide_MatchesTheDocumentedRule tries every interleaving of five presentations of any
// token by any client, with every pause in between, and a clock that is set back.
func TestDecide_MatchesTheDocumentedRule(t *testing.T) {
	t.Parallel()
	const presentations = 5
	compared := 0
	var play func(r record, now, left int)
	play = func(r record, now, left int) {
		if left == 0 || t.Failed() {
			return
		}
		for _, pause := range []int{0, 1, grace, grace + 1, -1} {
			now := now + pause
			for c := max(0, r.counter()-4); c <= r.counter(); c++ {
				compared++
				got, want := decided(r, c, now), documented(r, c, now)
				switch {
				case got != want:
					t.Errorf("uses at %v: token %d at %d accepted = %v, want %v", r.used, c, now, got, want)
				case want && c == r.counter():
					play(r.rotated(now), now, left-1)
				case want:
					play(r, now, left-1)
				}
			}
		}
	}
	play(record{}, 0, presentations)
	if compared < 100_000 {
		t.Errorf("compared only %d presentations", compared)
	}
}

// The owner's moves, one per tick.
const (
	rest     = iota
	refresh  // with the owner's token
	loseIt   // the same, but the response is lost
	allMoves // the number of moves
)

// TestDecide_GraceDoesNotHelpAThief lets a thief who copied the owner's token play optimally
// against every schedule of an owner, and checks how long the thief has access: at most as
// long as under the strict rule, where the thief only has to omit refreshes that a later
// refresh made useless. The lax rule shows that the game detects an advantage.
func TestDecide_GraceDoesNotHelpAThief(t *testing.T) {
	t.Parallel()
	const ticks = 5
	gains := map[string]int{}
	games, lost := 0, 0
	schedule := make([]int, ticks)
	var each func(n int)
	each = func(n int) {
		if n < ticks {
			for schedule[n] = range allMoves {
				each(n + 1)
			}
			return
		}
		for theft := range ticks {
			most := longest(strict, schedule, theft)
			for name, good := range map[string]rule{"decide": decided, "lax": lax} {
				if longest(good, schedule, theft) > most {
					gains[name]++
				}
			}
			games++
			if most < ticks-1 {
				lost++ // the owner's refresh ended it
			}
		}
	}
	each(0)
	if gains["decide"] != 0 {
		t.Errorf("in %d of %d games the thief has access longer than under the strict rule", gains["decide"], games)
	}
	if gains["lax"] == 0 || lost == 0 {
		t.Errorf("the game proves nothing: the thief gains %d times under the lax rule, and loses %d times under the strict one", gains["lax"], lost)
	}
	t.Logf("%d games, %d ended by the strict rule; gains: %v", games, lost, gains)
}

// A game is a thief's game against one schedule of the owner under one rule.
type game struct {
	good     rule
	schedule []int
	theft    int // the tick before which the owner's token is copied
	seen     map[position]int
}

// A position is all that the rest of a game depends on.
type position struct {
	now    int
	owner  int      // the counter of the owner's token
	thief  uint32   // the counters of the thief's tokens, one bit each
	used   [16]int8 // from the record
	length int      // of used
}

// longest returns the last tick at which the best thief gets a pair, or -1 for never.
func longest(good rule, schedule []int, theft int) int {
	g := game{good: good, schedule: schedule, theft: theft, seen: map[position]int{}}
	return g.play(record{}, 0, 0, 0)
}

func (g *game) play(r record, now, owner int, thief uint32) int {
	if now == len(g.schedule) {
		return -1
	}
	if now == g.theft {
		thief |= 1 << owner
	}
	p := position{now: now, owner: owner, thief: thief, length: r.counter()}
	for i, used := range r.used {
		p.used[i] = int8(used)
	}
	if best, known := g.seen[p]; known {
		return best
	}
	best := -1
	g.moves(r, now, thief, func(r record, thief uint32, before int) {
		best = max(best, before)
		next, owner := r, owner
		if move := g.schedule[now]; move != rest {
			if !g.good(r, owner, now) {
				return // the login has ended
			}
			if owner == r.counter() {
				next = r.rotated(now)
			}
			if move == refresh {
				owner = next.counter()
			}
		}
		g.moves(next, now, thief, func(r record, thief uint32, after int) {
			best = max(best, after, g.play(r, now+1, owner, thief))
		})
	})
	g.seen[p] = best
	return best
}

// moves calls then for each thing that the thief can do now without ending the login:
// nothing, or presenting one of the stolen tokens. got is now if that yielded a pair, else
// -1.
func (g *game) moves(r record, now int, thief uint32, then func(r record, thief uint32, got int)) {
	then(r, thief, -1)
	for c := range r.counter() + 1 {
		if thief&(1<<c) == 0 || !g.good(r, c, now) {
			continue
		}
		next := r
		if c == r.counter() {
			next = r.rotated(now)
		}
		then(next, thief|1<<next.counter(), now)
	}
}

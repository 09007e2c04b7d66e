package keystore

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// A Key is a secret, or a private key in PEM.
type Key struct {
	Text      secret.String
	Published time.Time // when verifiers began to accept it
	Signs     time.Time // when it begins to sign; it ends when the next key begins. Zero: not scheduled
}

// Keys are the keys of one kind, oldest first. All are accepted; one signs.
type Keys []Key

// validate returns an error unless a rotation can have produced the keys.
func (k Keys) validate(name string) error {
	for i, key := range k {
		switch {
		case key.Text == "" || key.Published.IsZero():
			return fmt.Errorf("key %d of %s lacks a member", i+1, name)
		case key.Signs.IsZero() && (i == 0 || i < len(k)-1):
			return fmt.Errorf("key %d of %s signs since no time, and is not the next", i+1, name)
		case i > 0 && !key.Signs.IsZero() && key.Signs.Before(k[i-1].Signs):
			return fmt.Errorf("key %d of %s signs before the one before it", i+1, name)
		}
	}
	return nil
}

// Split returns the key that signs at the given time, and the keys before and
// after it. It panics if there are no keys.
func (k Keys) Split(now time.Time) (previous Keys, signing Key, next Keys) {
	at := 0 // also if the clock was set back to before the first key
	for i, key := range k {
		if !key.Signs.IsZero() && !key.Signs.After(now) {
			at = i
		}
	}
	return k[:at], k[at], k[at+1:]
}

// A Plan says how long the phases of a rotation take.
type Plan struct {
	// Publish is how long a new key is accepted before it may sign. 0 is for keys
	// that only gateways verify with: those sign after Reload, without a separate
	// step.
	Publish time.Duration
	// Reload is the time within which every process has read the file again.
	Reload time.Duration
	// Retain is how long an old key is still needed after its last signature.
	Retain time.Duration
	// MinAge is how long a key signs before the next rotation begins.
	MinAge time.Duration
}

// A Step is a step of a rotation.
type Step string

// The steps in their order.
const (
	Begin   Step = "begin"   // creates the first key, which signs at once
	Publish Step = "publish" // creates the next key, which is accepted
	Sign    Step = "sign"    // lets the next key sign
	Remove  Step = "remove"  // removes the previous keys
)

// Next returns the next step, and when it is due.
func (k Keys) Next(p Plan) (Step, time.Time) {
	if len(k) == 0 {
		return Begin, time.Time{}
	}
	last := k[len(k)-1]
	switch {
	case last.Signs.IsZero():
		return Sign, last.Published.Add(p.Publish)
	case len(k) > 1:
		return Remove, last.Signs.Add(p.Retain)
	}
	return Publish, last.Signs.Add(p.MinAge)
}

// Apply returns the keys after the step, which must be the next one; Apply does
// not check that it is due. It calls generate for the text of a new key.
func (k Keys) Apply(step Step, p Plan, now time.Time, generate func() (secret.String, error)) (Keys, error) {
	if next, _ := k.Next(p); next != step {
		return nil, errors.New("keystore: not the next step: " + string(step))
	}
	now = now.UTC().Truncate(time.Second)
	after := slices.Clone(k)
	switch step {
	case Sign:
		after[len(after)-1].Signs = now
		return after, nil
	case Remove:
		return after[len(after)-1:], nil
	}
	text, err := generate()
	if err != nil {
		return nil, err
	}
	key := Key{Text: text, Published: now}
	switch {
	case step == Begin:
		key.Signs = now
	case p.Publish == 0:
		key.Signs = now.Add(p.Reload)
	}
	return append(after, key), nil
}

// A State is the phase of a key's life.
type State string

// The states, in the order in which a key has them.
const (
	StateNext     State = "next"     // accepted, does not sign yet
	StateSigns    State = "signs"    // signs, and is accepted
	StatePrevious State = "previous" // still accepted
)

// A Status is the state of one key.
type Status struct {
	State State
	Since time.Time // when the state began
	// Until is when the state may end at the earliest: when the next key may sign, or
	// a previous key may be removed. Zero if that is not scheduled.
	Until time.Time
	// Ready reports, for the next key, whether Until has passed.
	Ready bool
}

// States returns the status of each key at the given time, in the order of the
// keys.
func (k Keys) States(p Plan, now time.Time) []Status {
	if len(k) == 0 {
		return nil
	}
	states := make([]Status, len(k))
	step, due := k.Next(p)
	previous, _, next := k.Split(now)
	for i, key := range k {
		s := &states[i]
		switch {
		case i < len(previous):
			*s = Status{State: StatePrevious, Since: k[i+1].Signs}
			if step == Remove {
				s.Until = due
			}
		case i < len(k)-len(next):
			*s = Status{State: StateSigns, Since: key.Signs}
		default:
			*s = Status{State: StateNext, Since: key.Published, Until: key.Signs}
			if step == Sign {
				s.Until = due
			}
			s.Ready = !now.Before(s.Until)
		}
	}
	return states
}

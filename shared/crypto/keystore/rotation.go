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
	Published time.Time // since when it is accepted
	Signs     time.Time // since when it signs, until the next one does; zero for not yet
}

// Keys are those of one kind, the oldest first. All are accepted; one signs.
type Keys []Key

// check returns an error where no rotation leaves such keys.
func (k Keys) check(what string) error {
	for i, key := range k {
		switch {
		case key.Text == "" || key.Published.IsZero():
			return fmt.Errorf("key %d of %s lacks a member", i+1, what)
		case key.Signs.IsZero() && (i == 0 || i < len(k)-1):
			return fmt.Errorf("key %d of %s signs since no time, and is not the next", i+1, what)
		case i > 0 && !key.Signs.IsZero() && key.Signs.Before(k[i-1].Signs):
			return fmt.Errorf("key %d of %s signs before the one before it", i+1, what)
		}
	}
	return nil
}

// Split returns the key that signs at now, with those before and after it. There
// must be keys.
func (k Keys) Split(now time.Time) (previous Keys, signing Key, next Keys) {
	at := 0 // also where the clock went back
	for i, key := range k {
		if !key.Signs.IsZero() && !key.Signs.After(now) {
			at = i
		}
	}
	return k[:at], k[at], k[at+1:]
}

// A Plan is how long the parts of a rotation take.
type Plan struct {
	// Publish is how long a new key is accepted before it may sign. 0 is for keys
	// that nobody but the gateway checks: they sign when every process has read
	// them, without a step of its own.
	Publish time.Duration
	// Settle is the time in which every process has read the file again.
	Settle time.Duration
	// Keep is how long an old key is needed after it signed for the last time.
	Keep time.Duration
	// Rest is how long a key signs before a rotation begins again.
	Rest time.Duration
}

// A Step is a part of a rotation.
type Step string

// The steps, in their order.
const (
	Begin   Step = "begin"   // the first key, which signs at once
	Publish Step = "publish" // a new key, which is accepted
	Sign    Step = "sign"    // it signs from now on
	Remove  Step = "remove"  // the old key is forgotten
)

// Next returns the step that comes next, and when its time has come.
func (k Keys) Next(p Plan) (Step, time.Time) {
	if len(k) == 0 {
		return Begin, time.Time{}
	}
	last := k[len(k)-1]
	switch {
	case last.Signs.IsZero():
		return Sign, last.Published.Add(p.Publish)
	case len(k) > 1:
		return Remove, last.Signs.Add(p.Keep)
	}
	return Publish, last.Signs.Add(p.Rest)
}

// Do returns the keys after a step, which must be the next one. fresh makes the
// text of a new key.
func (k Keys) Do(step Step, p Plan, now time.Time, fresh func() (secret.String, error)) (Keys, error) {
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
	text, err := fresh()
	if err != nil {
		return nil, err
	}
	key := Key{Text: text, Published: now}
	switch {
	case step == Begin:
		key.Signs = now
	case p.Publish == 0:
		key.Signs = now.Add(p.Settle)
	}
	return append(after, key), nil
}

package password

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/fault"
)

// Cost is the default cost of bcrypt: about 250 ms of one core in 2025.
const Cost = 12

// queuePerSlot is how many wait for each hash that runs: at the default cost
// the last of them gets its turn within some 4 seconds.
const queuePerSlot = 16

// ErrBusy is returned when the queue is full.
var ErrBusy = fault.New(fault.Unavailable, "busy",
	"Too many passwords are being checked right now; try again shortly.").After(2 * time.Second)

// A Hasher hashes and checks passwords, a bounded number at a time, so that a
// flood of logins leaves the other cores to other calls. It is safe for
// concurrent use.
type Hasher struct {
	cost  int
	slots chan struct{} // holds one for each hash that runs
	queue chan struct{} // holds one for each call that runs or waits
	dummy func() config.Secret
}

// New returns a hasher of that cost, which runs slots hashes at once and lets
// queue calls wait.
func New(cost, slots, queue int) *Hasher {
	return &Hasher{
		cost:  cost,
		slots: make(chan struct{}, slots),
		queue: make(chan struct{}, slots+queue),
		dummy: sync.OnceValue(func() config.Secret {
			hash, err := bcrypt.GenerateFromPassword([]byte("nobody's password"), cost)
			if err != nil {
				panic("password: " + err.Error()) // a cost that bcrypt does not take
			}
			return config.Secret(hash)
		}),
	}
}

// Read returns the hasher that BCRYPT_COST (12; 10 to 16) asks for, with one
// slot for each core that Go may use.
func Read(env *config.Env) *Hasher {
	slots := runtime.GOMAXPROCS(0)
	return New(env.Int("BCRYPT_COST", Cost, 10, 16), slots, queuePerSlot*slots)
}

// Hash returns the bcrypt hash of p, [ErrBusy], or the error of ctx.
func (h *Hasher) Hash(ctx context.Context, p Password) (config.Secret, error) {
	return h.hash(ctx, p.Reveal())
}

// Rehash returns a new hash of a password that Verify accepted: one that was
// good enough when it was set stays so.
func (h *Hasher) Rehash(ctx context.Context, plain config.Secret) (config.Secret, error) {
	return h.hash(ctx, norm.NFC.String(plain.Reveal()))
}

func (h *Hasher) hash(ctx context.Context, plain string) (hash config.Secret, err error) {
	err = h.enter(ctx, func() error {
		b, err := bcrypt.GenerateFromPassword([]byte(plain), h.cost)
		hash = config.Secret(b)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// Verify returns nil when plain is the password of hash, else [ErrMismatch]; or
// [ErrBusy], or the error of ctx. The empty hash, of nobody, costs the same as
// any other and never matches; so does a text longer than bcrypt looks at.
func (h *Hasher) Verify(ctx context.Context, hash, plain config.Secret) error {
	text := []byte(norm.NFC.String(plain.Reveal()))
	matchable := hash != "" && len(text) <= MaxLength
	return h.enter(ctx, func() error {
		against := hash
		if hash == "" {
			against = h.dummy()
		}
		err := bcrypt.CompareHashAndPassword([]byte(against.Reveal()), text[:min(len(text), MaxLength)])
		switch {
		case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword), err == nil && !matchable:
			return ErrMismatch
		case err != nil:
			return fmt.Errorf("verify password: %w", err)
		}
		return nil
	})
}

// NeedsRehash reports whether the hash was made at a lower cost than today's.
func (h *Hasher) NeedsRehash(hash config.Secret) bool {
	cost, err := bcrypt.Cost([]byte(hash.Reveal()))
	return err == nil && cost < h.cost
}

// enter runs work when a slot is free.
func (h *Hasher) enter(ctx context.Context, work func() error) error {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return ErrBusy
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err // both were ready; the caller has left
	}
	return work()
}

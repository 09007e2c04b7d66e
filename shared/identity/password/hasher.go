package password

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/breach"
)

// The bounds of BCRYPT_COST. Each step doubles the time of a hash; cost 12 takes
// about a quarter of a second.
const (
	DefaultCost = 12
	minCost     = 10 // OWASP Password Storage Cheat Sheet
	maxCost     = 16
)

const (
	queuePerSlot = 16     // waits 4 to 6 s at the default cost
	maxQueue     = 100000 // calls; more would only use up memory
)

// ErrMismatch is returned if the password does not match the hash, or there is
// no hash. Callers translate it for their clients.
var ErrMismatch = errors.New("password mismatch")

// A Hasher hashes and verifies passwords with bcrypt. It is safe for concurrent
// use.
type Hasher struct {
	Breaches *breach.Checker     // refuses new passwords; nil for none
	Begin    func() (end func()) // called before each hash, and end after it; nil for nothing

	// Wait is called before each call waits for its turn, and end when the turn has come, or
	// with the error of a call whose turn never comes; nil for nothing.
	Wait func(context.Context) (end func(error))

	cost      int
	queue     queue
	dummyHash []byte // stands in for the hash of an unknown account

	generate func(plain []byte, cost int) ([]byte, error)
	compare  func(hash, plain []byte) error
}

// NewHasher returns a hasher with a cost from [bcrypt.MinCost] to
// [bcrypt.MaxCost], which runs at most slots calls at once and lets at most
// queue calls wait.
func NewHasher(cost, slots, queue int) *Hasher {
	if !defense.HashCost {
		cost = bcrypt.MinCost
	}
	return &Hasher{
		cost:      cost,
		queue:     newQueue(slots, queue),
		dummyHash: dummyHash(cost),
		generate:  bcrypt.GenerateFromPassword,
		compare:   bcrypt.CompareHashAndPassword,
	}
}

// dummyHash returns a well-formed hash of that cost which matches no known password. It
// is a constant, because computing it would delay the first unknown account.
func dummyHash(cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat(".", 53))
}

// Settings bound password hashing.
type Settings struct {
	// Slots is how many calls run at once. A value set before Load stays; otherwise it is one
	// less than the processors, so that one is left to everything else, and at least one.
	Slots int
	Cost  int // of bcrypt; each step doubles the time
	Queue int // how many calls may wait

	Breaches breach.Settings
}

// Load loads BCRYPT_COST, PASSWORD_QUEUE and PWNED_PASSWORDS_URL.
func (s *Settings) Load(r setting.Reader) {
	if s.Slots == 0 {
		s.Slots = max(1, runtime.GOMAXPROCS(0)-1)
	}
	s.Cost = r.Int("BCRYPT_COST", DefaultCost, minCost, maxCost)
	s.Queue = r.Int("PASSWORD_QUEUE", queuePerSlot*s.Slots, 0, maxQueue)
	s.Breaches.Load(r)
}

// Hasher returns a hasher with these settings.
func (s Settings) Hasher() *Hasher {
	h := NewHasher(s.Cost, s.Slots, s.Queue)
	h.Breaches = s.Breaches.Checker()
	return h
}

// Slots returns how many calls run at once. Each keeps one processor of Go
// (GOMAXPROCS) busy.
func (h *Hasher) Slots() int { return cap(h.queue.running) }

// Load returns how many calls run and how many wait now.
func (h *Hasher) Load() (running, waiting int) {
	running = len(h.queue.running)
	return running, max(0, len(h.queue.admitted)-running)
}

// Busy returns [ErrBusy] if so many calls wait that another one would be refused.
// It keeps no place: a request that passes may still be refused, after its work.
func (h *Hasher) Busy() error {
	if h.queue.full() {
		return ErrBusy
	}
	return nil
}

// Hash returns the hash of p to store, which is a new password of an account. It
// returns [ErrBreached], [ErrBusy], the error of ctx if that ends while the call
// waits, or an error for the zero Password. [InField] makes the first the fault of a
// field.
func (h *Hasher) Hash(ctx context.Context, p Password) (secret.String, error) {
	if p.plain == "" {
		return "", errors.New("hash password: it was never parsed")
	}
	if h.Breaches.Breached(ctx, p.plain) {
		return "", ErrBreached
	}
	return h.hash(ctx, p.plain.Reveal())
}

// InField returns the error of [Hasher.Hash] for a password that a request has in the
// field: [ErrBreached] becomes a fault that names it, as if [Parse] had refused the
// password. Other errors stay as they are.
func InField(field string, err error) error {
	if !errors.Is(err, ErrBreached) {
		return err
	}
	var wrong fault.Fields
	wrong.Parse(field, err)
	return wrong.Err()
}

// Rehash returns a hash at the present cost of a password that was just
// verified. It does not check the password rules, which may be younger than the
// password. Errors are those of [Hasher.Hash].
func (h *Hasher) Rehash(ctx context.Context, verified secret.String) (secret.String, error) {
	plain, ok := normalize(verified.Reveal())
	if !ok {
		return "", fmt.Errorf("rehash password: %w", ErrMismatch)
	}
	return h.hash(ctx, plain)
}

func (h *Hasher) hash(ctx context.Context, plain string) (secret.String, error) {
	var hash []byte
	err := h.do(ctx, func() (err error) {
		hash, err = h.generate([]byte(plain), h.cost)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return secret.String(hash), nil
}

// do runs a hash when its turn comes.
func (h *Hasher) do(ctx context.Context, hash func() error) error {
	waited := func(error) {}
	if h.Wait != nil {
		waited = h.Wait(ctx)
	}
	ran := false
	err := h.queue.do(ctx, func() error {
		ran = true
		waited(nil)
		if h.Begin != nil {
			defer h.Begin()()
		}
		return hash()
	})
	if !ran {
		waited(err)
	}
	return err
}

// Verify returns nil if plain is the password of the hash, and [ErrMismatch]
// otherwise. An empty hash, as of an unknown account, and a plain that no
// account can have never match, but cost the same bcrypt computation. Verify
// returns [ErrBusy], the error of ctx if that ends while the call waits, or an
// error if hash is not a bcrypt hash.
func (h *Hasher) Verify(ctx context.Context, hash, plain secret.String) error {
	stored, known := []byte(hash.Reveal()), hash != ""
	if !known {
		stored = h.dummyHash
	}
	if !known && !defense.HashForEveryLogin {
		return ErrMismatch
	}
	typed, possible := normalize(plain.Reveal())
	var mismatch error
	err := h.do(ctx, func() error {
		mismatch = h.compare(stored, []byte(typed))
		if mismatch != nil && defense.HashForEveryLogin {
			h.compareAtHigherCosts(stored, []byte(typed))
		}
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("verify password: %w", err)
	case errors.Is(mismatch, bcrypt.ErrMismatchedHashAndPassword), mismatch == nil && !(known && possible):
		return ErrMismatch
	case mismatch != nil:
		return fmt.Errorf("verify password: %w", mismatch)
	}
	return nil
}

// compareAtHigherCosts takes the time that the comparison with stored lacks, if the hash
// has a lower cost than others, as imported ones may have. Otherwise a wrong password for
// such an account would be refused sooner than for an unknown one. Each cost takes twice
// the time of the one before, so all from that of stored up to the present one make up
// the difference exactly.
func (h *Hasher) compareAtHigherCosts(stored, typed []byte) {
	cost, err := bcrypt.Cost(stored)
	for ; err == nil && cost < h.cost; cost++ {
		_ = h.compare(dummyHash(cost), typed)
	}
}

// NeedsRehash reports whether the cost of hash is lower than the present one.
func (h *Hasher) NeedsRehash(hash secret.String) bool {
	cost, err := bcrypt.Cost([]byte(hash.Reveal()))
	return err == nil && cost < h.cost
}

// Normalize returns a verified password in Unicode NFC, the form in which
// [Parse] passes passwords to other systems.
func Normalize(verified secret.String) secret.String {
	plain, _ := normalize(verified.Reveal())
	return secret.String(plain)
}

// normalize returns plain as [Parse] would, cut to the bytes that bcrypt uses,
// and whether it can be a password at all. A longer text, or one with the NUL
// that ends the key of bcrypt, could otherwise match another password.
func normalize(plain string) (typed string, possible bool) {
	if len(plain) > maxInput {
		return plain[:MaxBytes], false
	}
	typed = norm.NFC.String(plain)
	if len(typed) > MaxBytes {
		return typed[:MaxBytes], false
	}
	return typed, typed != "" && !strings.ContainsRune(typed, 0)
}

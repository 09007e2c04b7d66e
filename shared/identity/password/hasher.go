package password

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// The bounds of BCRYPT_COST. Each step doubles the time; 12 takes about a
// quarter of a second.
const (
	DefaultCost = 12
	minCost     = 10 // OWASP Password Storage Cheat Sheet
	maxCost     = 16
)

const (
	queuePerSlot = 16     // some 4 to 6 s of waiting at the default cost
	maxQueue     = 100000 // calls; past that it is memory, not patience
)

// ErrMismatch says that the password is not the one of the hash, or that there
// is no hash. Callers turn it into an answer of their own.
var ErrMismatch = errors.New("password mismatch")

// A Hasher hashes and verifies passwords with bcrypt. It is safe for concurrent
// use.
type Hasher struct {
	cost      int
	queue     queue
	dummyHash []byte // what stands for the hash of an account that is not there

	generate func(plain []byte, cost int) ([]byte, error)
	compare  func(hash, plain []byte) error
}

// NewHasher returns a hasher that hashes at the cost, [bcrypt.MinCost] to
// [bcrypt.MaxCost], and lets at most slots calls run and queue calls wait.
func NewHasher(cost, slots, queue int) *Hasher {
	if !defense.HashCost {
		cost = bcrypt.MinCost
	}
	return &Hasher{
		cost:  cost,
		queue: newQueue(slots, queue),
		// In form a hash of the cost, and of no password that anybody could find.
		// It is written, not computed, so that the first stranger is not refused
		// later than the second.
		dummyHash: fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat(".", 53)),
		generate:  bcrypt.GenerateFromPassword,
		compare:   bcrypt.CompareHashAndPassword,
	}
}

// Read returns the hasher that the environment asks for: BCRYPT_COST, and
// PASSWORD_QUEUE, how many may wait. As many run as there are processors, but
// for one that is left to everything else.
func Read(env *config.Env) *Hasher {
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	return NewHasher(
		env.Int("BCRYPT_COST", DefaultCost, minCost, maxCost),
		slots,
		env.Int("PASSWORD_QUEUE", queuePerSlot*slots, 0, maxQueue),
	)
}

// Slots returns how many calls run at once at most, each of which keeps one of
// Go's processors (GOMAXPROCS) busy until it is through.
func (h *Hasher) Slots() int { return cap(h.queue.running) }

// Hash returns the hash under which to store p. It fails with [ErrBusy], with
// the error of ctx when that ends while it waits, and for the zero Password.
func (h *Hasher) Hash(ctx context.Context, p Password) (secret.String, error) {
	if p.plain == "" {
		return "", errors.New("hash password: it was never parsed")
	}
	return h.hash(ctx, p.plain.Reveal())
}

// Rehash returns a hash at the present cost of a password that was just
// verified. It asks no more of it than that: rules that came later do not hold
// for passwords that were there before. Errors are those of [Hasher.Hash].
func (h *Hasher) Rehash(ctx context.Context, verified secret.String) (secret.String, error) {
	plain, ok := normalize(verified.Reveal())
	if !ok {
		return "", fmt.Errorf("rehash password: %w", ErrMismatch)
	}
	return h.hash(ctx, plain)
}

func (h *Hasher) hash(ctx context.Context, plain string) (secret.String, error) {
	var hash []byte
	err := h.queue.do(ctx, func() (err error) {
		hash, err = h.generate([]byte(plain), h.cost)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return secret.String(hash), nil
}

// Verify returns nil if plain is the password of the hash, else [ErrMismatch].
// The empty hash, that of an account which does not exist, and a plain that no
// account can have cost the same bcrypt as any other and never match. It fails
// with [ErrBusy], with the error of ctx when that ends while it waits, and
// where hash is no bcrypt hash.
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
	err := h.queue.do(ctx, func() error {
		mismatch = h.compare(stored, []byte(typed))
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

// NeedsRehash reports whether hash was made at a lower cost than hashes are
// made now.
func (h *Hasher) NeedsRehash(hash secret.String) bool {
	cost, err := bcrypt.Cost([]byte(hash.Reveal()))
	return err == nil && cost < h.cost
}

// Normalize returns a password that was verified as other systems got it from
// [Parse]: in Unicode's form NFC.
func Normalize(verified secret.String) secret.String {
	plain, _ := normalize(verified.Reveal())
	return secret.String(plain)
}

// normalize returns plain as [Parse] would, cut to what bcrypt looks at, and
// whether it can be a password at all. What is too long, or holds the NUL with
// which bcrypt ends its key, could otherwise pass for another one.
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

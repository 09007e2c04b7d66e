package password_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/password"
)

const cheap = bcrypt.MinCost

func hash(t *testing.T, h *password.Hasher, plain string) secret.String {
	t.Helper()
	p, err := password.Parse(plain, "")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := h.Hash(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func TestVerify(t *testing.T) {
	t.Parallel()
	h := password.NewHasher(cheap, 4, 100)
	long := strings.Repeat("aB3$", 18) // 72 bytes: all that bcrypt reads
	stored, of72 := hash(t, h, "corrécte horse"), hash(t, h, long)
	for _, test := range []struct {
		name        string
		hash, plain secret.String
		want        error
	}{
		{"the password", stored, "corrécte horse", nil},
		{"the password in decomposed form", stored, "corre\u0301cte horse", nil},
		{"another password", stored, "correcte horse", password.ErrMismatch},
		{"another case", stored, "Corrécte horse", password.ErrMismatch},
		{"nothing", stored, "", password.ErrMismatch},
		{"the hash itself", stored, stored, password.ErrMismatch},
		{"72 bytes", of72, secret.String(long), nil},
		{"73 bytes", of72, secret.String(long + "x"), password.ErrMismatch},
		{"72 bytes and a megabyte", of72, secret.String(long + strings.Repeat("x", 1<<20)), password.ErrMismatch},
		{"NUL and a suffix", of72, secret.String(long[:71] + "\x00"), password.ErrMismatch},
		{"an unknown account", "", "corrécte horse", password.ErrMismatch},
		{"an unknown account and an empty password", "", "", password.ErrMismatch},
	} {
		if err := h.Verify(t.Context(), test.hash, test.plain); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
	if err := h.Verify(t.Context(), "no bcrypt hash", "x"); err == nil || errors.Is(err, password.ErrMismatch) {
		t.Errorf("invalid hash: got %v", err)
	}
}

// TestVerify_CostsTheSameForUnknownAccounts checks that an unknown account, and a text that
// cannot be a password, run one bcrypt at the cost of a real one, so that the response
// time reveals nothing.
func TestVerify_CostsTheSameForUnknownAccounts(t *testing.T) {
	t.Parallel()
	const cost = cheap + 1
	h := password.NewHasher(cost, 1, 10)
	stored := hash(t, h, "correct horse")
	for name, test := range map[string]struct{ hash, plain secret.String }{
		"the password":              {stored, "correct horse"},
		"a wrong password":          {stored, "wrong horse"},
		"an unknown account":        {"", "correct horse"},
		"too long":                  {stored, secret.String(strings.Repeat("x", 1000))},
		"too long, unknown account": {"", secret.String(strings.Repeat("x", 1000))},
		"empty, unknown account":    {"", ""},
		"with NUL, unknown account": {"", "a\x00b"},
	} {
		var costs []int
		password.OnCompare(h, func(hash, _ []byte) {
			c, err := bcrypt.Cost(hash)
			if err != nil {
				t.Error(err)
			}
			costs = append(costs, c)
		})
		err := h.Verify(t.Context(), test.hash, test.plain)
		if err != nil && !errors.Is(err, password.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
		if fmt.Sprint(costs) != fmt.Sprint([]int{cost}) {
			t.Errorf("%s: bcrypt ran with costs %v, want one run with cost %d", name, costs, cost)
		}
	}
}

func TestNeedsRehash(t *testing.T) {
	t.Parallel()
	before, after := password.NewHasher(cheap, 1, 1), password.NewHasher(cheap+1, 1, 1)
	stored := hash(t, before, "correct horse")
	if before.NeedsRehash(stored) || !after.NeedsRehash(stored) || after.NeedsRehash("") {
		t.Error("NeedsRehash must hold exactly if the cost of the hash is lower than the configured one")
	}
	fresh, err := after.Rehash(t.Context(), "correct horse")
	if err != nil || after.NeedsRehash(fresh) || after.Verify(t.Context(), fresh, "correct horse") != nil {
		t.Errorf("Rehash: %v", err)
	}
	if common, err := after.Rehash(t.Context(), "password"); err != nil || after.Verify(t.Context(), common, "password") != nil {
		t.Errorf("a password older than the rules is rejected: %v", err)
	}
}

// TestHasher_LimitsConcurrency fills all slots and the queue, and checks which callers run.
func TestHasher_LimitsConcurrency(t *testing.T) {
	t.Parallel()
	const slots, queue = 2, 3
	h := password.NewHasher(cheap, slots, queue)
	stored := hash(t, h, "correct horse")
	running, release := make(chan struct{}), make(chan struct{})
	password.OnCompare(h, func([]byte, []byte) {
		running <- struct{}{}
		<-release
	})
	results := make(chan error, slots+queue)
	var wg sync.WaitGroup
	call := func(ctx context.Context) { results <- h.Verify(ctx, stored, "correct horse") }
	for range slots {
		wg.Go(func() { call(t.Context()) })
		<-running
	}
	// Three may wait. One more is refused at once; it does not matter which of those started
	// here.
	leaving, leave := context.WithCancel(t.Context())
	refused := make(chan error, queue+1)
	for range queue + 1 {
		wg.Go(func() { refused <- h.Verify(leaving, stored, "correct horse") })
	}
	if err := <-refused; !errors.Is(err, password.ErrBusy) {
		t.Errorf("caller beyond the queue got %v, want ErrBusy", err)
	}
	if err := h.Busy(); !errors.Is(err, password.ErrBusy) {
		t.Errorf("Busy with a full queue: got %v, want ErrBusy", err)
	}
	if running, waiting := h.Load(); running != slots || waiting != queue {
		t.Errorf("%d hashes run and %d wait, want %d and %d", running, waiting, slots, queue)
	}
	select {
	case <-running:
		t.Error("more hashes run than there are slots")
	default:
	}
	leave() // the waiting callers give up
	for range queue {
		if err := <-refused; !errors.Is(err, context.Canceled) {
			t.Errorf("canceled caller got %v", err)
		}
	}
	close(release)
	for range slots {
		if err := <-results; err != nil {
			t.Errorf("running caller got %v", err)
		}
	}
	wg.Wait()
	password.OnCompare(h, func([]byte, []byte) {})
	if err := h.Busy(); err != nil {
		t.Errorf("Busy after all callers finished: %v", err)
	}
	if err := h.Verify(t.Context(), stored, "correct horse"); err != nil {
		t.Errorf("after all callers finished: %v", err)
	}
}

func TestHasher_TellsWhenItHashes(t *testing.T) {
	t.Parallel()
	h := password.NewHasher(cheap, 1, 0)
	var begun, ended int
	h.Begin = func() func() {
		begun++
		return func() { ended++ }
	}
	stored := hash(t, h, "correct horse")
	_ = h.Verify(t.Context(), stored, "correct horse")
	_ = h.Verify(t.Context(), "", "correct horse")
	_ = h.Verify(t.Context(), "no bcrypt hash", "correct horse")
	if begun != 4 || ended != 4 {
		t.Errorf("%d hashes began, %d ended, want 4", begun, ended)
	}
}

func TestRead_RejectsInvalidCosts(t *testing.T) {
	t.Parallel()
	for _, cost := range []string{"9", "17", "x"} {
		env := config.Map(map[string]string{"BCRYPT_COST": cost})
		setting.Of[password.Settings](env)
		if env.Err() == nil {
			t.Errorf("BCRYPT_COST=%s is accepted", cost)
		}
	}
}

// TestRead_LeavesOneProcessorFree checks that all concurrent hashes together leave one processor
// free, if there is more than one.
func TestRead_LeavesOneProcessorFree(t *testing.T) {
	t.Parallel()
	if got, want := setting.Of[password.Settings](config.Map(nil)).Hasher().Slots(), max(1, runtime.GOMAXPROCS(0)-1); got != want {
		t.Errorf("%d concurrent hashes, want %d", got, want)
	}
}

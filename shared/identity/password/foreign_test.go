package password_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/password"
)

// pythonHash is a hash by the package bcrypt for Python.
const pythonHash = "$2b$04$hNzl3WNiMHDPfxRxSSf29.pudcQXJztaOTl2.jNU6xQnm1mWYOaIO" // of "pässwörd mit ümlaut"

func TestParseHash(t *testing.T) {
	t.Parallel()
	h := password.NewHasher(cheap, 4, 100)
	body := strings.TrimPrefix(pythonHash, "$2b$04$")
	for _, test := range []struct {
		name, hash string
		want       error
	}{
		{"of Python", pythonHash, nil},
		{"of Go", "$2a$04$" + body, nil},
		{"of PHP", "$2y$04$" + body, nil},
		{"with a known fault", "$2x$04$" + body, password.ErrNotBcrypt},
		{"of the first version", "$2$04$" + body, password.ErrNotBcrypt},
		{"of the greatest cost", "$2b$16$" + body, nil},
		{"that takes too long", "$2b$17$" + body, password.ErrCost},
		{"without a cost that exists", "$2b$03$" + body, password.ErrCost},
		{"cut off", pythonHash[:59], password.ErrNotBcrypt},
		{"and a line", pythonHash + "\n", password.ErrNotBcrypt},
		{"by Argon2", "$argon2id$v=19$m=65536,t=3,p=4$CL5OdG8UTa85n7MTmdGebQ$2IL7Q2v9w+lWCzdiIRwsqYH0Mdjzx6umdN6VT9/RxbI", password.ErrNotBcrypt},
		{"of nothing", "", password.ErrNotBcrypt},
	} {
		got, err := password.ParseHash(test.hash)
		if !errors.Is(err, test.want) || err == nil && got.Reveal() != test.hash || err != nil && got != "" {
			t.Errorf("a hash %s: got %q, %v; want %v", test.name, got.Reveal(), err, test.want)
		}
		if err != nil || strings.Contains(test.hash, "$16$") {
			continue
		}
		if err := h.Verify(t.Context(), got, "pässwörd mit ümlaut"); err != nil {
			t.Errorf("a hash %s: %v", test.name, err)
		}
		if err := h.Verify(t.Context(), got, "another password"); !errors.Is(err, password.ErrMismatch) {
			t.Errorf("a hash %s and a wrong password: %v", test.name, err)
		}
	}
}

// TestVerify_RefusesAllHashesInTheSameTime adds up the work of a refusal, which must be
// that for an unknown account.
func TestVerify_RefusesAllHashesInTheSameTime(t *testing.T) {
	t.Parallel()
	h := password.NewHasher(cheap+4, 1, 1)
	work := 0
	password.OnCompare(h, func(hash, _ []byte) {
		cost, err := bcrypt.Cost(hash)
		if err != nil {
			t.Error(err)
		}
		work += 1 << cost
	})
	refusal := func(hash secret.String) int {
		work = 0
		if err := h.Verify(t.Context(), hash, "a wrong password"); !errors.Is(err, password.ErrMismatch) {
			t.Errorf("%v", err)
		}
		return work
	}
	unknown := refusal("")
	if got := refusal(pythonHash); got != unknown {
		t.Errorf("a hash of a lower cost takes %d rounds, an unknown account %d", got, unknown)
	}
	work = 0
	if err := h.Verify(t.Context(), pythonHash, "pässwörd mit ümlaut"); err != nil || work != 1<<cheap {
		t.Errorf("the right password takes %d rounds, %v; want those of the hash", work, err)
	}
}

package password

import (
	"errors"
	"regexp"

	"golang.org/x/crypto/bcrypt"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// Why [ParseHash] refuses a hash. The users of such accounts need a new password.
var (
	ErrNotBcrypt = errors.New("not a bcrypt hash")
	ErrCost      = errors.New("a bcrypt hash that takes too long to verify")
)

// bcryptHash matches the versions of bcrypt that hash the same passwords alike. $2x$ is
// that of hashes with a known fault.
var bcryptHash = regexp.MustCompile(`^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

// ParseHash returns a hash that another system made, for [Hasher.Verify]: one of bcrypt,
// of any version and of a cost that the gateway could be configured with. A hash of a
// lower cost than the present one is replaced at the next login.
func ParseHash(s string) (secret.String, error) {
	if !bcryptHash.MatchString(s) {
		return "", ErrNotBcrypt
	}
	if cost, err := bcrypt.Cost([]byte(s)); err != nil || cost > maxCost {
		return "", ErrCost
	}
	return secret.String(s), nil
}

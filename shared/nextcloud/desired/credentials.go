package desired

import (
	"crypto/rand"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// Purpose is the purpose for which the keys of sealed credentials are derived.
const Purpose = "nextcloud credentials v1"

// NewBox returns the box that seals credentials of accounts in Nextcloud.
func NewBox(ring *keyring.Ring) *seal.Box { return seal.New(ring.Derive(Purpose)) }

// NewInitialPassword returns a sealed random password for a new account. The
// prefix and suffix satisfy password policies that require every class of
// characters.
func NewInitialPassword(box *seal.Box, id account.ID) []byte {
	return box.Seal(secret.String("va-"+rand.Text()+"-7!"), string(id))
}

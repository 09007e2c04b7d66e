package setup_test

import (
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/setup"
)

// TestRing_OfDATA_SECRETIgnoresJWT_SECRET lets somebody who verifies access
// tokens, and so has JWT_SECRET, make each kind of thing that only the gateway
// should. Without a data secret each is taken, so that it is not the test that
// fails to make them.
func TestRing_OfDATA_SECRETIgnoresJWT_SECRET(t *testing.T) {
	t.Parallel()
	secret := keyring.Generate()
	theirs, err := keyring.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	head := audit.Head{Link: audit.Link{Seq: 7}}
	purposes := []string{signin.Purpose, desired.Purpose, audit.Purpose, ratelimit.Purpose, "nextcloud administrator v1"}
	for name, test := range map[string]struct {
		vars map[string]string
		want bool
	}{
		"one secret":     {map[string]string{"JWT_SECRET": secret.Reveal()}, true},
		"on the way":     {map[string]string{"JWT_SECRET": secret.Reveal(), "DATA_SECRET": keyring.Generate().Reveal(), "DATA_PREVIOUS_SECRETS": secret.Reveal()}, true},
		"two secrets":    {map[string]string{"JWT_SECRET": secret.Reveal(), "DATA_SECRET": keyring.Generate().Reveal()}, false},
		"after rotation": {map[string]string{"JWT_SECRET": keyring.Generate().Reveal(), "JWT_PREVIOUS_SECRETS": secret.Reveal(), "DATA_SECRET": keyring.Generate().Reveal()}, false},
	} {
		env := config.Map(test.vars)
		var keys keyring.Settings
		var tokens token.IssuerSettings
		if err := env.Load(&keys, &tokens); err != nil {
			t.Fatal(err)
		}
		ours := keys.Ring()
		box := seal.New(theirs.Derive(desired.Purpose)).Seal("a password", "an account")
		_, _, refresh := signin.NewCodec(ours.Derive(signin.Purpose)).Decode(signin.NewCodec(theirs.Derive(signin.Purpose)).Encode(signin.NewID(), 1).Reveal())
		_, opened := seal.New(ours.Derive(desired.Purpose)).Open(box, "an account")
		taken := map[string]bool{
			"a refresh token": refresh == nil,
			"a sealed value":  opened == nil,
			"the audit trail": head.Seal(theirs.Derive(audit.Purpose).Current()).Check(ours.Derive(audit.Purpose), head.Seal) == audit.Valid,
		}
		for _, purpose := range purposes {
			key := theirs.Derive(purpose).Current()
			got, known := ours.Derive(purpose).ByID(key.ID)
			taken["a key for "+purpose] = known && got == key
		}
		for what, taken := range taken {
			if taken != test.want {
				t.Errorf("%s: %s made with JWT_SECRET is taken: %v", name, what, taken)
			}
		}
		if warning := setup.SharedSecretWarning(&tokens.Settings, &keys); (warning != "") != test.want || strings.Contains(warning, secret.Reveal()) {
			t.Errorf("%s: the warning is %q", name, warning)
		}
		if tokens.Issuer(ours).Access == nil {
			t.Errorf("%s: no tokens", name)
		}
	}
	env := config.Map(map[string]string{"JWT_SECRET": secret.Reveal(), "JWT_ALGORITHM": "EdDSA"})
	if warning := setup.SharedSecretWarning(setting.Of[token.Settings](env), setting.Of[keyring.Settings](env)); warning != "" {
		t.Errorf("nobody has the secret under EdDSA, and yet: %s", warning)
	}
}

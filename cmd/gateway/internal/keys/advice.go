package keys

import (
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// Advice returns what an operator must do next to rotate the configured keys of the
// chain, line by line.
func Advice(c Chain, configured []Configured) []string {
	keys := map[keystore.State]Configured{}
	for _, k := range configured {
		keys[k.State] = k
	}
	var text advice
	signs := keys[keystore.StateSigns]
	text.addf("The %s %s comes from %s, and this command changes no settings.", c.Kind, signs.ID, signs.Source)
	if c.Kind == Signing {
		c.adviseSigning(&text, keys)
	} else {
		c.adviseSecrets(&text, keys[StateAccepted].ID)
	}
	return text
}

// advice is text, line by line.
type advice []string

func (a *advice) addf(format string, args ...any) { *a = append(*a, fmt.Sprintf(format, args...)) }

// adviseSigning adds the next step for signing keys.
func (c *Chain) adviseSigning(text *advice, keys map[keystore.State]Configured) {
	signs := keys[keystore.StateSigns]
	previous, hasPrevious := keys[keystore.StatePrevious]
	next, hasNext := keys[keystore.StateNext]
	switch {
	case hasPrevious:
		text.addf("%s after %s began to sign: take out %s and %s_FILE, which name %s, and restart every process.",
			c.Plan.Retain, signs.ID, token.VariablePrevious, token.VariablePrevious, previous.ID)
	case hasNext:
		text.addf("The next key %s is published by %s. It may sign when every process has published it for %s.", next.ID, next.Source, c.Plan.Publish)
		if !next.Changed.IsZero() {
			text.addf("Its file was changed at %s: not before %s.", next.Changed.Format(time.RFC3339), next.Changed.Add(c.Plan.Publish).Format(time.RFC3339))
		}
		text.addf("Then set %s_FILE to the private half of %s, %s_FILE to the public half of %s,", token.VariablePrivate, next.ID,
			token.VariablePrevious, signs.ID)
		text.addf("take out %s and %s_FILE, and restart every process.", token.VariableNext, token.VariableNext)
	default:
		text.addf("To begin a rotation: `gateway keys generate --algorithm %s --out FILE`, set %s_FILE to FILE.pub,", c.source.Algorithm, token.VariableNext)
		text.addf("or %s to what is in it, and restart every process. Then run this command again.", token.VariableNext)
	}
}

// adviseSecrets adds the next step for secrets. accepted is the ID of another secret
// that is accepted, or "".
func (c *Chain) adviseSecrets(text *advice, accepted string) {
	current, others, present := keyring.Variable, keyring.VariablePrevious, keyring.Variable
	if c.Kind == Data {
		current, others = keyring.DataVariable, keyring.DataVariablePrevious
		if c.source.hasData {
			present = current
		}
	}
	reseal := "run `gateway keys reseal`, "
	if c.Kind == Secret && c.source.hasData { // nothing is encrypted with JWT_SECRET
		reseal = ""
	}
	if accepted != "" && present == current {
		text.addf("%s is accepted, by %s.", accepted, others)
		text.addf("If it is the new one: exchange the values of %s and %s, and restart every process.", current, others)
		text.addf("If it is the old one: %s after it was replaced, %stake it out of %s, and restart every process.", c.Plan.Retain, reseal, others)
		return
	}
	text.addf("To begin a rotation, where NEW is what `gateway keys generate --algorithm HS256` prints:")
	if present != current {
		text.addf("1. Set %s to what %s is now and %s to NEW, and restart every process: they accept it before any uses it.", current, present, others)
	} else {
		text.addf("1. Set %s to NEW, and restart every process: they accept it before any uses it.", others)
	}
	text.addf("2. Set %s to NEW and %s to what %s is now, and restart every process.", current, others, present)
	text.addf("3. After %s %stake %s out, and restart every process.", c.Plan.Retain, reseal, others)
	if c.Kind == Secret {
		text.addf("Whoever else verifies access tokens with the secret must accept NEW before step 2.")
	}
}

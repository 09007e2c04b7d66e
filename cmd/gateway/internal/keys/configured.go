package keys

import (
	"os"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// StateAccepted is the state of a secret in JWT_PREVIOUS_SECRETS or
// DATA_PREVIOUS_SECRETS: it may be a previous or a next one.
const StateAccepted keystore.State = "accepted"

// A Configured key is in a setting, or in a file that a setting names.
type Configured struct {
	State   keystore.State
	ID      string
	Source  string    // the variable, or the path of the file
	Changed time.Time // last change of the file; zero for a variable
}

// Configured returns the keys of the chain that settings contain, the one that signs
// first. Mistakes are reported to r, and invalid keys left out.
func (c *Chain) Configured(r setting.Reader) []Configured {
	if c.Kind == Signing {
		return configuredFiles(r)
	}
	return c.configuredSecrets(r)
}

func (c *Chain) configuredSecrets(r setting.Reader) []Configured {
	data := setting.Of[keyring.Settings](r)
	secrets, current, others := data.Secrets, keyring.DataVariable, keyring.DataVariablePrevious
	if c.Kind == Secret {
		secrets = append([]secret.String{keyring.Load(r)}, keyring.LoadPrevious(r)...)
	}
	if c.Kind == Secret || !c.source.hasData {
		current, others = keyring.Variable, keyring.VariablePrevious
	}
	var list []Configured
	for i, s := range secrets {
		if s == "" { // refused
			continue
		}
		id, err := keyID(c.Kind, s)
		if err != nil {
			panic("keys: " + err.Error()) // loading refuses such a secret
		}
		key := Configured{State: keystore.StateSigns, ID: id, Source: current}
		if i > 0 {
			key.State, key.Source = StateAccepted, others
		}
		list = append(list, key)
	}
	return list
}

// configuredFiles returns the signing keys. The time of the last change of a file
// is all that is known about when they came into use.
func configuredFiles(r setting.Reader) []Configured {
	public := setting.Of[token.PublicSettings](r)
	if public.Keys() == nil { // refused
		return nil
	}
	ids := public.Keys().IDs()
	var list []Configured
	for _, v := range []struct {
		name  string
		state keystore.State
	}{
		{token.VariablePrivate, keystore.StateSigns}, {token.VariableNext, keystore.StateNext}, {token.VariablePrevious, keystore.StatePrevious},
	} {
		path := r.String(v.name+"_FILE", "")
		inline := r.Secret(v.name) != ""
		if path == "" && !inline || len(ids) == 0 {
			continue
		}
		key := Configured{State: v.state, ID: ids[0], Source: v.name}
		ids = ids[1:]
		if info, err := os.Stat(path); !inline && err == nil {
			key.Source, key.Changed = path, info.ModTime().UTC().Truncate(time.Second)
		}
		list = append(list, key)
	}
	return list
}

// Package provision gives everybody an account in Nextcloud and keeps it as
// wished.
//
// A [Wisher] records wishes in the transaction of what they follow from. A
// [Reconciler] leases what is due, compares wish and fact, and acts until they
// agree. Each of its steps may be repeated, and it may stop after any of them;
// two of them share the work. Nextcloud being down delays it and fails nothing.
package reconcile

import (
	"crypto/x509"
	"net/url"
	"os"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/pemtext"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

// VariableURL names the variable with Nextcloud's address; unset, there is none.
const VariableURL = "NEXTCLOUD_URL"

// DefaultQuota is what an account may store unless configured otherwise.
const DefaultQuota = "5 GB"

// Purpose is what the keys of sealed passwords are derived for.
const Purpose = "nextcloud credentials v1"

// Settings say which Nextcloud there is and what accounts get.
type Settings struct {
	URL          *url.URL      // nil: none
	PublicURL    *url.URL      // as users reach it
	Admin        string        // "" unless [ReadAdmin] read them
	Password     secret.String // the administrator's
	Roots        *x509.CertPool
	Quota        string        // of accounts that have none of their own
	KeepQuotas   bool          // a quota that was changed in Nextcloud stays
	Group        string        // that every account is in; "" for none
	ByEmail      bool          // Nextcloud ids are e-mail addresses where they can be
	PasswordSync bool          // the gateway's password opens Nextcloud, too
	OnDelete     desired.State // what becomes of the account of a deleted user
}

// ReadAdmin returns the settings in the environment, with the administrator's
// credentials. They are for whoever calls Nextcloud as the administrator alone.
func ReadAdmin(env *config.Env) Settings {
	s := Read(env)
	s.Admin, s.Password = env.String("NEXTCLOUD_ADMIN_USER", ""), env.Secret("NEXTCLOUD_ADMIN_PASSWORD")
	return s
}

// Read returns the settings in the environment, without the administrator's
// credentials.
func Read(env *config.Env) Settings {
	s := Settings{
		URL:          env.URL(VariableURL, "https", "http"),
		PublicURL:    env.URL("NEXTCLOUD_PUBLIC_URL", "https", "http"),
		Roots:        ReadRoots(env),
		Quota:        env.String("NEXTCLOUD_DEFAULT_QUOTA", DefaultQuota),
		Group:        env.String("NEXTCLOUD_GROUP", ""),
		ByEmail:      env.OneOf("NEXTCLOUD_USER_ID", "email", "uuid") == "email",
		PasswordSync: env.Bool("NEXTCLOUD_PASSWORD_SYNC", true),
		KeepQuotas:   env.OneOf("NEXTCLOUD_QUOTA_DRIFT", "keep", "reset") == "keep",
	}
	s.OnDelete = map[string]desired.State{"disable": desired.Disabled, "delete": desired.Absent, "keep": desired.Present}[env.OneOf("NEXTCLOUD_ON_DELETE", "disable", "delete", "keep")]
	if _, err := quota.Parse(s.Quota); err != nil {
		env.Refuse("NEXTCLOUD_DEFAULT_QUOTA", s.Quota, "N MB, N GB or none")
	}
	if s.PublicURL == nil {
		s.PublicURL = s.URL
	}
	return s
}

// ReadRoots returns the authorities of NEXTCLOUD_CA_FILE, or nil for those of
// the system.
func ReadRoots(env *config.Env) *x509.CertPool {
	const variable = "NEXTCLOUD_CA_FILE"
	path := env.String(variable, "")
	if path == "" {
		return nil
	}
	var roots *x509.CertPool
	text, err := os.ReadFile(path)
	if err == nil {
		roots, err = pemtext.Authorities(text)
	}
	if err != nil {
		env.Refuse(variable, path, "a file with certificates in PEM ("+err.Error()+")")
	}
	return roots
}

// ReadWisher returns the wisher that the environment asks for.
func ReadWisher(env *config.Env, ring *keyring.Ring) *Wisher {
	return &Wisher{Settings: Read(env), Box: newBox(ring)}
}

func newBox(ring *keyring.Ring) *seal.Box { return seal.New(ring.Derive(Purpose)) }

// Package secrets reads settings from AWS Secrets Manager and re-reads them when they
// rotate.
//
// SECRETS_ARNS lists secrets. Each is a JSON object that holds settings, or a database
// login in the format of RDS. A [Source] fetches each with one signed call; a [Keeper]
// caches the result for a while. Nothing is fetched in advance. The package does not use
// the AWS SDK, which would lengthen every cold start (docs/adr/0009); it imports only the
// SDK's signer.
//
// Errors and log lines contain no values, and of the text of Secrets Manager only the error
// code: when it rejects a signature, it repeats the session token.
package secrets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// Variable lists the secrets, by ARN or name, separated by commas.
const Variable = "SECRETS_ARNS"

const maxRefs = 8

// Settings returns the variables that a secret may hold. Other members, such as those that
// a rotation function of AWS keeps there, are ignored: a secret must not be able to change
// every setting of a function.
func Settings() []string {
	return []string{
		"DATABASE_URL", "DATABASE_PASSWORD", "DATABASE_CA", "MIGRATE_DATABASE_URL", "REDIS_URL", "QDRANT_URL",
		"JWT_SECRET", "JWT_PREVIOUS_SECRETS", "DATA_SECRET", "DATA_PREVIOUS_SECRETS",
		"JWT_PRIVATE_KEY", "JWT_NEXT_PUBLIC_KEY", "JWT_PREVIOUS_PUBLIC_KEY",
		"NEXTCLOUD_ADMIN_USER", "NEXTCLOUD_ADMIN_PASSWORD", "SMTP_URL",
	}
}

// Values are the settings that the secrets held at one time. They are immutable.
type Values struct {
	settings map[string]secret.String
	versions []string // of the secrets, in the order of SECRETS_ARNS
	ignored  int      // members that are not settings
	login    *login   // the first in the secrets; nil if there is none
}

// Lookup returns the setting and reports whether it is present.
func (v *Values) Lookup(name string) (secret.String, bool) {
	s, ok := v.settings[name]
	return s, ok
}

// Names returns the names of the settings, sorted.
func (v *Values) Names() []string { return slices.Sorted(maps.Keys(v.settings)) }

// Versions returns the version ids of the secrets, in the order of SECRETS_ARNS.
func (v *Values) Versions() []string { return v.versions }

// Ignored returns how many members of the secrets are not settings.
func (v *Values) Ignored() int { return v.ignored }

// String names the settings. Without it, fmt would print the fields, secrets included.
func (v *Values) String() string { return "secrets with " + strings.Join(v.Names(), ", ") }

// GoString is String.
func (v *Values) GoString() string { return v.String() }

// equal reports whether the settings are the same.
func (v *Values) equal(w *Values) bool { return maps.Equal(v.settings, w.settings) }

// add adds the settings of a secret. If two secrets hold the same setting, the first in
// the list wins.
func (v *Values) add(text string) error {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil || members == nil { // the error may quote it
		return errors.New("its value is not a JSON object")
	}
	known := Settings()
	l, err := readLogin(members)
	if err != nil {
		return err
	}
	if l != nil {
		v.login = cmp.Or(v.login, l)
	}
	for name, raw := range members {
		if l != nil && slices.Contains(loginMembers(), name) {
			continue
		}
		if !slices.Contains(known, name) {
			v.ignored++
			continue
		}
		var s secret.String
		if json.Unmarshal(raw, (*string)(&s)) != nil || string(raw) == "null" {
			return errors.New("its member " + name + " is no string")
		}
		if _, ok := v.settings[name]; !ok {
			v.settings[name] = s
		}
	}
	return nil
}

// A Source is a list of secrets.
type Source struct {
	refs   []Ref
	client client
}

// String names the secrets; see [Values.String].
func (s *Source) String() string { return fmt.Sprint("secrets ", s.refs) }

// GoString is String.
func (s *Source) GoString() string { return s.String() }

// Read returns the secrets that SECRETS_ARNS lists, or nil if it is unset. It also reads
// the variables that Lambda sets, and AWS_ENDPOINT_URL_SECRETS_MANAGER, which replaces the
// region's endpoint as in the AWS SDKs.
func Read(env setting.Reader) *Source {
	list := env.List(Variable)
	if len(list) == 0 {
		return nil
	}
	s := &Source{client: client{
		http: newHTTP(), now: time.Now,
		endpoint: env.URL("AWS_ENDPOINT_URL_SECRETS_MANAGER", "https", "http"),
		credentials: credentials{
			accessKeyID:     env.String("AWS_ACCESS_KEY_ID", ""),
			secretAccessKey: env.Secret("AWS_SECRET_ACCESS_KEY"),
			sessionToken:    env.Secret("AWS_SESSION_TOKEN"),
		},
	}}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if env.Secret(name) == "" {
			env.RefuseSecret(name, "is not set", "the credentials that Lambda sets for a function")
		}
	}
	const takes = "up to 8 ARNs of Secrets Manager secrets, or names beside AWS_REGION, separated by commas"
	if len(list) > maxRefs {
		env.RefuseSecret(Variable, "is too long a list", takes)
	}
	for _, item := range list {
		ref, ok := parseRef(item, env.String("AWS_REGION", ""))
		if !ok { // not quoted: it may be a secret, put here by mistake
			env.RefuseSecret(Variable, "has an item that is neither", takes)
			break
		}
		s.refs = append(s.refs, ref)
	}
	return s
}

// Fetch reads every secret once. Its error is an *[Error].
func (s *Source) Fetch(ctx context.Context) (*Values, error) {
	defer s.client.http.CloseIdleConnections() // none would survive until the next fetch
	v := &Values{settings: map[string]secret.String{}}
	for _, ref := range s.refs {
		text, version, err := s.client.get(ctx, ref)
		if err != nil {
			return nil, err
		}
		if err := v.add(text); err != nil {
			return nil, &Error{Secret: ref.String(), Status: http.StatusOK, cause: err}
		}
		v.versions = append(v.versions, version)
	}
	v.applyLogin()
	return v, nil
}

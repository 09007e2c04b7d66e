// Package secrets reads settings from AWS Secrets Manager, and reads them again
// when they rotate.
//
// SECRETS_ARNS lists secrets, each a JSON object whose members are settings, or
// the login for a database as RDS keeps it. A [Source] fetches them with one
// signed call each; a [Keeper] remembers what it got, for a while. Nothing is fetched before it is asked for. There is no AWS
// SDK in here, as it would lengthen every cold start (docs/adr/0009).
//
// No error and no log line holds a value, or anything that Secrets Manager
// wrote: where it refuses a signature, it repeats the session token.
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

// Settings returns the variables that a secret may hold. What else is in one, such
// as the members that a rotation function of AWS keeps there, is not for us: a
// secret must not be able to turn every knob of a function.
func Settings() []string {
	return []string{
		"DATABASE_URL", "DATABASE_CA", "MIGRATE_DATABASE_URL", "REDIS_URL", "QDRANT_URL",
		"JWT_SECRET", "JWT_PREVIOUS_SECRETS", "DATA_SECRET", "DATA_PREVIOUS_SECRETS",
		"JWT_PRIVATE_KEY", "JWT_NEXT_PUBLIC_KEY", "JWT_PREVIOUS_PUBLIC_KEY",
		"NEXTCLOUD_ADMIN_USER", "NEXTCLOUD_ADMIN_PASSWORD",
	}
}

// Values are the settings that the secrets held at one time. They do not change.
type Values struct {
	settings map[string]secret.String
	versions []string // of the secrets, as in the list
	ignored  int      // members that are no settings
	login    *login   // the first that a secret held; nil for none
}

// Lookup returns the setting.
func (v *Values) Lookup(name string) (secret.String, bool) {
	s, ok := v.settings[name]
	return s, ok
}

// Names returns which settings there are, sorted.
func (v *Values) Names() []string { return slices.Sorted(maps.Keys(v.settings)) }

// Versions returns the ids of the secrets' versions, in the order of the list.
func (v *Values) Versions() []string { return v.versions }

// Ignored returns how many members of the secrets are no settings.
func (v *Values) Ignored() int { return v.ignored }

// String names the settings; fmt would print the fields of an unknown type,
// secrets included.
func (v *Values) String() string { return "secrets with " + strings.Join(v.Names(), ", ") }

// GoString is String.
func (v *Values) GoString() string { return v.String() }

// equal reports whether the settings are the same.
func (v *Values) equal(w *Values) bool { return maps.Equal(v.settings, w.settings) }

// add takes what is new in a secret: of two secrets with one setting, the first
// in the list has it.
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

// Read returns the secrets that SECRETS_ARNS lists, or nil where it is unset.
// The rest of what it reads is what Lambda sets, and AWS_ENDPOINT_URL_SECRETS_MANAGER,
// which stands for the region's endpoint as it does in the SDKs.
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
		if !ok { // not quoted: somebody may have put the secret itself here
			env.RefuseSecret(Variable, "has an item that is neither", takes)
			break
		}
		s.refs = append(s.refs, ref)
	}
	return s
}

// Fetch reads every secret once. Its error is an [Error].
func (s *Source) Fetch(ctx context.Context) (*Values, error) {
	defer s.client.http.CloseIdleConnections() // none would live until the next time
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
	v.settle()
	return v, nil
}

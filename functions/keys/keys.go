// Package keys is the function behind /api/auth/api-keys, the API keys of the
// caller. Begin with [Function.Routes].
package keys

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/validation"
)

// A Function manages API keys.
type Function struct {
	Auth      *endpoint.Authenticator
	DB        *store.DB
	Confirmer *password.Confirmer
	Outbox    *mail.Outbox
	Now       func() time.Time
}

// Routes returns the routes of the function. None accepts an API key.
func (f *Function) Routes() endpoint.Routes {
	const ok, made, none = http.StatusOK, http.StatusCreated, http.StatusNoContent
	return endpoint.Routes{
		{Pattern: "GET /api/auth/api-keys", Handler: endpoint.Authenticated(f.Auth, ok, f.list)},
		{Pattern: "POST /api/auth/api-keys", Handler: endpoint.Authenticated(f.Auth, made, f.create, validation.Check), Limit: ratelimit.Password},
		{Pattern: "DELETE /api/auth/api-keys/{id}", Handler: endpoint.Authenticated(f.Auth, none, f.delete)},
	}
}

// A key is an API key as its owner sees it.
type key struct {
	ID        apikey.ID     `json:"id"`
	Name      string        `json:"name"`
	Prefix    string        `json:"key_prefix"`
	Scopes    apikey.Scopes `json:"scopes"`
	CreatedAt time.Time     `json:"created_at"`
	LastUsed  *time.Time    `json:"last_used_at"`
	ExpiresAt *time.Time    `json:"expires_at"`
}

func keyOf(k apikey.Key) key {
	return key{k.ID, k.Name, k.Prefix, k.Scopes, k.CreatedAt, k.LastUsed, k.ExpiresAt}
}

func (f *Function) list(ctx context.Context, caller endpoint.Caller, _ endpoint.None) ([]key, error) {
	held, err := f.DB.APIKeys(ctx, caller.Account.ID)
	list := make([]key, len(held))
	for i, k := range held {
		list[i] = keyOf(k)
	}
	return list, err
}

type optionalSecret = endpoint.Optional[secret.String]

// A create request may leave out the password if the login is recent.
type create struct {
	Name            string                 `json:"name" validate:"required,key_name"`
	Scopes          []string               `json:"scopes" validate:"required,scopes"`
	ExpiresInDays   endpoint.Optional[int] `json:"expires_in_days" validate:"omitempty,days"` // null is never
	CurrentPassword optionalSecret         `json:"current_password" validate:"omitempty,filled"`
	Password        optionalSecret         `json:"password" validate:"omitempty,same_as=CurrentPassword,filled"`
	Code            secret.String          `json:"code"` // of the second factor
}

// key returns the requested key, for the caller at now.
func (q *create) key(caller endpoint.Caller, now time.Time) (k apikey.Key, err error) {
	now = now.UTC().Truncate(time.Microsecond)
	k = apikey.Key{ID: apikey.NewID(), UserID: caller.Account.ID, CreatedAt: now}
	if k.Name, err = apikey.ParseName(q.Name); err != nil {
		return k, err
	}
	if k.Scopes, err = apikey.ParseScopes(q.Scopes); err != nil {
		return k, err
	}
	if q.ExpiresInDays.Set && !q.ExpiresInDays.Null {
		lifetime, err := apikey.ParseDays(q.ExpiresInDays.Value)
		if err != nil {
			return k, err
		}
		k.ExpiresAt = new(now.Add(lifetime))
	}
	return k, nil
}

// A created response contains the new key with its secret, which no other response
// shows.
type created struct {
	key

	Key string `json:"key"`
}

// Header sets the address at which the key can be deleted.
func (c created) Header(h http.Header) { h.Set("Location", "/api/auth/api-keys/"+string(c.ID)) }

// create creates a key. A stolen access token must not be enough for it, so it
// needs the password or a recent login and,
// where the account has a second factor, a code.
func (f *Function) create(ctx context.Context, caller endpoint.Caller, q create) (created, error) {
	now := f.Now()
	k, err := q.key(caller, now)
	if err != nil {
		return created{}, err
	}
	sent := password.Credentials{Password: cmp.Or(q.CurrentPassword.Value, q.Password.Value), Code: q.Code}
	by, err := f.Confirmer.Reauthenticate(ctx, caller.Proof(), caller.Origin, sent, audit.ToIssueKey)
	if err != nil {
		return created{}, err
	}
	plain, digest, prefix := apikey.New()
	k.Prefix = prefix
	event := caller.Event(audit.KeyIssued, caller.Account.ID, now)
	event.Detail = k.Name + ": " + k.Scopes.String()
	err = f.DB.UpdateAs(ctx, by, now, func(tx *store.Tx, by store.Actor) error {
		if err := tx.CreateAPIKey(ctx, by, k, digest); err != nil {
			return err
		}
		if err := f.Outbox.Notice(ctx, tx, mail.APIKeyCreated, by.Account, event); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if err != nil {
		return created{}, err
	}
	f.Outbox.Wake()
	return created{keyOf(k), plain.Reveal()}, nil
}

// A byID request has the id of a key in its path.
type byID struct{ id apikey.ID }

// Bind reads the id.
func (q *byID) Bind(r *http.Request) (err error) {
	q.id, err = apikey.ParseID(r.PathValue("id"))
	return err
}

func (f *Function) delete(ctx context.Context, caller endpoint.Caller, q byID) (endpoint.None, error) {
	event := caller.Event(audit.KeyRevoked, caller.Account.ID, f.Now())
	event.Detail = string(q.id)
	return endpoint.None{}, f.DB.UpdateAs(ctx, caller.Proof(), event.At, func(tx *store.Tx, by store.Actor) error {
		if err := tx.DeleteAPIKey(ctx, by, caller.Account.ID, q.id); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
}

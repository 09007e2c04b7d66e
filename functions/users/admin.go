package users

import (
	"context"
	"net/http"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/enrol"
	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/token"
)

const maxSearch = account.MaxEmail // characters; nothing longer can be found

type list struct {
	page   endpoint.PageQuery
	search string
}

// Bind reads the page and the search text q.
func (q *list) Bind(r *http.Request) error {
	if err := q.page.Bind(r); err != nil {
		return err
	}
	q.search = q.page.Param("q")
	var wrong fault.Fields
	wrong.Check(len(q.search) <= maxSearch, "q", "too_long", "Must be at most 254 bytes.")
	return wrong.Err()
}

func (f *Function) list(ctx context.Context, _ token.Admin, q list) (endpoint.List, error) {
	rows, err := f.DB.Accounts(ctx, q.search, store.Page{
		Before: q.page.Before, Skip: q.page.Skip, Limit: q.page.Limit + 1, Bytes: endpoint.MaxPage,
	})
	if err != nil {
		return endpoint.List{}, err
	}
	id := func(a account.Account) string { return string(a.ID) }
	return endpoint.PageOf(q.page, rows, id, account.Account.Profile)
}

type create struct {
	Email    string        `json:"email"`
	Password config.Secret `json:"password"`
	FullName string        `json:"full_name"`
	Role     string        `json:"role"`

	person enrol.Person
	origin audit.Origin
}

// Bind notes where the request came from.
func (q *create) Bind(r *http.Request) error {
	q.origin = endpoint.Origin(r)
	return nil
}

// Validate parses every field.
func (q *create) Validate() error {
	var wrong fault.Fields
	wrong.Require(q.Email != "", "email")
	wrong.Require(q.Password != "", "password")
	if q.Role == "" {
		q.Role = string(account.User)
	}
	q.person = enrol.Parse(&wrong, q.Email, q.FullName, q.Role, q.Password)
	return wrong.Err()
}

// A created account is answered with where it is.
type created struct{ account.Profile }

// Header sets the Location.
func (c created) Header(h http.Header) { h.Set("Location", "/api/users/"+string(c.ID)) }

func (f *Function) create(ctx context.Context, caller token.Admin, q create) (created, error) {
	a, err := f.Office.Enrol(ctx, q.person, caller.Proof(), q.origin)
	if err != nil {
		return created{}, err
	}
	return created{a.Profile()}, nil
}

// A byID request names an account in its path.
type byID struct {
	id     account.ID
	origin audit.Origin
}

// Bind reads the id from the path.
func (q *byID) Bind(r *http.Request) (err error) {
	q.origin = endpoint.Origin(r)
	q.id, err = account.ParseID(r.PathValue("id"))
	return err
}

func (f *Function) one(ctx context.Context, _ token.Admin, q byID) (account.Profile, error) {
	a, err := f.DB.Account(ctx, q.id)
	if err != nil {
		return account.Profile{}, err
	}
	return a.Profile(), nil
}

// A change request changes the fields that are present.
type change struct {
	FullName endpoint.Optional[string] `json:"full_name"`
	Role     endpoint.Optional[string] `json:"role"`
	Disabled endpoint.Optional[bool]   `json:"disabled"`

	byID

	changes store.Changes
}

// Validate parses the fields that are present.
func (q *change) Validate() error {
	var wrong fault.Fields
	if q.FullName.Set {
		name := fault.ParseField(&wrong, "full_name", q.FullName.Value, account.ParseName)
		q.changes.FullName = &name
	}
	if q.Role.Set {
		role := fault.ParseField(&wrong, "role", q.Role.Value, account.ParseRole)
		q.changes.Role = &role
	}
	if q.Disabled.Set {
		wrong.Check(!q.Disabled.Null, "disabled", "not_allowed", "Must be true or false.")
		q.changes.Disabled = &q.Disabled.Value
	}
	return wrong.Err()
}

func (f *Function) change(ctx context.Context, caller token.Admin, q change) (account.Profile, error) {
	return f.apply(ctx, caller.Proof(), q.id, q.changes, q.origin)
}

func (f *Function) delete(ctx context.Context, caller token.Admin, q byID) (endpoint.None, error) {
	return endpoint.None{}, f.remove(ctx, caller.Proof(), q.id, eventBy(caller.Proof(), audit.Deleted, q.id, q.origin, f.Now()))
}

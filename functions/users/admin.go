package users

import (
	"cmp"
	"context"
	"net/http"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/lifecycle"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

const maxSearch = account.MaxEmail // bytes; no stored text is longer

type list struct {
	page   endpoint.PageQuery
	prefix string // of search keys; "" for all accounts
}

// Bind reads the page and the search text.
func (q *list) Bind(r *http.Request) error {
	if err := q.page.BindKeyed(r); err != nil {
		return err
	}
	search := q.page.Param("q")
	var wrong fault.Fields
	wrong.Check(len(search) <= maxSearch, "q", "too_long", "Must be at most 254 bytes.")
	if err := wrong.Err(); err != nil {
		return err
	}
	q.prefix = account.SearchPrefix(search)
	return q.page.CheckCursor(q.prefix != "")
}

func (f *Function) list(ctx context.Context, _ endpoint.Admin, q list) (endpoint.List, error) {
	page := store.Page{
		Before: q.page.Before, Key: q.page.Key, Skip: q.page.Skip, Limit: q.page.Limit + 1, Bytes: endpoint.MaxPage,
	}
	if q.prefix == "" {
		rows, err := f.DB.Accounts(ctx, page)
		if err != nil {
			return endpoint.List{}, err
		}
		id := func(a account.Account) string { return string(a.ID) }
		return endpoint.NewList(q.page, rows, id, account.Account.Profile)
	}
	rows, err := f.DB.SearchAccounts(ctx, q.prefix, page)
	if err != nil {
		return endpoint.List{}, err
	}
	cursor := func(found store.Found) string { return string(found.ID) + found.Key }
	return endpoint.NewList(q.page, rows, cursor, func(found store.Found) account.Profile { return found.Profile() })
}

type create struct {
	Email    string                           `json:"email" validate:"required,email"`
	FullName string                           `json:"full_name" validate:"name"`
	Role     string                           `json:"role" validate:"omitempty,role"`
	Password endpoint.Optional[secret.String] `json:"password" validate:"omitempty,password=Email"` // absent to invite the user
}

// A created response contains the new account and its location.
type created struct{ account.Profile }

// Header sets the Location header.
func (c created) Header(h http.Header) { h.Set("Location", "/api/users/"+string(c.ID)) }

func (f *Function) create(ctx context.Context, caller endpoint.Admin, q create) (created, error) {
	if !q.Password.Set {
		return f.invite(ctx, caller, invitation{q.Email, q.FullName, q.Role})
	}
	p, err := registration.Parse(q.Email, q.FullName, cmp.Or(q.Role, string(account.User)), q.Password.Value)
	if err != nil {
		return created{}, err
	}
	a, err := f.Registrar.Create(ctx, p, caller.Proof(), caller.Origin)
	if err != nil {
		return created{}, err
	}
	return created{a.Profile()}, nil
}

// A byID request has the id of an account in its path.
type byID struct{ id account.ID }

// Bind reads the id.
func (q *byID) Bind(r *http.Request) (err error) {
	q.id, err = account.ParseID(r.PathValue("id"))
	return err
}

func (f *Function) one(ctx context.Context, _ endpoint.Admin, q byID) (account.Profile, error) {
	a, err := f.DB.Account(ctx, q.id)
	if err != nil {
		return account.Profile{}, err
	}
	return a.Profile(), nil
}

// A change request changes the members that are present.
type change struct {
	FullName endpoint.Optional[string] `json:"full_name" validate:"omitempty,name"`
	Role     endpoint.Optional[string] `json:"role" validate:"omitempty,role"`
	Disabled endpoint.Optional[bool]   `json:"disabled" validate:"omitempty,flag"`
	Quota    endpoint.Optional[string] `json:"nextcloud_quota" validate:"omitempty,quota"` // null is the default

	byID
}

// changes returns the requested changes.
func (q *change) changes() (c lifecycle.Changes, err error) {
	if c.FullName, err = endpoint.ParseOptional(q.FullName, account.ParseName); err != nil {
		return c, err
	}
	if q.Disabled.Set {
		c.Disabled = &q.Disabled.Value
	}
	if c.Role, err = endpoint.ParseOptional(q.Role, account.ParseRole); err != nil {
		return c, err
	}
	if q.Quota.Null {
		q.Quota.Value = desired.DefaultQuota
	}
	c.Quota, err = endpoint.ParseOptional(q.Quota, desired.ParseQuota)
	return c, err
}

func (f *Function) change(ctx context.Context, caller endpoint.Admin, q change) (account.Profile, error) {
	changes, err := q.changes()
	if err != nil {
		return account.Profile{}, err
	}
	return f.apply(ctx, caller.Caller, caller.Proof(), q.id, changes)
}

func (f *Function) delete(ctx context.Context, caller endpoint.Admin, q byID) (endpoint.None, error) {
	return endpoint.None{}, f.remove(ctx, caller.Proof(), caller.Event(audit.Deleted, q.id, f.Now()))
}

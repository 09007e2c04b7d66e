package ocs

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

// editWindow is how long a server counts edits: 50 in it, for each caller. It
// does not tell when the next one is free; after this long it is.
const editWindow = 10 * time.Minute

// A NewUser is everything about a user in the one call that is not counted
// against the limit of edits.
type NewUser struct {
	ID          string        // a-z A-Z 0-9 space _ . @ - ', 64 of them at most
	Password    secret.String // must satisfy the server's policy
	Email       string        // not checked by the server
	DisplayName string        // 64 characters at most
	Quota       string        // as [quota.Parse] reads it; "" is the server's default
	Groups      []string      // that it is a member of from the start; each must exist
}

// A User is an account as the server knows it.
type User struct {
	ID          string // in the letter case of its creation
	Enabled     bool
	Email       string // "" when there is none
	DisplayName string
	Groups      []string
	AdminOf     []string // the groups whose members it administers
	Backend     string   // what keeps it: [OwnBackend], or "LDAP" and such
	Quota       quota.Quota
	Used        int64     // bytes
	Free        int64     // bytes; -1 until the first login, and when not limited by a number
	LastLogin   time.Time // zero before the first
}

// OwnBackend is the [User.Backend] of accounts that are kept in the server's own
// database. AdminGroup is the group of its administrators.
const (
	OwnBackend = "Database"
	AdminGroup = "admin"
)

// The keys that [Client.Edit] takes.
const (
	KeyEmail       = "email"
	KeyDisplayName = "displayname"
	KeyQuota       = "quota"
	KeyPassword    = "password"
)

// CreateUser makes a user. A quota that the server would misread is
// [ErrInvalid] before anything is sent. After every failure but that the user
// may be there: 101 is also the loser's answer of a race, 102 is also told
// after the account was made.
func (c *Client) CreateUser(ctx context.Context, u NewUser) error {
	const op = "create user"
	if u.ID == "" {
		return &Error{Op: op, Kind: ErrInvalid}
	}
	form := url.Values{"userid": {u.ID}, "password": {u.Password.Reveal()}}
	if u.Email != "" {
		form.Set("email", u.Email)
	}
	if u.DisplayName != "" {
		form.Set("displayName", u.DisplayName)
	}
	if u.Quota != "" {
		if _, err := quota.Parse(u.Quota); err != nil {
			return &Error{Op: op, Kind: ErrInvalid, cause: err}
		}
		form.Set("quota", u.Quota)
	}
	for _, group := range u.Groups {
		form.Add("groups[]", group)
	}
	return c.do(ctx, call{
		op: op, method: http.MethodPost, path: []string{"cloud", "users"}, form: form,
		as: c.admin, writes: true,
		kinds: map[int]error{metaExists: ErrExists, metaInvalid: ErrInvalid, metaNoGroup: ErrNoGroup, metaWeakPassword: ErrWeakPassword},
	})
}

// User returns the user of that id, in whatever letter case it is asked for.
//
// The server leaves the storage out where it fails to measure it, as it does for
// a moment after an account was made; the user is asked for again then. The
// quota is [quota.Unknown] where that goes on.
func (c *Client) User(ctx context.Context, id string) (u User, err error) {
	for n := 1; ; n++ {
		var unmeasured bool
		u, unmeasured, err = c.user(ctx, id)
		if !unmeasured || n == storageTries || transport.Sleep(ctx, storagePause) != nil {
			return u, err
		}
	}
}

// user is one try of [Client.User]; it reports whether the answer left the
// storage out.
func (c *Client) user(ctx context.Context, id string) (u User, unmeasured bool, err error) {
	var raw rawUser
	err = c.onUser(ctx, id, call{
		op: "get user", method: http.MethodGet, data: &raw,
		// 998 is what those get who may not see a user that exists.
		kinds: map[int]error{metaNotFound: ErrNoUser, metaNoUser: ErrForbidden},
	})
	if err != nil {
		return User{}, false, err
	}
	return raw.user(), raw.Storage.unmeasured, nil
}

// Enable lets the user log in again. An enabled user is fine, too.
func (c *Client) Enable(ctx context.Context, id string) error {
	return c.switchUser(ctx, "enable user", id, "enable")
}

// Disable keeps the user from logging in, app passwords included, and keeps the
// files. A disabled user is fine, too. The client's own account is refused.
func (c *Client) Disable(ctx context.Context, id string) error {
	return c.switchUser(ctx, "disable user", id, "disable")
}

func (c *Client) switchUser(ctx context.Context, op, id, verb string) error {
	if c.isAdmin(id) {
		return &Error{Op: op, Kind: ErrInvalid}
	}
	return c.onUser(ctx, id, call{
		op: op, method: http.MethodPut, path: []string{verb}, writes: true,
		kinds: map[int]error{metaInvalid: ErrNoUser, metaNotFound: ErrNoUser, metaNoUser: ErrNoUser},
	})
}

// DeleteUser removes the user with all files and app passwords, at once. The
// client's own account is refused.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	const op = "delete user"
	if c.isAdmin(id) {
		return &Error{Op: op, Kind: ErrInvalid}
	}
	return c.onUser(ctx, id, call{
		op: op, method: http.MethodDelete, writes: true,
		kinds: map[int]error{metaNotFound: ErrNoUser, metaNoUser: ErrNoUser},
	})
}

// Edit sets one of the Key… properties. The server takes 50 edits in 10 minutes
// from one caller, then it is [ErrRateLimited].
func (c *Client) Edit(ctx context.Context, id, key, value string) error {
	return c.edit(ctx, id, c.admin, key, value)
}

// EditOwn is [Client.Edit] by the user, with the real password: the limit is
// that user's own then. Some servers do not let users change all of it.
func (c *Client) EditOwn(ctx context.Context, id string, password secret.String, key, value string) error {
	if id == "" || password == "" || strings.Contains(id, ":") {
		return &Error{Op: "edit " + key + " of oneself", Kind: ErrUnauthorized, cause: errNoCredentials}
	}
	return c.edit(ctx, id, credentials{id, password}, key, value)
}

func (c *Client) edit(ctx context.Context, id string, as credentials, key, value string) error {
	k := call{
		as: as,
		op: "edit " + key + " of user", method: http.MethodPut, writes: true,
		form: url.Values{"key": {key}, "value": {value}},
		kinds: map[int]error{
			metaNotFound: ErrNoUser, metaNoUser: ErrNoUser,
			metaInvalid: ErrInvalid, metaExists: ErrInvalid,
		},
	}
	switch key {
	case KeyEmail, KeyDisplayName:
	case KeyPassword:
		k.kinds[metaBadKey] = ErrWeakPassword
	case KeyQuota:
		if _, err := quota.Parse(value); err != nil {
			return &Error{Op: k.op, Kind: ErrInvalid, cause: err}
		}
	default:
		return &Error{Op: "edit user", Kind: ErrInvalid} // the server would take some of them
	}
	return c.onUser(ctx, id, k)
}

// AddGroup makes a group. One that is there is fine, too.
func (c *Client) AddGroup(ctx context.Context, group string) error {
	err := c.do(ctx, call{
		op: "add group", method: http.MethodPost, path: []string{"cloud", "groups"}, as: c.admin, writes: true,
		form: url.Values{"groupid": {group}}, kinds: map[int]error{metaExists: ErrExists, metaInvalid: ErrInvalid},
	})
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// AddToGroup makes the user a member of the group, which must exist. A member
// is fine, too.
func (c *Client) AddToGroup(ctx context.Context, id, group string) error {
	return c.onUser(ctx, id, call{
		op: "add to group", method: http.MethodPost, path: []string{"groups"}, writes: true,
		form:  url.Values{"groupid": {group}},
		kinds: map[int]error{metaExists: ErrNoGroup, metaBadKey: ErrNoUser, metaNotFound: ErrNoUser, metaNoUser: ErrNoUser},
	})
}

// Users returns the ids that match search in id, display name or e-mail, sorted
// by the server; "" matches all. limit 0 is no limit.
func (c *Client) Users(ctx context.Context, search string, limit, offset int) ([]string, error) {
	query := url.Values{}
	if search != "" {
		query.Set("search", search)
	}
	if limit > 0 { // the server takes 0 by its word
		query.Set("limit", strconv.Itoa(limit))
	}
	if offset > 0 {
		query.Set("offset", strconv.Itoa(offset))
	}
	var list struct {
		Users []word `json:"users"`
	}
	const op = "list users"
	err := c.do(ctx, call{
		op: op, method: http.MethodGet, path: []string{"cloud", "users"}, query: query,
		as: c.admin, data: &list,
	})
	if err != nil {
		return nil, err
	}
	if list.Users == nil { // an answer without the list must not read as "nobody is there"
		return nil, &Error{Op: op, Kind: ErrBadAnswer, Status: http.StatusOK, cause: errData}
	}
	ids := make([]string, len(list.Users))
	for i, id := range list.Users {
		ids[i] = string(id)
	}
	return ids, nil
}

// UserDetails returns the users of a page, in no order; past the end there are
// none. A page can hold more than limit where the server has several sources of
// users. Each user costs the server as much as [Client.User] does.
//
// The server refuses the whole page where one of its users is deleted while it
// reads them, which takes seconds; the page is asked for again then. It is
// [ErrNoUser] where that goes on.
func (c *Client) UserDetails(ctx context.Context, limit, offset int) (users []User, err error) {
	return c.SearchUsers(ctx, "", limit, offset)
}

// SearchUsers is [Client.UserDetails] of those users whose id, display name or
// e-mail address contains search, in whatever letter case. What other sources of
// users than the server's own look at is up to them.
func (c *Client) SearchUsers(ctx context.Context, search string, limit, offset int) (users []User, err error) {
	for range pageTries {
		users, err = c.page(ctx, search, limit, offset)
		if !errors.Is(err, ErrNoUser) {
			break
		}
	}
	return users, err
}

func (c *Client) page(ctx context.Context, search string, limit, offset int) ([]User, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}}
	if search != "" {
		query.Set("search", search)
	}
	var page struct {
		Users rawUsers `json:"users"`
	}
	const op = "list users with details"
	err := c.do(ctx, call{
		op: op, method: http.MethodGet, path: []string{"cloud", "users", "details"}, as: c.admin, data: &page,
		query: query,
		kinds: map[int]error{metaNotFound: ErrNoUser},
	})
	if err != nil {
		return nil, err
	}
	if page.Users == nil { // as with Users
		return nil, &Error{Op: op, Kind: ErrBadAnswer, Status: http.StatusOK, cause: errData}
	}
	users := make([]User, 0, len(page.Users))
	for _, raw := range page.Users {
		u := raw.user()
		if raw.Storage.unmeasured { // once more, as there can be many
			if u, _, err = c.user(ctx, u.ID); err != nil {
				return nil, err
			}
		}
		users = append(users, u)
	}
	return users, nil
}

// rawUsers is an object of users by id, which PHP makes a list of when it is
// empty or when its keys count up from 0.
type rawUsers []rawUser

func (r *rawUsers) UnmarshalJSON(b []byte) error {
	list, byID := []rawUser{}, map[string]rawUser{}
	if len(b) > 0 && b[0] == '[' {
		err := json.Unmarshal(b, &list)
		*r = list
		return err
	}
	if err := json.Unmarshal(b, &byID); err != nil || string(b) == "null" {
		return err
	}
	for _, u := range byID {
		list = append(list, u)
	}
	*r = list
	return nil
}

// onUser makes a call on /cloud/users/{id}, as the administrator.
func (c *Client) onUser(ctx context.Context, id string, k call) error {
	if !isSegment(id) {
		return &Error{Op: k.op, Kind: ErrNoUser} // no server has such an id
	}
	k.path = append([]string{"cloud", "users", id}, k.path...)
	if k.as.user == "" {
		k.as = c.admin
	}
	return c.do(ctx, k)
}

// isSegment reports whether id can stand in a path and mean itself; an empty
// one would be the list of users, dots are resolved by proxies.
func isSegment(id string) bool {
	return id != "" && id != "." && id != ".." && !strings.ContainsAny(id, "/\\\x00")
}

func (c *Client) isAdmin(id string) bool { return strings.EqualFold(id, c.admin.user) }

// rawUser is the answer about one user. An account's own view of itself does
// not say whether it is enabled: it is, or there was no answer.
type rawUser struct {
	ID          word    `json:"id"`
	Enabled     *bool   `json:"enabled"`
	Email       *string `json:"email"`
	DisplayName word    `json:"displayname"`
	LastLogin   float64 `json:"lastLogin"` // milliseconds
	Groups      []word  `json:"groups"`
	AdminOf     []word  `json:"subadmin"`
	Backend     word    `json:"backend"`
	Storage     storage `json:"quota"`
}

// UnmarshalJSON refuses data without an id: PHP makes an empty list of what
// should be an object.
func (r *rawUser) UnmarshalJSON(b []byte) error {
	type plain rawUser
	p := plain{Storage: storage{Quota: quota.Unknown}}
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	if p.ID == "" {
		return errData
	}
	*r = rawUser(p)
	return nil
}

func (r *rawUser) user() User {
	u := User{
		ID:          string(r.ID),
		Enabled:     r.Enabled == nil || *r.Enabled,
		DisplayName: string(r.DisplayName),
		Backend:     string(r.Backend),
		Quota:       r.Storage.Quota,
		Used:        int64(r.Storage.Used),
		Free:        -1,
	}
	for _, group := range r.Groups {
		u.Groups = append(u.Groups, string(group))
	}
	for _, group := range r.AdminOf {
		u.AdminOf = append(u.AdminOf, string(group))
	}
	if r.Email != nil {
		u.Email = *r.Email
	}
	if r.Storage.Free != nil && *r.Storage.Free >= 0 {
		u.Free = int64(*r.Storage.Free)
	}
	if r.LastLogin > 0 {
		u.LastLogin = time.UnixMilli(int64(r.LastLogin)).UTC()
	}
	return u
}

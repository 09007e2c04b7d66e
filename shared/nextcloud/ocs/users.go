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

// editWindow is the window of the server's rate limit: 50 edits for each caller. The
// server does not report when the next edit is possible; after this time it is.
const editWindow = 10 * time.Minute

// A NewUser holds all properties of a user for [Client.CreateUser], which does not count
// against the rate limit of edits.
type NewUser struct {
	ID          string        // at most 64 characters of a-z A-Z 0-9 space _ . @ - '
	Password    secret.String // must satisfy the server's password policy
	Email       string        // not checked by the server
	DisplayName string        // at most 64 characters
	Quota       string        // in the format of [quota.Parse]; "" for the server's default
	Groups      []string      // initial groups; each must exist
}

// A User is an account on the server.
type User struct {
	ID          string // in the letter case in which it was created
	Enabled     bool
	Email       string // "" if there is none
	DisplayName string
	Groups      []string
	AdminOf     []string // groups whose members it administers
	Backend     string   // [OwnBackend], or the name of another user backend, such as "LDAP"
	Quota       quota.Quota
	Used        int64     // bytes
	Free        int64     // bytes; -1 before the first login, and without a numeric quota
	LastLogin   time.Time // zero before the first
}

// OwnBackend is the [User.Backend] of accounts in the server's database. AdminGroup
// is the group of administrators.
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

// CreateUser creates a user. A quota that the server would misread is [ErrInvalid] before
// anything is sent. After every other failure the user may exist: the server also returns
// 101 to the loser of a race, and 102 after it created the account.
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

// User returns the user with the ID, in any letter case.
//
// The server omits the storage if it fails to measure it, as it does for a moment after an
// account was created. User then repeats the request a few times. The quota is
// [quota.Unknown] if the storage is still missing.
func (c *Client) User(ctx context.Context, id string) (u User, err error) {
	for n := 1; ; n++ {
		var unmeasured bool
		u, unmeasured, err = c.user(ctx, id)
		if !unmeasured || n == storageAttempts || transport.Sleep(ctx, storagePause) != nil {
			return u, err
		}
	}
}

// user is one attempt of [Client.User]. It reports whether the storage was missing.
func (c *Client) user(ctx context.Context, id string) (u User, unmeasured bool, err error) {
	var raw rawUser
	err = c.onUser(ctx, id, call{
		op: "get user", method: http.MethodGet, data: &raw,
		// 998 if the caller may not see the user.
		kinds: map[int]error{metaNotFound: ErrNoUser, metaNoUser: ErrForbidden},
	})
	if err != nil {
		return User{}, false, err
	}
	return raw.user(), raw.Storage.unmeasured, nil
}

// Enable lets the user log in again. It does nothing for an enabled user.
func (c *Client) Enable(ctx context.Context, id string) error {
	return c.switchUser(ctx, "enable user", id, "enable")
}

// Disable prevents logins of the user, also with app passwords, and keeps the files. It
// does nothing for a disabled user. The administrator of the client is [ErrInvalid].
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

// DeleteUser deletes the user with all files and app passwords. The administrator of the
// client is [ErrInvalid].
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

// Edit sets one of the Key… properties. After 50 edits in 10 minutes by one caller it is
// [ErrRateLimited].
func (c *Client) Edit(ctx context.Context, id, key, value string) error {
	return c.edit(ctx, id, c.admin, key, value)
}

// EditOwn is [Client.Edit] by the user, with the real password, under the rate limit of
// the user. Some servers do not let users change every property.
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
		return &Error{Op: "edit user", Kind: ErrInvalid} // the server accepts some of them
	}
	return c.onUser(ctx, id, k)
}

// AddGroup creates a group. It does nothing if the group exists.
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

// AddToGroup makes the user a member of the group, which must exist. It does nothing for a
// member.
func (c *Client) AddToGroup(ctx context.Context, id, group string) error {
	return c.onUser(ctx, id, call{
		op: "add to group", method: http.MethodPost, path: []string{"groups"}, writes: true,
		form:  url.Values{"groupid": {group}},
		kinds: map[int]error{metaExists: ErrNoGroup, metaBadKey: ErrNoUser, metaNotFound: ErrNoUser, metaNoUser: ErrNoUser},
	})
}

// Users returns the IDs of the users whose ID, display name or e-mail address contains
// search, sorted by the server; "" matches all. A limit of 0 is no limit.
func (c *Client) Users(ctx context.Context, search string, limit, offset int) ([]string, error) {
	query := url.Values{}
	if search != "" {
		query.Set("search", search)
	}
	if limit > 0 { // the server would return no user for 0
		query.Set("limit", strconv.Itoa(limit))
	}
	if offset > 0 {
		query.Set("offset", strconv.Itoa(offset))
	}
	var list struct {
		Users []phpString `json:"users"`
	}
	const op = "list users"
	err := c.do(ctx, call{
		op: op, method: http.MethodGet, path: []string{"cloud", "users"}, query: query,
		as: c.admin, data: &list,
	})
	if err != nil {
		return nil, err
	}
	if list.Users == nil { // a response without the list must not read as "no users"
		return nil, &Error{Op: op, Kind: ErrBadAnswer, Status: http.StatusOK, cause: errData}
	}
	ids := make([]string, len(list.Users))
	for i, id := range list.Users {
		ids[i] = string(id)
	}
	return ids, nil
}

// UserDetails returns a page of users, in no order; past the end there are none. A page can
// have more than limit users if the server has several user backends. Each user costs the
// server as much as [Client.User].
//
// The server rejects the whole page if one of its users is deleted while it reads them,
// which takes seconds. UserDetails then repeats the request a few times, and finally
// returns [ErrNoUser].
func (c *Client) UserDetails(ctx context.Context, limit, offset int) (users []User, err error) {
	return c.SearchUsers(ctx, "", limit, offset)
}

// SearchUsers is [Client.UserDetails] of the users whose ID, display name or e-mail address
// contains search, in any letter case. Other user backends may search other properties.
func (c *Client) SearchUsers(ctx context.Context, search string, limit, offset int) (users []User, err error) {
	for range pageAttempts {
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
	if page.Users == nil { // as in Users
		return nil, &Error{Op: op, Kind: ErrBadAnswer, Status: http.StatusOK, cause: errData}
	}
	users := make([]User, 0, len(page.Users))
	for _, raw := range page.Users {
		u := raw.user()
		if raw.Storage.unmeasured { // only once, since there can be many
			if u, _, err = c.user(ctx, u.ID); err != nil {
				return nil, err
			}
		}
		users = append(users, u)
	}
	return users, nil
}

// rawUsers is an object of users by ID. PHP encodes it as a list if it is empty, or if its
// keys are 0, 1, 2 and so on.
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
		return &Error{Op: k.op, Kind: ErrNoUser} // no server has such an ID
	}
	k.path = append([]string{"cloud", "users", id}, k.path...)
	if k.as.user == "" {
		k.as = c.admin
	}
	return c.do(ctx, k)
}

// isSegment reports whether id can be a segment of a path. An empty one would address the
// list of users, and proxies resolve dots.
func isSegment(id string) bool {
	return id != "" && id != "." && id != ".." && !strings.ContainsAny(id, "/\\\x00")
}

func (c *Client) isAdmin(id string) bool { return strings.EqualFold(id, c.admin.user) }

// rawUser is the response for one user. The response to the user lacks "enabled", since a
// disabled user gets no response.
type rawUser struct {
	ID          phpString   `json:"id"`
	Enabled     *bool       `json:"enabled"`
	Email       *string     `json:"email"`
	DisplayName phpString   `json:"displayname"`
	LastLogin   float64     `json:"lastLogin"` // milliseconds
	Groups      []phpString `json:"groups"`
	AdminOf     []phpString `json:"subadmin"`
	Backend     phpString   `json:"backend"`
	Storage     storage     `json:"quota"`
}

// UnmarshalJSON rejects data without an ID, such as the empty list that PHP makes of an
// empty object.
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

package nextcloudtest

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// skeleton is what a home folder holds after the first login, in bytes.
const skeleton = 164

// An account is one user. Its fields are guarded by the server's lock.
type account struct {
	id          string
	password    string
	generation  int // counts password changes
	email       string
	displayName string // "" is the id
	quota       string // as stored
	language    string
	groups      []string
	admin       bool
	backend     string   // what keeps it
	adminOf     []string // groups
	disabled    bool
	lastLogin   time.Time
	extra       int64 // bytes that it claims to store besides its files
	files       *node // nil until the first login
	uploads     *node // parts; nil for none
}

func newAccount(id, password string) *account {
	return &account{id: id, password: password, quota: quotaDefault, language: "en", backend: "Database"}
}

func (a *account) name() string { return cmp.Or(a.displayName, a.id) }

func (a *account) setPassword(password string) {
	a.password = password
	a.generation++
}

// find returns the account with that id, ignoring letter case, or nil.
func (s *Server) find(id string) *account { return s.accounts[strings.ToLower(id)] }

// sorted returns all accounts in the order of the server: first those with a
// display name, by that name, then the others by id.
func (s *Server) sorted() []*account {
	all := make([]*account, 0, len(s.accounts))
	for _, a := range s.accounts {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *account) int {
		if (a.displayName == "") != (b.displayName == "") {
			return strings.Compare(b.displayName, a.displayName) // an account without a name is last
		}
		return cmp.Or(
			strings.Compare(strings.ToLower(a.displayName), strings.ToLower(b.displayName)),
			strings.Compare(strings.ToLower(a.id), strings.ToLower(b.id)))
	})
	return all
}

// matches reports whether the search word is in id, name or e-mail.
func (a *account) matches(word string) bool {
	word = strings.ToLower(word)
	return slices.ContainsFunc([]string{a.id, a.displayName, a.email}, func(s string) bool {
		return strings.Contains(strings.ToLower(s), word)
	})
}

// data returns the properties of the account that the caller may see. Only
// administrators see whether it is enabled, only its owner sees who may see each
// property.
func (s *Server) data(a *account, who caller) object {
	var d object
	scoped := func(name string, value, scope any) {
		d = append(d, member{name, value})
		if a == who.account {
			d = append(d, member{strings.Replace(name, "display-name", "displayname", 1) + "Scope", scope})
		}
	}
	if who.account.admin {
		d = append(d, member{"enabled", !a.disabled}, member{"storageLocation", "/var/www/data/" + a.id})
	}
	var lastLogin int64
	if !a.lastLogin.IsZero() {
		lastLogin = a.lastLogin.UnixMilli()
	}
	adminOf := make([]any, 0, len(a.adminOf))
	for _, g := range a.adminOf {
		adminOf = append(adminOf, g)
	}
	d = append(d, member{"id", a.id}, member{"lastLogin", lastLogin}, member{"backend", a.backend},
		member{"subadmin", adminOf}, member{"quota", s.quotaObject(a)}, member{"manager", ""})
	if a == who.account {
		d = append(d, member{"avatarScope", "v2-federated"})
	}
	var email any
	if a.email != "" {
		email = a.email
	}
	scoped("email", email, "v2-federated")
	scoped("additional_mail", []any{}, []any{})
	d = append(d, member{"displayname", a.name()})
	scoped("display-name", a.name(), "v2-federated")
	for _, property := range []string{
		"phone", "address", "website", "twitter", "fediverse", "organisation", "role", "headline", "biography",
	} {
		scoped(property, "", "v2-local")
	}
	scoped("profile_enabled", "1", "v2-local")
	groups := make([]any, 0, len(a.groups))
	for _, g := range a.groups {
		groups = append(groups, g)
	}
	return append(d, member{"groups", groups}, member{"language", a.language}, member{"locale", ""},
		member{"notify_email", nil},
		member{"backendCapabilities", object{{"setDisplayName", true}, {"setPassword", true}}})
}

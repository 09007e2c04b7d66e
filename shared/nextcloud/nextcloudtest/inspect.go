package nextcloudtest

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// A User is the state of an account, for tests to compare.
type User struct {
	ID           string
	Email        string
	DisplayName  string // "" until one was set
	Quota        string // as stored: "50 MB", "none", "default"
	Enabled      bool
	AppPasswords []string // their names, sorted
	LastLogin    time.Time
}

// Users returns all accounts, the administrator's too, sorted by id.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]User, 0, len(s.accounts))
	for _, a := range s.accounts {
		u := User{
			ID: a.id, Email: a.email, DisplayName: a.displayName, Quota: a.quota,
			Enabled: !a.disabled, LastLogin: a.lastLogin,
		}
		for _, t := range s.tokens {
			if t.owner == a {
				u.AppPasswords = append(u.AppPasswords, t.name)
			}
		}
		slices.Sort(u.AppPasswords)
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b User) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// User returns the account with that id, ignoring letter case.
func (s *Server) User(id string) (User, bool) {
	for _, u := range s.Users() {
		if strings.EqualFold(u.ID, id) {
			return u, true
		}
	}
	return User{}, false
}

// A Call is one request that was answered.
type Call struct {
	Method string
	Path   string // decoded, with the folder of the installation
	Search string // the search term of a list of users; may be empty
	User   string // of the credentials, valid or not; "" without credentials
	Status int    // 0 if the connection was cut before
}

// Calls returns the latest requests, in the order in which they ended.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// maxCalls bounds what is remembered: the development server runs for days.
const maxCalls = 10_000

func (s *Server) record(r *http.Request, status int) {
	user, _, _ := r.BasicAuth()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) >= maxCalls {
		s.calls = slices.Delete(s.calls, 0, maxCalls/2)
	}
	s.calls = append(s.calls, Call{r.Method, r.URL.Path, r.URL.Query().Get("search"), user, status})
}

// ValidCredentials reports whether the name and password, or app password, open an account
// now. It does not log in: it neither counts as a failed login nor revives a token.
func (s *Server) ValidCredentials(user string, password secret.String) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tokens[password.Reveal()]; ok {
		look := *t
		return look.alive(user, s.opts.Now()) && !t.owner.disabled
	}
	a := s.named(user)
	return a != nil && !a.disabled && password != "" && a.password == password.Reveal()
}

// AddUser creates an account without any check, as another program would. It
// replaces an existing one together with its app passwords.
func (s *Server) AddUser(id string, password secret.String, email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.find(id); old != nil {
		s.drop(old)
	}
	a := newAccount(id, password.Reveal())
	a.email = email
	s.accounts[strings.ToLower(id)] = a
}

// RemoveUser deletes an account, as another program would.
func (s *Server) RemoveUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.find(id); a != nil {
		s.drop(a)
	}
}

// Set sets the email, displayname or quota of an account as an administrator
// would, without the limit of edits. It reports whether the value was accepted.
func (s *Server) Set(id, key, value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(id)
	if a == nil {
		return false
	}
	edit := map[string]func(string) reply{
		"email": a.editEmail, "displayname": a.editName, "quota": a.editQuota,
	}[key]
	return edit != nil && edit(value).code == http.StatusOK
}

// SetEnabled enables or disables an account.
func (s *Server) SetEnabled(id string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.find(id); a != nil {
		a.disabled = !on
	}
}

// SetBackend sets the user back end of an account, such as "LDAP".
func (s *Server) SetBackend(id, backend string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.find(id); a != nil {
		a.backend = backend
	}
}

// MakeAdmin makes an account an administrator of a group, or, for the group
// "admin", of the server.
func (s *Server) MakeAdmin(id, group string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(id)
	switch {
	case a == nil:
	case group == "admin":
		a.admin, a.groups = true, append(a.groups, group)
	default:
		a.adminOf = append(a.adminOf, group)
	}
}

// SetUsed sets how many bytes the user has stored.
func (s *Server) SetUsed(id string, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.find(id); a != nil {
		a.extra = bytes - s.home(a).size
	}
}

// File returns the content that the user stores at a path, and whether the path
// exists.
func (s *Server) File(user, path string) (content []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(user)
	if a == nil || a.files == nil {
		return nil, false
	}
	n, err := walk(a.files, strings.Split(path, "/"))
	if err != nil || n.folder() {
		return nil, false
	}
	from, err := n.open()
	if err != nil {
		return nil, false
	}
	if closer, ok := from.(io.Closer); ok {
		defer closer.Close()
	}
	content, err = io.ReadAll(from)
	return content, err == nil
}

// Paths returns the sorted paths that the user stores, without the initial file.
// Those of folders end in a slash.
func (s *Server) Paths(user string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(user)
	if a == nil || a.files == nil {
		return nil
	}
	var all []string
	var list func(n *node, at string)
	list = func(n *node, at string) {
		for _, name := range n.names() {
			child := n.children[name]
			switch {
			case child.folder():
				all = append(all, at+name+"/")
				list(child, at+name+"/")
			case at+name != "welcome.txt":
				all = append(all, at+name)
			}
		}
	}
	list(a.files, "")
	slices.Sort(all)
	return all
}

// Uploads returns how many uploads of the user are in progress or abandoned.
func (s *Server) Uploads(user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.find(user); a != nil && a.uploads != nil {
		return len(a.uploads.children)
	}
	return 0
}

// SetPassword changes a password as the server's administrator would.
func (s *Server) SetPassword(id string, password secret.String) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.find(id); a != nil {
		a.setPassword(password.Reveal())
	}
}

// RevokeAll revokes all app passwords of the user, as a user does who clears the
// list of devices.
func (s *Server) RevokeAll(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for plain, t := range s.tokens {
		if strings.EqualFold(t.owner.id, user) {
			delete(s.tokens, plain)
		}
	}
}

// SetDefaultQuota sets the meaning of "default", initially "none".
func (s *Server) SetDefaultQuota(quota string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.defaultQuota = quota
}

// SetMaintenance switches the maintenance mode.
func (s *Server) SetMaintenance(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maintenance = on
}

// SetAllowListed sets whether every address is exempt from brute-force protection.
func (s *Server) SetAllowListed(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowListed = on
}

// SetKeepTokens lets app passwords that are made from now on outlive changes of
// the password (the server's option auth.storeCryptedPassword=false).
func (s *Server) SetKeepTokens(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepTokens = on
}

// AddFailedLogins adds failed logins of a user from an address, now.
func (s *Server) AddFailedLogins(address, user string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.failedLogins = append(s.failedLogins, failedLogin{address, strings.ToLower(user), s.opts.Now()})
	}
}

// FailedLogins returns how many failed logins the server remembers.
func (s *Server) FailedLogins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.failedLogins)
}

// ResetThrottle forgets all failed logins and counted edits.
func (s *Server) ResetThrottle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failedLogins = nil
	clear(s.edits)
}

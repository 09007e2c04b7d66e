package nextcloudtest

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"
)

// How failed logins slow an address down, as the real server does.
const (
	failedLoginLifetime = 12 * time.Hour         // how long a failed login counts
	lockWindow          = 30 * time.Minute       // more than lockFailures in it lock the address out
	lockFailures        = 10                     //
	firstDelay          = 200 * time.Millisecond // for one failed login; doubled for each further one
	longestDelay        = 25 * time.Second       //
)

// tokenCheck is how long an app password is accepted before the server checks
// whether the user's password has changed since it was created.
const tokenCheck = 5 * time.Minute

// A failedLogin counts against the address that it came from.
type failedLogin struct {
	address string
	user    string // as sent, in lower case
	at      time.Time
}

// A token is an app password.
type token struct {
	owner      *account
	loginName  string // the only user name that it is valid with, besides the e-mail
	name       string // among the user's devices
	generation int    // of the password at its creation
	checked    time.Time
	dead       bool
	forever    bool // created while the server did not store the password with it
}

// A caller is the sender of a request; account is nil without a login.
type caller struct {
	account  *account
	password string // as sent
	token    *token // if the password is an app password
}

// Outcomes of a login.
type loginOutcome int

const (
	loginNone     loginOutcome = iota // no credentials, or of an unknown kind
	loginDone                         //
	loginRefused                      // counts as a failed login
	loginDisabled                     // the account is disabled; does not count
	loginLocked                       // too many failed logins; the credentials were not checked
)

// login checks the credentials of a request. An empty password is a wrong one for
// WebDAV, and no password for OCS.
func (s *Server) login(r *http.Request, dav bool) (caller, loginOutcome) {
	user, password, given := r.BasicAuth()
	if !given || (password == "" && !dav) {
		return caller{}, loginNone
	}
	s.mu.Lock()
	now, from := s.opts.Now(), address(r)
	delay, locked := s.throttle(from, now)
	s.mu.Unlock()
	if locked {
		return caller{}, loginLocked
	}
	s.opts.Delay(r.Context(), delay)

	s.mu.Lock()
	defer s.mu.Unlock()
	who := s.open(user, password, now)
	switch {
	case who.account == nil:
		if !s.allowListed {
			s.failedLogins = append(s.failedLogins, failedLogin{from, strings.ToLower(user), now})
		}
		return caller{}, loginRefused
	case who.account.disabled:
		return who, loginDisabled
	}
	s.forgive(from, user)
	s.home(who.account)
	who.account.lastLogin = now
	return who, loginDone
}

// open returns the account for a name and password.
func (s *Server) open(user, password string, now time.Time) caller {
	if t, ok := s.tokens[password]; ok {
		if t.alive(user, now) {
			return caller{t.owner, password, t}
		}
		return caller{}
	}
	a := s.named(user)
	if a == nil || password == "" || a.password != password {
		return caller{}
	}
	for _, t := range s.tokens { // one login with the new password revives the old tokens
		if t.owner == a {
			t.generation, t.dead = a.generation, false
		}
	}
	return caller{account: a, password: password}
}

// named returns the account with that id, ignoring letter case, or with that
// e-mail address if only one account has it.
func (s *Server) named(user string) *account {
	if a := s.find(user); a != nil {
		return a
	}
	var found *account
	for _, a := range s.accounts {
		if a.email == "" || !strings.EqualFold(a.email, user) {
			continue
		}
		if found != nil {
			return nil
		}
		found = a
	}
	return found
}

// alive reports whether the token is valid with that user name. It expires when
// the check finds that the password has changed.
func (t *token) alive(user string, now time.Time) bool {
	if user != t.loginName && (t.owner.email == "" || user != t.owner.email) {
		return false
	}
	if now.Sub(t.checked) >= tokenCheck {
		t.checked = now
		t.dead = t.dead || (!t.forever && t.generation != t.owner.generation)
	}
	return !t.dead
}

// throttle returns how long an address waits before its credentials are checked,
// or that it is locked out.
func (s *Server) throttle(from string, now time.Time) (delay time.Duration, locked bool) {
	if s.allowListed {
		return 0, false
	}
	recent := 0
	for _, k := range s.failedLogins {
		age := now.Sub(k.at)
		if k.address != from || age >= failedLoginLifetime {
			continue
		}
		if age < lockWindow {
			recent++
		}
		delay = min(max(2*delay, firstDelay), longestDelay)
	}
	return delay, recent > lockFailures
}

// forgive drops the failed logins of a user who logged in. It keeps those of other users.
func (s *Server) forgive(from, user string) {
	kept := s.failedLogins[:0]
	for _, k := range s.failedLogins {
		if k.address != from || k.user != strings.ToLower(user) {
			kept = append(kept, k)
		}
	}
	s.failedLogins = kept
}

// newAppPassword creates a token for a caller with the account's password.
func (s *Server) newAppPassword(q query) reply {
	if q.who.token != nil {
		return refused(403, "You cannot request an new apppassword with an apppassword")
	}
	user, _, _ := q.r.BasicAuth()
	plain := rand.Text() + rand.Text() + rand.Text() // 26 characters each
	plain = plain[:72]
	s.tokens[plain] = &token{
		owner: q.who.account, loginName: user, name: q.r.UserAgent(),
		generation: q.who.account.generation, checked: s.opts.Now(), forever: s.keepTokens,
	}
	return ok(object{{"apppassword", plain}})
}

// dropAppPassword revokes the token of the request.
func (s *Server) dropAppPassword(q query) reply {
	if q.who.token == nil {
		return refused(403, "no app password in use")
	}
	delete(s.tokens, q.who.password)
	return ok(nil)
}

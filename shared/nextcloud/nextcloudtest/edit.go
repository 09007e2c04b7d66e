package nextcloudtest

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	editLimit  = 50 // edits by one caller
	editWindow = 10 * time.Minute

	minPassword    = 10  // characters
	maxPassword    = 469 // bytes
	maxUserID      = 64  // characters
	maxDisplayName = 64  // characters
)

// params are the parameters of a call; a list holds more than one value.
type params map[string][]string

func (p params) get(name string) string {
	if len(p[name]) == 0 {
		return ""
	}
	return p[name][0]
}

// readParams reads a form or a JSON object. broken reports that PHP would crash,
// as on a parameter that is not a string.
func readParams(r *http.Request) (p params, broken bool) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/json" {
		if r.Method == http.MethodDelete { // PHP reads the body of that, too
			r = r.Clone(r.Context())
			r.Method = http.MethodPost
		}
		if err := r.ParseForm(); err != nil {
			return nil, true
		}
		p = params{}
		for name, values := range r.Form {
			p[strings.TrimSuffix(name, "[]")] = values
		}
		return p, false
	}
	var doc map[string]any
	if json.NewDecoder(r.Body).Decode(&doc) != nil {
		return nil, true
	}
	p = params{}
	for name, value := range doc {
		switch v := value.(type) {
		case string:
			p[name] = []string{v}
		case []any:
			for _, item := range v {
				text, isText := item.(string)
				if !isText {
					return nil, true
				}
				p[name] = append(p[name], text)
			}
		default:
			return nil, true
		}
	}
	return p, false
}

// create answers POST cloud/users.
func (s *Server) create(q query) reply {
	if !q.who.account.admin {
		return refused(403, notSubAdmin)
	}
	p := q.params
	if q.broken || p["userid"] == nil {
		return crashed()
	}
	id, password := p.get("userid"), p.get("password")
	if s.find(id) != nil {
		return refused(102, "User already exists")
	}
	for _, g := range p["groups"] {
		if !s.groups[g] {
			return refused(104, "group "+g+" does not exist")
		}
	}
	switch {
	case len(password) > maxPassword:
		return refused(101, "Invalid password value")
	case password == "" && p.get("email") == "":
		return refused(108, "To send a password link to the user an email address is required.")
	}
	if message := refuseID(id); message != "" {
		return refused(101, message)
	}
	if message := refusePassword(password); password != "" && message != "" {
		return refused(107, message)
	}
	if utf8.RuneCountInString(id) > maxUserID {
		return refused(101, "Bad request")
	}
	return s.created(id, password, p)
}

// created creates the account and sets its properties one after the other. Those
// before the first rejected one stay.
func (s *Server) created(id, password string, p params) reply {
	a := newAccount(id, password)
	a.groups = p["groups"]
	s.accounts[strings.ToLower(id)] = a
	if name := p.get("displayName"); name != "" {
		if utf8.RuneCountInString(name) > maxDisplayName {
			s.drop(a)
			return refused(101, "Invalid displayname")
		}
		a.displayName = name
	}
	if quota := p.get("quota"); quota != "" {
		stored, valid := storedQuota(quota)
		if !valid {
			return refused(102, "Invalid quota value "+quota)
		}
		if stored == "?" {
			return refused(101, "Failed to set quota to invalid value ?")
		}
		a.quota = stored
	}
	if language := p.get("language"); language != "" {
		a.language = language
	}
	a.email = p.get("email") // not validated
	return ok(object{{"id", id}})
}

var (
	illegalID  = regexp.MustCompile(`[^a-zA-Z0-9 _.@\-']`)
	reservedID = regexp.MustCompile(`(?i)^(\.htaccess|files_external|__groupfolders|nextcloud\.log|owncloud\.log|appdata_.*)$`)
)

// refuseID returns what is wrong with a user id, or "".
func refuseID(id string) string {
	switch {
	case illegalID.MatchString(id):
		return `Only the following characters are allowed in a username: "a-z", "A-Z", "0-9", spaces and "_.@-'"`
	case strings.TrimSpace(id) == "":
		return "A valid username must be provided"
	case strings.TrimSpace(id) != id:
		return "Username contains whitespace at the beginning or at the end"
	case id == "." || id == "..":
		return "Username must not consist of dots only"
	case reservedID.MatchString(id):
		return "Username is invalid because files already exist for this user"
	}
	return ""
}

// refusePassword returns why the policy rejects a password, or "".
func refusePassword(password string) string {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "Password needs to be at least 10 characters long."
	case commonPassword.MatchString(password):
		return "Password is among the 1,000,000 most common ones. Please make it unique."
	}
	return ""
}

// commonPassword stands for the list of the real server.
var commonPassword = regexp.MustCompile(`(?i)^(qwertyuiop|password1?2?3?4?|1234567890|0123456789|1q2w3e4r5t)$`)

// edit answers PUT cloud/users/{id}.
func (s *Server) edit(q query) reply {
	if s.tooManyEdits(q.who.account) {
		return reply{code: http.StatusTooManyRequests}
	}
	p := q.params
	if q.broken || p["key"] == nil || p["value"] == nil {
		return crashed()
	}
	a := s.find(q.subject)
	if a == nil || (a != q.who.account && !q.who.account.admin) {
		return refused(998, "")
	}
	switch key, value := p.get("key"), p.get("value"); key {
	case "displayname":
		return a.editName(value)
	case "email":
		return a.editEmail(value)
	case "password":
		return a.editPassword(value)
	case "quota":
		if q.who.account.admin {
			return a.editQuota(value)
		}
	}
	return refused(103, "")
}

// tooManyEdits reports whether the edit exceeds the limit. Otherwise it counts it.
func (s *Server) tooManyEdits(by *account) bool {
	now, key := s.opts.Now(), strings.ToLower(by.id)
	recent := s.edits[key][:0]
	for _, at := range s.edits[key] {
		if now.Sub(at) < editWindow {
			recent = append(recent, at)
		}
	}
	if len(recent) >= editLimit {
		s.edits[key] = recent
		return true
	}
	s.edits[key] = append(recent, now)
	return false
}

func (a *account) editName(value string) reply {
	if utf8.RuneCountInString(value) > maxDisplayName {
		return refused(101, "Invalid displayname")
	}
	if value != "" {
		a.displayName = value
	}
	return ok(nil)
}

func (a *account) editEmail(value string) reply {
	if value != "" {
		if parsed, err := mail.ParseAddress(value); err != nil || parsed.Address != value {
			return refused(102, "")
		}
	}
	a.email = value
	return ok(nil)
}

func (a *account) editPassword(value string) reply {
	if len(value) > maxPassword {
		return refused(102, "Invalid password value")
	}
	if message := refusePassword(value); message != "" {
		return refused(103, message)
	}
	a.setPassword(value)
	return ok(nil)
}

func (a *account) editQuota(value string) reply {
	stored, valid := storedQuota(value)
	switch {
	case !valid:
		return refused(102, "Invalid quota value "+value)
	case stored == "?":
		return crashed()
	}
	a.quota = stored
	return ok(nil)
}

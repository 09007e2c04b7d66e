package secrets

import (
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"slices"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// A login is a secret in the format of RDS and of AWS's rotation functions (AWS Secrets
// Manager User Guide, "JSON structure of secrets", PostgreSQL). Secrets that RDS manages
// hold only user and password.
type login struct {
	User     *string        `json:"username"`
	Password *secret.String `json:"password"`
	Engine   string         `json:"engine"`
	Host     string         `json:"host"`
	Port     port           `json:"port"`
	Database string         `json:"dbname"`
	SSLMode  string         `json:"sslmode"` // not part of AWS's format; others may add members
}

// A port is a number in some of AWS's secrets, and a string in others.
type port string

func (p *port) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(p))
	}
	*p = port(raw)
	return nil
}

// loginMembers returns the member names of a login.
func loginMembers() []string {
	return []string{"username", "password", "engine", "host", "port", "dbname", "sslmode"}
}

// readLogin returns the login in a secret, or nil if it holds none.
func readLogin(members map[string]json.RawMessage) (*login, error) {
	if members["username"] == nil || members["password"] == nil {
		return nil, nil
	}
	own := map[string]json.RawMessage{}
	for _, name := range loginMembers() {
		if raw, ok := members[name]; ok {
			own[name] = raw
		}
	}
	var l login
	raw, err := json.Marshal(own)
	if err != nil || json.Unmarshal(raw, &l) != nil || l.User == nil || l.Password == nil { // the error may quote it
		return nil, errors.New("its database credentials are not in the format of RDS")
	}
	if !slices.Contains([]string{"", "postgres", "aurora-postgresql"}, l.Engine) {
		return nil, errors.New("its credentials are not for PostgreSQL")
	}
	return &l, nil
}

// url returns the database URL with the login, or "" if the login has no host.
func (l *login) url() secret.String {
	if l.Host == "" {
		return ""
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(*l.User, l.Password.Reveal()),
		Host: net.JoinHostPort(l.Host, cmp.Or(string(l.Port), "5432")),
		Path: "/" + cmp.Or(l.Database, "postgres"), // AWS's own default
		// The password must only go to the genuine database.
		RawQuery: url.Values{"sslmode": {cmp.Or(l.SSLMode, "verify-full")}}.Encode(),
	}
	return secret.String(u.String())
}

// addTo returns address with the login added, unless it has a user or is not a PostgreSQL
// URL.
func (l *login) addTo(address secret.String) secret.String {
	u, err := url.Parse(address.Reveal())
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.User != nil || u.Query().Has("user") {
		return address
	}
	u.User = url.UserPassword(*l.User, l.Password.Reveal())
	return secret.String(u.String())
}

// applyLogin adds the login to those database URLs that have no user. If there is no
// DATABASE_URL, it makes one from the login.
func (v *Values) applyLogin() {
	if v.login == nil {
		return
	}
	for _, name := range []string{"DATABASE_URL", "MIGRATE_DATABASE_URL"} {
		if address, ok := v.settings[name]; ok {
			v.settings[name] = v.login.addTo(address)
		}
	}
	if made := v.login.url(); made != "" && v.settings["DATABASE_URL"] == "" {
		v.settings["DATABASE_URL"] = made
	}
}

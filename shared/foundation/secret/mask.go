package secret

import (
	"net/url"
	"regexp"
	"strings"
)

// bareHost matches a URL without its scheme, a common mistake.
var bareHost = regexp.MustCompile(`^(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::[0-9]+)?(?:/[a-z0-9/-]*)?$`)

// MaskURL returns s with everything masked that may be secret: the password before
// the host, a user without a password, which may be a token, and parameters with
// names like those of secrets. If s may not be parsed as its author meant it, such
// as with an unescaped character in the password, MaskURL hides all of it.
func MaskURL(s string) string {
	if bareHost.MatchString(s) {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || strings.ContainsRune(u.Path+u.RawQuery+u.Fragment, '@') {
		return redacted
	}
	if _, ok := u.User.Password(); u.User != nil && !ok {
		u.User = url.User("xxxxx")
	}
	query := u.Query()
	for name := range query {
		for _, word := range []string{"pass", "pwd", "secret", "token", "key"} {
			if strings.Contains(strings.ToLower(name), word) {
				query.Set(name, "xxxxx")
				u.RawQuery = query.Encode()
			}
		}
	}
	return u.Redacted()
}

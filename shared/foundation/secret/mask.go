package secret

import (
	"net/url"
	"regexp"
	"strings"
)

// bareHost is what people write who forget the scheme.
var bareHost = regexp.MustCompile(`^(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::[0-9]+)?(?:/[a-z0-9/-]*)?$`)

// MaskURL returns s without what may be a password: the one before the host, a user
// without a password, which may be a token, and parameters that are named like
// secrets. A text that may not be read as its author meant it, such as a password
// with an unescaped character, is hidden as a whole.
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

package configcheck

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/cmd/gateway/internal/settings"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// OwnSecret is the warning about a generated secret while the database is on a
// server, which other machines may share.
const OwnSecret = keyring.Variable + " is not set: this machine made its own, and others that share the database will not know it"

// warnings returns findings that do not prevent the start of the gateway.
func (c *checker) warnings() []Finding {
	all := c.unknown()
	if c.SharedSecret != "" {
		all = append(all, c.finding(keyring.DataVariable, c.SharedSecret))
	}
	if _, server := c.given("DATABASE_URL"); server && c.ownSecret() {
		all = append(all, c.finding(keyring.Variable, OwnSecret))
	}
	for _, name := range []string{"EMAIL_VERIFICATION", "REGISTRATION"} {
		if text := c.withoutMail(name); text != "" {
			all = append(all, c.finding(name, text))
		}
	}
	for _, s := range c.all {
		value, set := c.given(s.Name)
		if !set {
			continue
		}
		if text := placeholder(s, value); text != "" {
			all = append(all, c.finding(s.Name, s.Name+" "+text))
		}
		if text := c.noEffect(s, value); text != "" {
			all = append(all, c.finding(s.Name, s.Name+" has no effect"+text))
		}
	}
	return all
}

// withoutMail describes why users get no mail, although they need one with the value of
// that setting, or returns "".
func (c *checker) withoutMail(name string) string {
	value := c.value(name)
	needs := []string{string(account.BeforeStorage), string(account.BeforeSigningIn), string(account.InvitedRegistration)}
	if !slices.Contains(needs, value) || c.value("SMTP_URL") != "" {
		return ""
	}
	text := name + " is " + value + ", but mails "
	_, server := c.given("DATABASE_URL")
	if _, folder := c.given("MAIL_DIR"); server && !folder {
		return text + "stay in the outbox: set SMTP_URL"
	}
	return text + "only become files: set SMTP_URL"
}

// unknown returns warnings about names in .env that neither the gateway nor docker
// compose reads.
func (c *checker) unknown() []Finding {
	names := slices.Sorted(maps.Keys(c.known))
	var all []Finding
	lines := c.File.Lines
	for _, name := range slices.SortedFunc(maps.Keys(lines), func(a, b string) int { return lines[a] - lines[b] }) {
		if _, known := c.known[name]; known || c.File.Used[name] || usedByCompose(name) {
			continue
		}
		text := name + " is not a setting of the gateway"
		if nearest := settings.Nearest(name, names); nearest != "" {
			text += "; did you mean " + nearest + "?"
		}
		all = append(all, Finding{Setting: name, From: fmt.Sprintf("%s:%d", c.FileName, lines[name]), Text: text})
	}
	return all
}

// usedByCompose reports whether docker compose or a compose file in the working
// directory uses a variable.
func usedByCompose(name string) bool {
	if strings.HasPrefix(name, "COMPOSE_") || strings.HasPrefix(name, "DOCKER_") || strings.HasPrefix(name, "BUILDKIT_") {
		return true
	}
	word := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
	files, _ := filepath.Glob("*compose*.y*ml") // fails only for a bad pattern
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && word.Match(text)
	})
}

// placeholder describes a value that seems to be copied from an example, or returns
// "".
func placeholder(s settings.Setting, value string) string {
	if s.Hidden() && keyring.Placeholder(value) && s.Name != keyring.Variable && s.Name != keyring.DataVariable { // those two are mistakes
		return "is a placeholder; set a password of your own"
	}
	if s.Kind != settings.SecretURL && s.Kind != settings.URL {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil {
		return ""
	}
	if password, _ := u.User.Password(); password == "password" || keyring.Placeholder(password) {
		return "has the password of an example"
	}
	for _, reserved := range []string{"example.org", "example.com", "example.net"} { // RFC 2606 section 3
		if host := u.Hostname(); host == reserved || strings.HasSuffix(host, "."+reserved) {
			return "has the address of an example"
		}
	}
	return ""
}

// noEffect returns why a setting that is set has no effect, or "".
func (c *checker) noEffect(s settings.Setting, value string) string {
	if !s.IsReadBy(settings.Binary) {
		if s.IsReadBy(settings.Compose) {
			return ""
		}
		return ": only Lambda functions read it"
	}
	if s.Name == "SSL_CERT_FILE" && s.Missing(c.value) != "" {
		return " on the gateway without SSL_KEY_FILE: alone, it names the authorities that this machine trusts"
	}
	if condition := s.Missing(c.value); condition != "" {
		return c.unmet(condition)
	}
	algorithm := c.value("JWT_ALGORITHM")
	_, data := c.given(keyring.DataVariable)
	_, own := c.given("SSL_KEY_FILE")
	switch {
	case (s.Name == keyring.Variable || s.Name == keyring.VariablePrevious) && data && !token.Symmetric(algorithm):
		return " with JWT_ALGORITHM=" + algorithm + " and DATA_SECRET"
	case s.Name == "CAROOT" && own:
		return " with SSL_KEY_FILE"
	case s.Name == "LOG_LEVEL" && value != "debug" && c.Debug:
		return " with DEBUG=true"
	case s.Name == "NEXTCLOUD_CA_FILE" && strings.HasPrefix(c.value("NEXTCLOUD_URL"), "http:"):
		return ", as NEXTCLOUD_URL is not https://"
	}
	return ""
}

// unmet describes a condition that is not met; see [settings.Setting.Missing].
func (c *checker) unmet(condition string) string {
	name, values, exact := strings.Cut(condition, "=")
	if exact {
		return " unless " + name + " is " + strings.ReplaceAll(values, "|", ", ")
	}
	text := " without " + name
	if note := c.known[name].Compose; note != "" {
		text += ", which docker compose sets itself"
	}
	return text
}

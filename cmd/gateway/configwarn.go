package main

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
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// warnings returns what may be wrong, though the gateway starts with it.
func (c *checker) warnings() []finding {
	all := c.unknown()
	if shared := sharedSecret(c.env); shared != "" {
		all = append(all, c.find(keyring.DataVariable, shared))
	}
	if _, server := c.given("DATABASE_URL"); server && c.lacks() {
		all = append(all, c.find(keyring.Variable, ownSecret))
	}
	for _, s := range describe().All() {
		value, set := c.given(s.Name)
		if !set {
			continue
		}
		if text := placeholder(s, value); text != "" {
			all = append(all, c.find(s.Name, s.Name+" "+text))
		}
		if text := c.idle(s, value); text != "" {
			all = append(all, c.find(s.Name, s.Name+" has no effect"+text))
		}
	}
	return all
}

// unknown returns the names in .env that nobody reads.
func (c *checker) unknown() []finding {
	names := slices.Sorted(maps.Keys(c.known))
	var all []finding
	lines := c.vars.file.Lines
	for _, name := range slices.SortedFunc(maps.Keys(lines), func(a, b string) int { return lines[a] - lines[b] }) {
		if _, known := c.known[name]; known || c.vars.file.Used[name] || ofCompose(name) {
			continue
		}
		text := name + " is not a setting of the gateway"
		if nearest := settings.Nearest(name, names); nearest != "" {
			text += "; did you mean " + nearest + "?"
		}
		all = append(all, finding{Setting: name, From: fmt.Sprintf("%s:%d", settingsFile, lines[name]), Text: text})
	}
	return all
}

// ofCompose reports whether docker compose reads a variable: it itself, or a file
// of it in the working directory.
func ofCompose(name string) bool {
	if strings.HasPrefix(name, "COMPOSE_") || strings.HasPrefix(name, "DOCKER_") || strings.HasPrefix(name, "BUILDKIT_") {
		return true
	}
	word := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
	files, _ := filepath.Glob("*compose*.y*ml") // fails for a bad pattern only
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && word.Match(text)
	})
}

// placeholder says what of a value looks as if nobody had replaced it, or "".
func placeholder(s settings.Setting, value string) string {
	if s.Hidden() && keyring.Placeholder(value) && s.Name != keyring.Variable && s.Name != keyring.DataVariable { // which are refused
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

// idle says why a setting that is set has no effect, or "".
func (c *checker) idle(s settings.Setting, value string) string {
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
		return c.without(condition)
	}
	_, pem := c.given(strings.TrimSuffix(s.Name, "_FILE"))
	algorithm := c.value("JWT_ALGORITHM")
	_, data := c.given(keyring.DataVariable)
	_, own := c.given("SSL_KEY_FILE")
	switch {
	case strings.HasPrefix(s.Name, "JWT_") && strings.HasSuffix(s.Name, "_FILE") && pem:
		return ": " + strings.TrimSuffix(s.Name, "_FILE") + " takes precedence"
	case (s.Name == keyring.Variable || s.Name == keyring.VariablePrevious) && data && !token.Symmetric(algorithm):
		return " with JWT_ALGORITHM=" + algorithm + " and DATA_SECRET"
	case s.Name == "CAROOT" && own:
		return " with SSL_KEY_FILE"
	case s.Name == "LOG_LEVEL" && value != "debug" && config.Map(map[string]string{"DEBUG": c.value("DEBUG")}).Bool("DEBUG", false):
		return " with DEBUG=true"
	case s.Name == "NEXTCLOUD_CA_FILE" && strings.HasPrefix(c.value("NEXTCLOUD_URL"), "http:"):
		return ", as NEXTCLOUD_URL is not https://"
	}
	return ""
}

// without says which condition does not hold.
func (c *checker) without(condition string) string {
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

// Package breach asks a service whether a password is known from breaches of other
// systems.
//
// The service has the range API of Have I Been Pwned (https://haveibeenpwned.com/API/v3,
// "Searching by range"). It learns the first 20 bits of the SHA-1 of the password, and
// answers with all known hashes that begin so; neither it nor anybody on the way learns
// the password or whether it was found. A service that fails or is slow never prevents
// a password: the check then counts as passed.
//
// The package may import only foundation. Begin with [Checker].
package breach

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the API is defined with SHA-1; it protects nothing here
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// The bounds of a check.
const (
	Timeout     = time.Second      // of a check, with the connection and the whole response
	maxResponse = 512 << 10        // bytes; the largest ranges have about 100 KB with padding
	maxRanges   = 16               // in the cache
	cacheFor    = 10 * time.Minute // a range
	logEvery    = time.Minute      // failures are logged at most so often
)

const prefixDigits = 5 // of the hash, which the service learns

// Variable is the name of the setting.
const Variable = "PWNED_PASSWORDS_URL"

// Settings say which service is asked.
type Settings struct {
	URL *url.URL // nil: none
}

// Load loads PWNED_PASSWORDS_URL: an https URL, or an http URL of this machine.
func (s *Settings) Load(r setting.Reader) {
	s.URL = r.URL(Variable, "https", "http")
	if s.URL != nil && s.URL.Scheme == "http" && !loopback(s.URL.Hostname()) {
		r.Refuse(Variable, secret.MaskURL(s.URL.String()), "an https URL; http is only for this machine")
		s.URL = nil
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// An Outcome is the result of a check.
type Outcome string

// The outcomes of checks. Unavailable is that of a check that could not be made.
const (
	Unknown     Outcome = "unknown"
	Known       Outcome = "breached"
	Unavailable Outcome = "unavailable"
)

// A Checker asks the service. A nil checker finds no password. It is safe for
// concurrent use.
type Checker struct {
	// Observe is called with the outcome of each check, if it is not nil. Set it before
	// the first check.
	Observe func(Outcome)

	base   *url.URL
	client *http.Client
	now    func() time.Time

	mu     sync.Mutex
	ranges []cachedRange // the oldest first
	logged time.Time     // when a failure was last logged
}

// A cachedRange is a response of the service.
type cachedRange struct {
	prefix string
	body   []byte
	read   time.Time
}

// Checker returns a checker with these settings, or nil if no service is asked.
func (s Settings) Checker() *Checker {
	if s.URL == nil {
		return nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 2
	return &Checker{
		base: s.URL, now: time.Now, //nolint:forbidigo // the age of a cache; no rule depends on it
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Breached reports whether the password, in the form in which it is hashed, is known
// from a breach. It takes at most [Timeout], and returns false if the service does not
// give a valid answer by then, which it logs at most once a minute.
func (c *Checker) Breached(ctx context.Context, plain secret.String) bool {
	if c == nil {
		return false
	}
	sum := sha1.Sum([]byte(plain.Reveal())) //nolint:gosec // see the import
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	known, err := c.lookup(ctx, digits[:prefixDigits], digits[prefixDigits:])
	outcome := Unknown
	switch {
	case err != nil:
		outcome = Unavailable
		c.report(ctx, err)
	case known:
		outcome = Known
	}
	if c.Observe != nil {
		c.Observe(outcome)
	}
	return known
}

// report logs a failure, unless one was logged within the last minute.
func (c *Checker) report(ctx context.Context, err error) {
	c.mu.Lock()
	now := c.now()
	due := c.logged.IsZero() || now.Sub(c.logged) >= logEvery
	if due {
		c.logged = now
	}
	c.mu.Unlock()
	if due {
		slog.WarnContext(ctx, "passwords are not checked for breaches", slog.String("cause", err.Error()))
	}
}

// lookup reports whether the range of the prefix has the suffix.
func (c *Checker) lookup(ctx context.Context, prefix, suffix string) (bool, error) {
	body := c.cached(prefix)
	if body == nil {
		var err error
		if body, err = c.fetch(ctx, prefix); err != nil {
			return false, err
		}
	}
	found, err := contains(body, suffix)
	if err == nil {
		c.keep(prefix, body)
	}
	return found, err
}

// cached returns the range from the cache, or nil.
func (c *Checker) cached(prefix string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.ranges {
		if r.prefix == prefix && c.now().Sub(r.read) < cacheFor {
			return r.body
		}
	}
	return nil
}

// keep adds a range to the cache, in place of the oldest one if it is full. It does not
// renew a range that the cache has.
func (c *Checker) keep(prefix string, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := c.ranges[:0]
	for _, r := range c.ranges {
		if c.now().Sub(r.read) >= cacheFor {
			continue
		}
		if r.prefix == prefix {
			return
		}
		fresh = append(fresh, r)
	}
	if len(fresh) == maxRanges {
		fresh = fresh[:copy(fresh, fresh[1:])]
	}
	c.ranges = append(fresh, cachedRange{prefix, body, c.now()})
}

// fetch asks the service for a range. Errors contain nothing of the password: not even
// the prefix, which the URL has.
func (c *Checker) fetch(ctx context.Context, prefix string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath("range", prefix).String(), http.NoBody)
	if err != nil {
		return nil, errors.New("build the request")
	}
	req.Header.Set("Add-Padding", "true") // hides the range from those who see the size
	req.Header.Set("User-Agent", "voiceassist-gateway")
	resp, err := c.client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered with status %d", c.base.Host, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxResponse:
		return nil, fmt.Errorf("the answer of %s is larger than %d bytes", c.base.Host, maxResponse)
	}
	return body, nil
}

// contains reports whether a range has the suffix with a count above zero, which only
// entries of the padding have. The whole body must be a range: a page of a proxy says
// nothing about a password.
func contains(body []byte, suffix string) (found bool, err error) {
	errNoRange := errors.New("the answer is not a range of hashes")
	if len(body) == 0 {
		return false, errNoRange
	}
	for line := range bytes.Lines(body) {
		entry, count, ok := strings.Cut(strings.TrimRight(string(line), "\r\n"), ":")
		if !ok || len(entry) != len(suffix) || !onlyIn(entry, "0123456789ABCDEFabcdef") || count == "" || !onlyIn(count, "0123456789") {
			return false, errNoRange
		}
		if strings.EqualFold(entry, suffix) && strings.Trim(count, "0") != "" {
			found = true
		}
	}
	return found, nil
}

// onlyIn reports whether text has no character beside those of the set.
func onlyIn(text, set string) bool { return strings.Trim(text, set) == "" }

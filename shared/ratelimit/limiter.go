package ratelimit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// A Policy names a limit, also in response headers.
type Policy string

// The policies. Every request of a client counts under [General], unless its route is
// [Unlimited]. A route may have one more policy.
const (
	General   Policy = "default"
	Login     Policy = "login"
	Register  Policy = "register"
	Refresh   Policy = "refresh"
	Password  Policy = "password"  // a signed-in user confirms the password
	APIKey    Policy = "api_key"   // requests with one API key, from everywhere together
	Unlimited Policy = "unlimited" // cheap requests from machines
)

// Policies returns the policies that can refuse a request.
func Policies() []Policy { return []Policy{General, Login, Register, Refresh, Password, APIKey} }

// isProtective reports whether the policy prevents password guessing or mass registration. The
// other policies only spread the load.
func (p Policy) isProtective() bool { return p == Login || p == Register || p == Password }

// ErrLimited is the cause of a [Refusal], the error of a request over a limit.
var ErrLimited = fault.New(fault.RateLimited, "rate_limited", "Too many requests. Retry after the time in Retry-After.")

// A Limiter counts requests against the gateway's limits. A nil Limiter lets everything
// through. It is safe for concurrent use.
//
// Stores see only a MAC of what is counted, under a key of the gateway. They never contain
// an IP address or an e-mail address.
type Limiter struct {
	limits  map[Policy]Limit
	keys    func() keyring.Key // the current key: a secret may be replaced
	now     func() time.Time
	memory  *Memory
	breaker *breaker          // nil: memory is the only store
	shared  func(Policy) bool // reports which policies the store counts
	refused func(Policy)      // may be nil
}

// Client counts a request from the address under the policy. An IPv6 client has a whole
// /64, so the /64 is counted (RFC 6177 section 2).
func (l *Limiter) Client(ctx context.Context, p Policy, from netip.Addr) Result {
	return l.count(ctx, p, "client", Network(from))
}

// Account counts an attempt on the account or login that subject identifies, under the
// policy. It returns a [Refusal] if the limit is exceeded. Whether the account exists
// makes no difference.
func (l *Limiter) Account(ctx context.Context, p Policy, subject string) error {
	return l.count(ctx, p, "account", subject).Err()
}

// ObserveRefusals sets fn to be called for each refused request, with the policy whose
// limit it exceeded. fn may be called concurrently. Call ObserveRefusals before the first
// request.
func (l *Limiter) ObserveRefusals(fn func(Policy)) { l.refused = fn }

// Alone reports whether the store has failed, so that this process counts by itself.
func (l *Limiter) Alone() bool { return l.breaker != nil && l.breaker.isOpen() }

// Close closes the store.
func (l *Limiter) Close() error {
	if l == nil || l.breaker == nil {
		return nil
	}
	if c, ok := l.breaker.store.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (l *Limiter) count(ctx context.Context, p Policy, kind, subject string) Result {
	if l == nil || l.limits[p].None() {
		return Result{}
	}
	limit := l.limits[p]
	r := Result{Policy: p, Limit: limit, Decision: l.take(ctx, p, l.key(p, kind, subject), limit)}
	if l.refused != nil && !r.Decision.Allowed {
		l.refused(p)
	}
	return r
}

func (l *Limiter) take(ctx context.Context, p Policy, key Key, limit Limit) Decision {
	now := l.now()
	b := limit.At(now)
	if l.breaker == nil || !l.shared(p) {
		return l.memory.Take(key, b)
	}
	// Memory keeps the store's last result. So a client that is refused anyway does not reach
	// the store, and neither a failing store nor one that has lost its data resets any limit.
	known := l.memory.Peek(key)
	if b.Refuses(known) {
		return b.decide(known, false)
	}
	kept, allowed, ok := l.breaker.take(ctx, key, limit, now, time.UnixMicro(known))
	if !ok {
		return l.memory.Take(key, b)
	}
	l.memory.Observe(key, kept.UnixMicro(), b)
	return b.decide(kept.UnixMicro(), allowed)
}

func (l *Limiter) key(p Policy, kind, subject string) (k Key) {
	secret := l.keys()
	mac := hmac.New(sha256.New, secret.Bytes[:])
	text := make([]byte, 0, 128)
	text = append(append(text, p...), 0)
	text = append(append(text, kind...), 0)
	mac.Write(append(text, subject...))
	copy(k[:], mac.Sum(text[:0]))
	return k
}

// Network returns the addresses of one client: an IPv4 address, or the /64 of an IPv6
// address.
func Network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if !a.Is6() || !defense.NetworkOfIPv6 {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

// A Result is the outcome of one request under a limit. The zero value means that there is
// no limit.
type Result struct {
	Policy   Policy
	Limit    Limit
	Decision Decision
}

// Err returns nil if the request may pass, else a [Refusal].
func (r Result) Err() error {
	if r.Limit.None() || r.Decision.Allowed {
		return nil
	}
	return &Refusal{r}
}

// Tighter reports whether r is closer to a refusal than other.
func (r Result) Tighter(other Result) bool {
	return !r.Limit.None() && (other.Limit.None() || r.Decision.Remaining <= other.Decision.Remaining)
}

// Header sets the headers of draft-ietf-httpapi-ratelimit-headers-10: the quota q in a
// window of w seconds; r requests remain, and in t seconds there will be more.
func (r Result) Header(h http.Header) {
	if r.Limit.None() {
		return
	}
	h[policyHeader] = []string{r.item("q", r.Limit.Burst, "w", r.Limit.Window)}
	h[limitHeader] = []string{r.item("r", r.Decision.Remaining, "t", r.Decision.Next)}
}

// The canonical names of the headers. [http.Header.Set] would make them anew each time.
var (
	policyHeader = http.CanonicalHeaderKey("RateLimit-Policy")
	limitHeader  = http.CanonicalHeaderKey("RateLimit")
)

// item returns an item named like the policy, with two parameters (RFC 9651 section 3.3).
func (r Result) item(number string, n int, time string, d time.Duration) string {
	text := strconv.AppendQuote(make([]byte, 0, 64), string(r.Policy))
	text = strconv.AppendInt(append(append(append(text, ';'), number...), '='), int64(n), 10)
	text = strconv.AppendInt(append(append(append(text, ';'), time...), '='), int64(seconds(d)), 10)
	return string(text)
}

// seconds rounds up, so a client that waits that long has waited long enough.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// A Refusal is the error of a request over a limit. It wraps [ErrLimited] and says when to
// retry.
type Refusal struct{ Result Result }

// Error names the policy, for the log.
func (r *Refusal) Error() string { return "over the limit " + string(r.Result.Policy) }

// Unwrap returns the fault.
func (r *Refusal) Unwrap() error { return ErrLimited.After(r.Result.Decision.Next) }

package ratelimit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// A Policy names a limit, on the wire too.
type Policy string

// The policies. Every request of a client counts under [General], unless its
// route is [Unlimited]; a route may have one more of its own.
const (
	General   Policy = "default"
	Login     Policy = "login"
	Register  Policy = "register"
	Refresh   Policy = "refresh"
	Password  Policy = "password"  // somebody who is signed in proves who they are
	Unlimited Policy = "unlimited" // asked by machines, and cheap
)

// guards reports whether the policy keeps passwords from being guessed or
// accounts from being made in numbers; the others only spread the load.
func (p Policy) guards() bool { return p == Login || p == Register || p == Password }

// ErrLimited is what a request over a limit gets, as the cause of a [Refusal].
var ErrLimited = fault.New(fault.RateLimited, "rate_limited", "Too many requests. Retry after the time in Retry-After.")

// A Limiter counts requests against the limits of the gateway. Nil, it lets
// everything through. It is safe for concurrent use.
//
// What it counts is named by a MAC under a key of the gateway's, so neither an
// address nor an e-mail address is in any store.
type Limiter struct {
	limits map[Policy]Limit
	keys   func() keyring.Key // of now: a secret may be replaced
	now    func() time.Time
	memory *Memory
	fence  *fence            // nil: there is no store but memory
	shared func(Policy) bool // which policies the store counts
}

// Client counts a request from the address under the policy. An IPv6 client has
// a whole /64, so that is what counts (RFC 6177 section 2).
func (l *Limiter) Client(ctx context.Context, p Policy, from netip.Addr) Verdict {
	return l.count(ctx, p, "client", Network(from))
}

// Account counts a try on the account, or the login, that subject stands for,
// under the policy; what is over the limit gets a [Refusal]. Whether there is
// such an account makes no difference.
func (l *Limiter) Account(ctx context.Context, p Policy, subject string) error {
	return l.count(ctx, p, "account", subject).Err()
}

// Close closes the store.
func (l *Limiter) Close() error {
	if l == nil || l.fence == nil {
		return nil
	}
	if c, ok := l.fence.store.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (l *Limiter) count(ctx context.Context, p Policy, kind, subject string) Verdict {
	if l == nil || l.limits[p].None() {
		return Verdict{}
	}
	limit := l.limits[p]
	return Verdict{Policy: p, Limit: limit, Decision: l.take(ctx, p, l.key(p, kind, subject), limit)}
}

func (l *Limiter) take(ctx context.Context, p Policy, key Key, limit Limit) Decision {
	now := l.now()
	b := limit.At(now)
	if l.fence == nil || !l.shared(p) {
		return l.memory.Take(key, b)
	}
	// What the store said last is known here: who is refused anyway does not
	// reach it, and when it goes down nobody starts afresh.
	if kept := l.memory.Peek(key); b.Refuses(kept) {
		return b.decide(kept, false)
	}
	kept, allowed, ok := l.fence.take(ctx, key, limit, now)
	if !ok {
		return l.memory.Take(key, b)
	}
	l.memory.Note(key, kept.UnixMicro(), b)
	return b.decide(kept.UnixMicro(), allowed)
}

func (l *Limiter) key(p Policy, kind, subject string) (k Key) {
	secret := l.keys()
	mac := hmac.New(sha256.New, secret.Bytes[:])
	fmt.Fprintf(mac, "%s\x00%s\x00%s", p, kind, subject)
	copy(k[:], mac.Sum(nil))
	return k
}

// Network returns what one client has of addresses: an IPv4 address, the /64 of
// an IPv6 address.
func Network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if !a.Is6() || !defense.NetworkOfIPv6 {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

// A Verdict is what a limit says of one request; its zero value is that there is
// no limit.
type Verdict struct {
	Policy   Policy
	Limit    Limit
	Decision Decision
}

// Err returns nil for a request that may pass, else a [Refusal].
func (v Verdict) Err() error {
	if v.Limit.None() || v.Decision.Allowed {
		return nil
	}
	return &Refusal{v}
}

// Tighter reports whether v is nearer to a refusal than w.
func (v Verdict) Tighter(w Verdict) bool {
	return !v.Limit.None() && (w.Limit.None() || v.Decision.Remaining <= w.Decision.Remaining)
}

// Header tells the limit and how far it is used up, as
// draft-ietf-httpapi-ratelimit-headers-10 has it: the quota q in a window of w
// seconds; r requests remain, and in t seconds there will be more.
func (v Verdict) Header(h http.Header) {
	if v.Limit.None() {
		return
	}
	h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", string(v.Policy), v.Limit.Burst, seconds(v.Limit.Window)))
	h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", string(v.Policy), v.Decision.Remaining, seconds(v.Decision.Next)))
}

// seconds rounds up: whoever waits that long has waited long enough.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// A Refusal is the error of a request over a limit. It is an [ErrLimited] that
// says when to try again.
type Refusal struct{ Verdict Verdict }

// Error names the policy, for the log.
func (r *Refusal) Error() string { return "over the limit " + string(r.Verdict.Policy) }

// Unwrap returns the fault.
func (r *Refusal) Unwrap() error { return ErrLimited.After(r.Verdict.Decision.Next) }

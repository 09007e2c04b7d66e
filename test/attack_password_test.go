package test_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
)

// passwordAttacks guess passwords and try to find out who has an account.
func passwordAttacks() []attack {
	return []attack{
		{name: "guess the password of an account, from one address", without: "ClientLimit", run: guess(
			func(a *assault) func(n int) (string, visitor) {
				c := a.newVisitor()
				// Use a different account each time, or the account would be limited instead.
				return func(n int) (string, visitor) { return fmt.Sprintf("p%d@example.org", n%8), c }
			})},
		{name: "guess the password of an account, from many addresses", without: "AccountLimit", run: guess(
			func(a *assault) func(n int) (string, visitor) {
				spellings := []string{"ada@example.org", "ADA@example.org", " ada@Example.ORG ", "Ada@EXAMPLE.org"}
				return func(n int) (string, visitor) { return spellings[n%len(spellings)], a.newVisitor() }
			})},
		{name: "try one password on many accounts (spraying)", without: "ClientLimit", run: guess(
			func(a *assault) func(n int) (string, visitor) {
				c := a.newVisitor()
				return func(n int) (string, visitor) { return fmt.Sprintf("p%d@example.org", n), c }
			})},
		{name: "pose as many clients with a forged X-Forwarded-For", without: "TrustedProxies", run: guess(forwarded)},
		{name: "pose as many clients without a trusted proxy", without: "TrustedProxies",
			settings: []string{"TRUSTED_PROXIES=192.0.2.1"}, run: guess(func(a *assault) func(n int) (string, visitor) {
				return func(n int) (string, visitor) { return fmt.Sprintf("p%d@example.org", n), a.newVisitor() }
			})},
		{name: "pose as many clients within an IPv6 network", without: "NetworkOfIPv6", run: guess(
			func(a *assault) func(n int) (string, visitor) {
				return func(n int) (string, visitor) {
					host := rand.Uint64()
					return fmt.Sprintf("p%d@example.org", n), visitor{a: a, address: fmt.Sprintf("2001:db8:1:2:%x:%x:%x:%x", host>>48, host>>32&0xffff, host>>16&0xffff, host&0xffff)}
				}
			})},
		{name: "guess the current password with a stolen access token", without: "PasswordLimit", run: guessBehindToken},
		{name: "learn from responses who has an account", without: "OneAnswer", run: enumerateByAnswer},
		{name: "learn from login times who has an account", without: "HashForEveryLogin",
			settings: append(unlimited(), "BCRYPT_COST=10"), run: enumerateByTime},
		{name: "learn from registration who has an account", without: "SilentRegistration", run: enumerateByRegistration},
	}
}

// guess returns an attack of 40 guesses; next returns the account and the visitor of each.
// The guesses that get through are those checked beyond the limit, which is five at once
// and one every twelve seconds.
func guess(prepare func(a *assault) (next func(n int) (email string, by visitor))) func(a *assault) {
	const burst, each = 5, 12 * time.Second
	return func(a *assault) {
		next, began, checked := prepare(a), time.Now(), 0
		for n := range 40 {
			email, by := next(n)
			got := by.do("POST", loginAddress, fmt.Sprintf(`{"email":%q,"password":"a wrong passphrase"}`, email))
			switch got.status {
			case http.StatusUnauthorized:
				checked++
			case http.StatusTooManyRequests:
			default:
				a.Fatalf("a guess got %d %s", got.status, got.body)
			}
			a.attempt(got.status == http.StatusUnauthorized && checked > burst+int(time.Since(began)/each),
				"%s: the %dth guess", email, checked)
		}
	}
}

// forwarded claims to send requests for other addresses, in every way a client can before
// its proxy adds the real one.
func forwarded(a *assault) func(n int) (string, visitor) {
	at := a.address()
	forms := []func(lie string) visitor{
		func(lie string) visitor { return visitor{a, "", []string{"X-Forwarded-For: " + lie + ", " + at}} },
		func(lie string) visitor { return visitor{a, at, []string{"X-Forwarded-For: " + lie}} },
		func(lie string) visitor {
			return visitor{a, at, []string{"X-Forwarded-For: " + lie + ", 127.0.0.1", "X-Forwarded-For: 10.0.0.1"}}
		},
		func(lie string) visitor {
			return visitor{a, at, []string{"X-Forwarded-For: " + lie, "X-Real-IP: " + lie, "Forwarded: for=" + lie, "True-Client-IP: " + lie, "CF-Connecting-IP: " + lie}}
		},
		func(lie string) visitor {
			return visitor{a, "", []string{"X-Forwarded-For: " + lie + strings.Repeat(",127.0.0.1", 40) + ", " + at}}
		},
	}
	return func(n int) (string, visitor) {
		return fmt.Sprintf("p%d@example.org", n), forms[n%len(forms)](fmt.Sprintf("6.6.6.%d", n))
	}
}

// guessBehindToken holds an access token and guesses the account's password at every call
// that asks for it, each time from a different address.
func guessBehindToken(a *assault) {
	const burst, each = 10, 6 * time.Second
	p := a.person()
	calls := []struct{ method, path, body string }{
		{"POST", "/api/users/change-password", `{"old_password":"wrong","new_password":"an entirely new passphrase"}`},
		{"POST", "/api/users/me/change-password", `{"current_password":"wrong","new_password":"an entirely new passphrase"}`},
		{"PUT", "/api/users/me/password", `{"currentPassword":"wrong","newPassword":"an entirely new passphrase"}`},
		{"DELETE", "/api/users/me", `{"password":"wrong"}`},
		{"PATCH", "/api/users/me", `{"email":"eve@example.org","current_password":"wrong"}`},
	}
	began, checked := time.Now(), 0
	for n := range 30 {
		c := calls[n%len(calls)]
		got := a.newVisitor().do(c.method, c.path, c.body, p.bearer())
		if got.status == http.StatusBadRequest {
			checked++
		} else if got.status != http.StatusTooManyRequests {
			a.Fatalf("%s %s: %d %s", c.method, c.path, got.status, got.body)
		}
		a.attempt(got.status == http.StatusBadRequest && checked > burst+int(time.Since(began)/each), "the %dth guess", checked)
	}
}

// kinds returns logins that must fail, by what is wrong with them. Neither the response
// nor its timing may reveal the kind.
func kinds(a *assault) map[string]string {
	p, off, root := a.person(), a.person(), a.admin()
	if got := root.do("PATCH", "/api/users/"+off.id, `{"disabled":true}`, root.bearer()); !got.ok() {
		a.Fatalf("disable: %d %s", got.status, got.body)
	}
	body := func(email, password string) string {
		return fmt.Sprintf(`{"email":%q,"password":%q}`, email, password)
	}
	return map[string]string{
		"a wrong password":  body(p.email, "a wrong passphrase"),
		"nobody":            body("nobody@example.org", "a wrong passphrase"),
		"somebody disabled": body(off.email, plain),
	}
}

// enumerateByAnswer compares the complete responses, including the limits.
func enumerateByAnswer(a *assault) {
	want := ""
	all := kinds(a)
	for _, kind := range []string{"nobody", "a wrong password", "somebody disabled"} {
		got := ""
		for range 2 {
			r := a.newVisitor().do("POST", loginAddress, all[kind])
			got += fmt.Sprintln(r.status, masked(r.header), mask(r.body))
		}
		if want == "" {
			want = got
			continue
		}
		a.attempt(got != want, "%s differs from an unknown user: %s", kind, got)
	}
}

// enumerateByTime compares how long each kind takes. It compares ranks, because a busy
// machine makes some responses of every kind slow. For kinds that take equally long, a
// sample of one exceeds a sample of the other with a probability of 0.5; the standard
// deviation is 0.065 for 40 samples each. For a login that skips the hash, the probability
// is close to 0 or 1, however busy the machine is.
func enumerateByTime(a *assault) {
	const samples, telling = 40, 0.33
	all, took, order := kinds(a), map[string][]time.Duration{}, []string{}
	for kind := range all {
		order = append(order, slices.Repeat([]string{kind}, samples)...)
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	c := a.newVisitor()
	for _, kind := range order {
		began := time.Now()
		if got := c.do("POST", loginAddress, all[kind]); got.status != http.StatusUnauthorized {
			a.Fatalf("%s: %d %s", kind, got.status, got.body)
		}
		took[kind] = append(took[kind], time.Since(began))
	}
	for kind := range all {
		if kind == "a wrong password" {
			continue
		}
		p := functionstest.Longer(took["a wrong password"], took[kind])
		a.attempt(p < 0.5-telling || p > 0.5+telling, "a wrong password takes longer than %s with a probability of %.2f", kind, p)
	}
}

// enumerateByRegistration registers a free address and a registered one.
func enumerateByRegistration(a *assault) {
	p := a.person()
	ask := func(email string) string {
		r := a.newVisitor().do("POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q}`, email, plain+"!"))
		return strings.ReplaceAll(fmt.Sprintln(r.status, masked(r.header), mask(r.body)), strings.ToLower(email), "<email>")
	}
	free := ask("free@example.org")
	for _, email := range []string{p.email, strings.ToUpper(p.email)} {
		got := ask(email)
		a.attempt(got != free, "%s differs from a free address: %s", email, got)
	}
}

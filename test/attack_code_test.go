package test_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// codeAttacks get past second factors.
func codeAttacks() []attack {
	return []attack{
		{name: "log in with the password alone, past a second factor", without: "SecondFactor", settings: unlimited(), run: withoutCode},
		{name: "answer a challenge without the password", without: "ChallengeSeal", settings: unlimited(), run: withoutChallenge},
		{name: "try more codes for one challenge", without: "ChallengeOnce", settings: unlimited(), run: manyTries},
		{name: "use a code again", without: "CodeReplay", settings: unlimited(), run: replayCode},
		{name: "guess codes", without: "WrongCodeLimit", settings: unlimited(), run: guessCodes},
	}
}

// enroll enables a second factor and returns its key.
func (p *person) enroll() (key string) {
	p.a.Helper()
	key = p.do("POST", "/api/auth/2fa/setup", `{}`, p.bearer()).get("manual_entry_key")
	if got := p.do("POST", "/api/auth/2fa/verify", fmt.Sprintf(`{"code":%q}`, p.code(key, 0)), p.bearer()); !got.ok() {
		p.a.Fatalf("enable the second factor: %d %s", got.status, got.body)
	}
	return key
}

func (p *person) code(key string, steps int) string {
	p.a.Helper()
	return codeAt(p.a, key, steps)
}

// codeAt returns the code of the time step that is some steps from now. A negative one would
// give a code that expires with the present step, perhaps before it is sent.
func codeAt(tb testing.TB, key string, steps int) string {
	tb.Helper()
	code, err := totp.GenerateCode(key, time.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		tb.Fatal(err)
	}
	return code
}

// passwordOnly logs in without a code.
func (p *person) passwordOnly() answer {
	return p.do("POST", loginAddress, fmt.Sprintf(`{"email":%q,"password":%q}`, p.email, plain))
}

func (p *person) sendCode(challenge, code string) answer {
	return p.do("POST", "/api/auth/2fa/verify-login", fmt.Sprintf(`{"user_id":%q,"code":%q}`, challenge, code))
}

func withoutCode(a *assault) {
	p := a.person()
	p.enroll()
	got := p.passwordOnly()
	a.attempt(got.get("access_token") != "", "got %d", got.status)
}

// withoutChallenge knows the ID of the account and a code, but not the password.
func withoutChallenge(a *assault) {
	p := a.person()
	key := p.enroll()
	got := p.sendCode(p.id, p.code(key, 1))
	a.attempt(got.ok(), "got %d", got.status)
}

// manyTries sends six wrong codes for one challenge; five are checked.
func manyTries(a *assault) {
	p := a.person()
	p.enroll()
	challenge := p.passwordOnly().get("user_id")
	for n := range 6 {
		got := p.sendCode(challenge, "wrong1")
		a.attempt(n >= 5 && got.get("code") == "bad_code", "code %d: %s", n+1, got.body)
	}
}

// replayCode logs in twice with one code.
func replayCode(a *assault) {
	p := a.person()
	code := p.code(p.enroll(), 1)
	if got := p.sendCode(p.passwordOnly().get("user_id"), code); !got.ok() {
		a.Fatalf("log in: %d %s", got.status, got.body)
	}
	got := p.sendCode(p.passwordOnly().get("user_id"), code)
	a.attempt(got.ok(), "got %d", got.status)
}

// guessCodes sends wrong codes for challenges that are new each time; ten are checked.
func guessCodes(a *assault) {
	p := a.person()
	p.enroll()
	for n := range 12 {
		got := p.sendCode(p.passwordOnly().get("user_id"), "000000")
		a.attempt(n >= 10 && got.status == http.StatusUnauthorized, "code %d: %s", n+1, got.body)
	}
}

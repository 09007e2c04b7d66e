//go:build e2e

package test_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// status calls the API beside the browser with an Authorization header, and returns the
// status of the response.
func (p pageUser) status(t *testing.T, path, authorization string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", p.process.https+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(authorization, ": ")
	r.Header.Set(name, value)
	resp, err := p.process.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestPage_Credentials changes what an account is protected with, where the server has no storage
// for files and wants addresses to be confirmed.
func TestPage_Credentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, nil, "EMAIL_VERIFICATION=storage").open(t, dir)
	p.call(t, "POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q}`, herAddress, herPassword))
	p.signsIn(t, herAddress, herPassword)
	p.reads(t, "This server has no storage for files.")
	p.looks(t, "no-storage")
	t.Run("the password", p.changesPassword)
	t.Run("one device", p.endsDevice)
	t.Run("the address, with a second factor", p.changesAddress)
}

const herNewPassword = "another horse battery staple"

// changesPassword changes the password, which ends the other logins.
func (p pageUser) changesPassword(t *testing.T) {
	elsewhere := p.bearer(t, herAddress, herPassword)
	p.clicks(t, "Security")
	p.clicks(t, "Change password")
	p.waits(t, "the focus in the first field", `document.activeElement.name === "current_password"`)
	p.types(t, "current_password", "wrong")
	p.types(t, "new_password", herNewPassword)
	p.clicks(t, "Change password")
	p.reads(t, "The password is wrong.")
	p.waits(t, "the focus on what is wrong", `document.activeElement.name === "current_password"`)
	p.types(t, "current_password", herPassword)
	p.types(t, "new_password", "short")
	p.clicks(t, "Change password")
	p.waits(t, "the focus on what is wrong", `document.activeElement.name === "new_password" && document.activeElement.getAttribute("aria-invalid") === "true"`)
	p.looks(t, "password-short")
	p.types(t, "new_password", herNewPassword)
	p.clicks(t, "Change password")
	p.reads(t, "Your password is changed. All your other devices are signed out.")
	if got := p.status(t, "/api/users/me", elsewhere); got != http.StatusUnauthorized {
		t.Errorf("the other device: got %d, want 401", got)
	}
	p.do(t, "reload", chromedp.Reload())
	p.reads(t, "This device")
}

// endsDevice ends the login of one device, and no other.
func (p pageUser) endsDevice(t *testing.T) {
	phone, tablet := p.signsInFrom(t, herNewPassword, "Firefox/140.0 (Android)"), p.signsInFrom(t, herNewPassword, "Safari/605 (iPad)")
	p.do(t, "reload", chromedp.Reload())
	p.reads(t, "Safari on iPad")
	p.clicks(t, "Sign out Firefox on Android")
	p.reads(t, "Firefox on Android is signed out.")
	p.waits(t, "two devices", `document.querySelectorAll(".rows li").length === 2`)
	p.waits(t, "the focus at the heading", `document.activeElement === document.querySelector("h1")`)
	if got := p.status(t, "/api/users/me", phone); got != http.StatusUnauthorized {
		t.Errorf("the phone: got %d, want 401", got)
	}
	if got := p.status(t, "/api/users/me", tablet); got != http.StatusOK {
		t.Errorf("the tablet: got %d, want 200", got)
	}
}

// signsInFrom signs in beside the browser with the User-Agent, and returns the header with
// the access token.
func (p pageUser) signsInFrom(t *testing.T, password, agent string) string {
	t.Helper()
	tokens := p.call(t, "POST", "/api/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, herAddress, password), "User-Agent: "+agent)
	return fmt.Sprintf("Authorization: Bearer %s", tokens["access_token"])
}

// changesAddress turns the second factor on, asks for another address with a code, and signs
// in with a backup code.
func (p pageUser) changesAddress(t *testing.T) {
	p.clicks(t, "Set up")
	p.reads(t, "Or type this key into the app:")
	key := evaluate[string](t, p.docsPage, `document.querySelector("code").innerText`)
	p.types(t, "code", codeAt(t, key, 0))
	p.clicks(t, "Turn on")
	p.reads(t, "The second factor is on.")
	backup := evaluate[string](t, p.docsPage, `document.querySelector(".codes code").innerText`)

	p.clicks(t, "Account")
	p.sees(t, "Account")
	p.waits(t, "the field for a code", `!!document.querySelector("[name=code]")`)
	p.clicks(t, "Change address")
	p.types(t, "email", "no address")
	p.types(t, "current_password", herNewPassword)
	p.types(t, "code", "000000")
	p.clicks(t, "Change address")
	p.reads(t, "This is not an e-mail address.")
	p.types(t, "email", "countess@example.org")
	p.clicks(t, "Change address")
	p.reads(t, "This code is wrong or was used before.")
	p.looks(t, "address-code")
	p.types(t, "code", codeAt(t, key, 1))
	p.clicks(t, "Change address")
	p.reads(t, "Waiting for you to confirm countess@example.org")
	p.looks(t, "address-pending")

	p.clicks(t, "Sign out")
	p.sees(t, "Sign in")
	p.types(t, "email", herAddress) // until the new one is confirmed
	p.types(t, "password", herNewPassword)
	p.clicks(t, "Sign in")
	p.sees(t, "One more step")
	p.types(t, "code", "wrong-code")
	p.clicks(t, "Continue")
	p.reads(t, "This code is wrong or was used before.")
	p.types(t, "code", backup)
	p.clicks(t, "Continue")
	p.sees(t, "Account")
	p.clicks(t, "Security")
	p.reads(t, "9 backup codes are left.")
}

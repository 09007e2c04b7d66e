//go:build e2e

package test_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPage_Links follows the links of mails, which lead to pages beside the page at /, and back
// to it. The pages have the same look.
func TestPage_Links(t *testing.T) {
	t.Parallel()
	const chosen = "a compiler for everyone"
	dir := t.TempDir()
	p := start(t, dir, nil, "EMAIL_VERIFICATION=login", "PUBLIC_URL="+public).open(t, dir)
	p.call(t, "POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q}`, herAddress, herPassword))
	mails := mailbox{folder: filepath.Join(dir, "mail")}
	follow := func() {
		t.Helper()
		p.opens(t, strings.TrimPrefix(mails.link(t, herAddress), public))
	}
	follow()
	p.sees(t, "Confirm your e-mail address")
	p.looks(t, "link-verify")
	p.confirms(t)
	p.looks(t, "link-done")
	p.clicks(t, "Sign in")
	p.sees(t, "Sign in")
	p.clicks(t, "Forgot your password?")
	p.sees(t, "Forgot your password?")
	p.types(t, "email", herAddress)
	p.clicks(t, "Send the link")
	p.sees(t, "Check your mail")
	follow()
	p.sees(t, "Choose a new password")
	p.looks(t, "link-password")
	p.types(t, "password", "password")
	p.do(t, "a password that many use", click("form button"), chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	p.looks(t, "link-refused")
	p.types(t, "password", chosen)
	p.confirms(t)
	p.clicks(t, "Sign in")
	p.signsIn(t, herAddress, chosen)

	p.opens(t, "/verify#"+strings.Repeat("x", 80))
	p.do(t, "a link that was used", click("form button"), chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	p.looks(t, "link-expired")
	p.opens(t, "/accept-invitation#"+strings.Repeat("x", 80))
	p.looks(t, "link-invitation")
	p.opens(t, "/not-me#"+strings.Repeat("x", 80))
	p.looks(t, "link-not-me")
	p.opens(t, "/undo")
	p.looks(t, "link-undo")
	p.opens(t, "/nothing/here")
	p.looks(t, "error-page")
	p.clicks(t, "To the start page")
	p.sees(t, "Files")
}

//go:build e2e

package test_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// opens opens another address of the gateway in the tab.
func (p pageUser) opens(t *testing.T, path string) {
	t.Helper()
	p.do(t, "open "+path, chromedp.Navigate(p.process.https+path))
}

// confirms presses the button on the page of a link.
func (p pageUser) confirms(t *testing.T) {
	t.Helper()
	p.do(t, "confirm", click("form button"), chromedp.WaitVisible(chromedp.CSS(`[role="status"]`)))
}

// TestPage_Deletion deletes an account with a second factor, while another tab is open.
func TestPage_Deletion(t *testing.T) {
	t.Parallel()
	p := openPage(t)
	p.registers(t)
	other := p.another(t, "#/security")
	other.reads(t, "This device")
	login := fmt.Sprintf(`{"email":%q,"password":%q}`, herAddress, herPassword)
	bearer := fmt.Sprintf("Authorization: Bearer %s", p.call(t, "POST", "/api/auth/login", login)["access_token"])
	key, _ := p.call(t, "POST", "/api/auth/2fa/setup", `{}`, bearer)["manual_entry_key"].(string)
	p.call(t, "POST", "/api/auth/2fa/verify", fmt.Sprintf(`{"code":%q}`, codeAt(t, key, 0)), bearer)

	p.clicks(t, "Account")
	p.reads(t, "Everything is in order.") // so that the page knows what becomes of the files
	p.clicks(t, "Delete my account")
	p.asks(t, "Delete your account?")
	p.reads(t, "Your Nextcloud account is switched off")
	p.waits(t, "the field for a code", `!!document.querySelector("dialog [name=code]")`)
	p.looks(t, "deletion")
	p.types(t, "dialog [name=current_password]", "wrong")
	p.types(t, "dialog [name=code]", codeAt(t, key, 1))
	p.clicks(t, "Delete my account")
	p.reads(t, "The password is wrong.")
	p.types(t, "dialog [name=current_password]", herPassword)
	p.types(t, "dialog [name=code]", "000000")
	p.clicks(t, "Delete my account")
	p.reads(t, "This code is wrong or was used before.")
	p.types(t, "dialog [name=code]", codeAt(t, key, 1))
	p.clicks(t, "Delete my account")
	p.sees(t, "Sign in")
	p.reads(t, "Your account is deleted.")
	p.looks(t, "deleted")
	other.sees(t, "Sign in") // it was told
	other.reads(t, "Your account is deleted.")
	p.types(t, "email", herAddress)
	p.types(t, "password", herPassword)
	p.clicks(t, "Sign in")
	p.reads(t, "The e-mail address or the password is wrong.")
}

// TestPage_Nextcloud shows an account in Nextcloud that cannot be created yet, one that was
// there before, and a gateway that has none.
func TestPage_Nextcloud(t *testing.T) {
	t.Parallel()
	t.Run("down", func(t *testing.T) {
		t.Parallel()
		dir, cloud := t.TempDir(), newNextcloud(t)
		cloud.Fail(func(*http.Request) nextcloudtest.Fault { return nextcloudtest.Maintenance() })
		p := start(t, dir, nil, listen(t, cloud)...).open(t, dir)
		p.creates(t)
		p.sees(t, "Files")
		p.reads(t, "Nextcloud cannot be reached at the moment. It goes on by itself")
		p.clicks(t, "Account")
		p.reads(t, "Nextcloud cannot be reached at the moment. It goes on by itself")
		cloud.Fail(nil)                       // soon, as the gateway waits longer after each failure
		p.reads(t, "Everything is in order.") // without a click
		p.reads(t, "/remote.php/dav/files/ada@example.org/")
		p.clicks(t, "Files")
		p.reads(t, "welcome.txt")
	})
	t.Run("there before", func(t *testing.T) {
		t.Parallel()
		dir, cloud := t.TempDir(), newNextcloud(t)
		cloud.AddUser("countess", "from before", herAddress)
		p := start(t, dir, nil, listen(t, cloud)...).open(t, dir)
		p.creates(t)
		p.sees(t, "Files")
		p.reads(t, "There is already a Nextcloud account with your address.")
		p.types(t, "password", "from before")
		p.clicks(t, "Use this account")
		p.reads(t, "welcome.txt")
		p.clicks(t, "Account")
		p.reads(t, "countess")
		p.clicks(t, "Delete my account")
		p.reads(t, "Your Nextcloud account stays, with all your files.")
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		p := start(t, dir, nil).open(t, dir)
		p.creates(t)
		p.sees(t, "Files")
		p.reads(t, "This server has no storage for files.")
		p.looks(t, "storage-none")
		p.standings(t)
	})
}

// standings shows states of the account that take the gateway long to reach: its answer is
// replaced in the page.
func (p pageUser) standings(t *testing.T) {
	t.Helper()
	for _, s := range []struct{ status, cause, tag, text string }{
		{"failed", "refused", "Not working", "Nextcloud refuses to set up your storage."},
		{"pending", "nextcloud_unavailable", "Being set up", "Nextcloud cannot be reached at the moment. It goes on by itself"},
		{"pending", "app_password_refused", "Being set up", "Sign out and in again with your password, and your files are back."},
		{"pending", "a cause that is new", "Being set up", "This takes a moment, and goes on by itself."},
		{"failed", "a cause that is new", "Not working", "Your storage could not be set up. Whoever runs this server has to look at it."},
		{"conflict", "not_adoptable", "Not working", "may manage other accounts there"},
		{"disabled", "refused", "Switched off", "Your storage is switched off."},
	} {
		p.goes(t, "#/security")
		p.sees(t, "Security")
		p.do(t, "replace the answer", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(real => {
			window.fetch = request => request.url.endsWith("/api/users/me/nextcloud")
				? Promise.resolve(Response.json({status: %q, user_id: "ada", url: "https://cloud.example.org", webdav_url: null, quota: null,
					last_synced_at: null, last_error: %q || null, detail: null, on_delete: "delete"}))
				: real(request)
			window.realFetch = real
		})(window.realFetch ?? window.fetch)`, s.status, s.cause)))
		p.goes(t, "#/account")
		p.waits(t, s.tag, fmt.Sprintf(`document.querySelector("section div > .tag + p")?.parentElement.innerText.startsWith(%q)`, s.tag))
		p.reads(t, s.text)
		if claims := evaluate[bool](t, p.docsPage, `document.body.innerText.includes("Use this account")`); claims {
			t.Errorf("%s, %s: the page offers to claim the account", s.status, s.cause)
		}
		if s.cause != "a cause that is new" && s.cause != "app_password_refused" {
			p.looks(t, "storage-"+s.status)
		}
	}
	p.clicks(t, "Delete my account")
	p.reads(t, "Your Nextcloud account and all your files are deleted.")
}

// TestPage_Verification registers where the address has to be verified before the first
// sign-in, and where it has to be before there is storage.
func TestPage_Verification(t *testing.T) {
	t.Parallel()
	t.Run("login", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		p := start(t, dir, nil, "EMAIL_VERIFICATION=login", "PUBLIC_URL="+public).open(t, dir)
		p.creates(t)
		p.sees(t, "Check your mail")
		p.looks(t, "mail-sent")
		p.clicks(t, "Send me the link again")
		p.reads(t, "A mail with a link is on its way.")
		p.reads(t, "Possible again in")
		p.clicks(t, "Back to sign-in")
		p.sees(t, "Sign in")
		p.types(t, "email", herAddress)
		p.types(t, "password", herPassword)
		p.clicks(t, "Sign in")
		p.reads(t, "Confirm your e-mail address first")
		p.looks(t, "unverified")
		mails := mailbox{folder: filepath.Join(dir, "mail")}
		p.opens(t, strings.TrimPrefix(mails.link(t, herAddress), public))
		p.confirms(t)
		p.opens(t, "/")
		p.signsIn(t, herAddress, herPassword)
	})
	t.Run("storage", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		p := startWithDevcloud(t, dir, "EMAIL_VERIFICATION=storage", "PUBLIC_URL="+public).open(t, dir)
		p.creates(t)
		p.sees(t, "Files")
		p.reads(t, "Your storage is set up as soon as you have confirmed your e-mail address.")
		p.looks(t, "files-unverified")
		mails := mailbox{folder: filepath.Join(dir, "mail")}
		other := p.another(t, strings.TrimPrefix(mails.link(t, herAddress), public+"/"))
		other.confirms(t)
		p.reads(t, "welcome.txt") // without a click
	})
	t.Run("too many mails", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		p := start(t, dir, nil, "EMAIL_VERIFICATION=login", "PUBLIC_URL="+public, "PASSWORD_RATE_LIMIT_PER_MINUTE=1").open(t, dir)
		p.creates(t)
		p.sees(t, "Check your mail")
		p.call(t, "POST", "/api/auth/request-verify-token", fmt.Sprintf(`{"email":%q}`, herAddress))
		p.clicks(t, "Send me the link again")
		p.reads(t, "Too many attempts.")
		p.reads(t, "Possible again in")
		p.looks(t, "too-many-mails")
	})
}

// TestPage_Closed tells strangers that and why they can create no account: before they fill
// in a form, or, where the page could not ask, after they have sent it.
func TestPage_Closed(t *testing.T) {
	t.Parallel()
	for mode, says := range map[string][2]string{
		"invite": {"New accounts are by invitation.", "By invitation only"},
		"closed": {"No new accounts at the moment.", "No new accounts"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := start(t, dir, nil, "REGISTRATION="+mode).open(t, dir)
			p.reads(t, says[0])
			p.goes(t, "#/register") // from a bookmark
			p.sees(t, says[1])
			p.looks(t, "registration-"+mode)
			p.clicks(t, "Back to sign-in")
			p.sees(t, "Sign in")
			if evaluate[bool](t, p.docsPage, `!!document.querySelector("[href='#/register']")`) {
				t.Error("there is a link to a form that nobody can send")
			}
			p.looks(t, "sign-in-"+mode)
			p.do(t, "hold a phone", chromedp.EmulateViewport(360, 800))
			const layout = `[...document.querySelectorAll("h1, input, form button")].map(e => e.getBoundingClientRect().top).join(", ")`
			known := evaluate[string](t, p.docsPage, layout)

			if _, err := chromedp.Call(p.ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{
				URLPatterns: []*network.BlockPattern{{URLPattern: p.process.https + "/api/auth/registration", Block: true}},
			}); err != nil {
				t.Fatal(err)
			}
			p.opens(t, "/")
			p.sees(t, "Sign in")
			p.reads(t, "Create an account")
			if unknown := evaluate[string](t, p.docsPage, layout); unknown != known {
				t.Errorf("the answer moves the fields from %s to %s", unknown, known)
			}
			p.creates(t)
			p.sees(t, says[1])
		})
	}
}

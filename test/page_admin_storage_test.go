//go:build e2e

package test_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// TestPage_Provisioning has accounts that Nextcloud refuses, that are in conflict, and that
// wait because Nextcloud is down.
func TestPage_Provisioning(t *testing.T) {
	t.Parallel()
	a := openAdministration(t)
	a.clicks(t, "Administration")
	a.sees(t, "Users")
	a.clicks(t, "Storage")
	a.sees(t, "Storage")
	a.reads(t, "Everything is as it should be.")
	a.clicks(t, "Try all now")
	a.reads(t, "There is nothing to do.")
	a.looks(t, "admin-storage-fine")
	t.Run("Nextcloud refuses an account", a.refused)
	t.Run("an account was there before", a.adopts)
	t.Run("Nextcloud is down", a.down)
	t.Run("in German", a.german)
}

// shows shows the accounts of a filter, which reads them again.
func (a administration) shows(t *testing.T, hash, filter string) {
	t.Helper()
	a.goes(t, hash)
	a.waits(t, filter, fmt.Sprintf(`document.querySelector(".filter [aria-current]")?.innerText === %q`, filter))
}

// attends waits until an account needs attention for the reason. The page does not read an
// empty list again, and the gateway may not have tried yet.
func (a administration) attends(t *testing.T, reason string) {
	t.Helper()
	until(t, reason, func() bool {
		a.shows(t, "#/admin/storage/all", "All")
		a.shows(t, "#/admin/storage", "Needs attention")
		a.waits(t, "the list", `/Everything is as it should be|Next attempt|already has this address/.test(document.body.innerText)`)
		return evaluate[bool](t, a.docsPage, fmt.Sprintf(`document.body.innerText.includes(%q)`, reason))
	})
}

// refused tries an account again that Nextcloud has refused.
func (a administration) refused(t *testing.T) {
	const bob = "bob@example.org"
	create := nextcloudtest.On(http.MethodPost, "/cloud/users")
	a.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if !create(r) {
			return nil
		}
		return nextcloudtest.Answer(http.StatusBadRequest, "application/json",
			`{"ocs":{"meta":{"status":"failure","statuscode":150,"message":""},"data":[]}}`, 0)
	})
	a.registers(t, "Bob", bob)
	a.attends(t, "Nextcloud refused a value. The log of the server has the reason.")
	a.reads(t, "attempt failed. Next attempt")
	a.looks(t, "admin-storage-refused")
	a.cloud.Fail(nil)
	a.clicks(t, "Try again: "+bob)
	a.reads(t, "Everything is as it should be.") // without a click
	if _, exists := a.cloud.User(bob); !exists {
		t.Error("Nextcloud has no account for " + bob)
	}
	a.shows(t, "#/admin/storage/all", "All")
	a.waits(t, "both accounts", `document.querySelectorAll(".accounts li").length === 2`)
	a.looks(t, "admin-storage-all")
}

// adopts links the account that a user has had before, and the user claims it.
func (a administration) adopts(t *testing.T) {
	const before = "the password of the countess"
	a.cloud.AddUser("countess", before, herAddress)
	a.registers(t, herName, herAddress)
	a.attends(t, "The Nextcloud account “countess” already has this address.")
	a.looks(t, "admin-storage-conflict")
	a.clicks(t, "Link an account: "+herAddress)
	a.asks(t, "Link a Nextcloud account to "+herAddress)
	a.types(t, "nextcloud_user_id", "nobody")
	a.clicks(t, "Link an account")
	a.reads(t, "Nextcloud has no account with this name.")
	a.looks(t, "admin-adopt")
	a.types(t, "nextcloud_user_id", "countess")
	a.clicks(t, "Link an account")
	a.reads(t, "Now "+herAddress+" has to enter its Nextcloud password.")
	a.reads(t, "Linked to “countess”.")
	ada := a.process.open(t, a.dir)
	ada.sees(t, "Sign in")
	ada.types(t, "email", herAddress)
	ada.types(t, "password", herPassword)
	ada.clicks(t, "Sign in")
	ada.reads(t, "Enter its password once, and you see its files here.")
	ada.types(t, "password", before)
	ada.clicks(t, "Use this account")
	ada.reads(t, "welcome.txt")
	a.reads(t, "Everything is as it should be.") // without a click
}

// down shows what waits for Nextcloud.
func (a administration) down(t *testing.T) {
	a.cloud.SetMaintenance(true)
	a.registers(t, "Cleo", "cleo@example.org")
	a.clicks(t, "Under way")
	a.waits(t, "the filter", `location.hash === "#/admin/storage/pending"`)
	a.attends(t, "Nextcloud does not respond.")
	a.reads(t, "Next attempt in")
	a.clicks(t, "Try all now")
	a.reads(t, "Nothing can be tried at this moment. 1 waiting.")
	a.looks(t, "admin-storage-down")
}

// german shows the views in German, whose words are longer, in a narrow window.
func (a administration) german(t *testing.T) {
	a.clicks(t, "Account")
	a.sees(t, "Account")
	a.do(t, "select a language", chromedp.SetValue(chromedp.CSS("#language"), "de"))
	a.clicks(t, "Save")
	a.sees(t, "Konto")
	id := a.registers(t, "Dora", "dora@example.org")
	for _, view := range []struct{ hash, heading string }{
		{"#/admin/users", "Benutzer"}, {"#/admin/users/" + id, "Dora"}, {"#/admin/storage/all", "Speicher"},
	} {
		a.goes(t, view.hash)
		a.sees(t, view.heading)
		a.fits(t, 360)
		a.shoots(t, "admin-german-"+view.heading+".png")
		a.do(t, "a wide window", chromedp.EmulateViewport(1280, 900))
	}
}

// TestPage_WithoutNextcloud shows an administrator that there is nothing to look after.
func TestPage_WithoutNextcloud(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	admin(t, dir, nil)
	p := start(t, dir, nil).open(t, dir)
	p.sees(t, "Sign in")
	p.types(t, "email", rootAddress)
	p.types(t, "password", strings.TrimSpace(rootPassword))
	p.clicks(t, "Sign in")
	p.goes(t, "#/admin/storage")
	p.reads(t, "This server has no Nextcloud, so there is no storage for files.")
	p.looks(t, "admin-storage-none")
}

// TestPage_AdministrationByKeyboard looks after a user with the keyboard alone.
func TestPage_AdministrationByKeyboard(t *testing.T) {
	t.Parallel()
	a := openAdministration(t)
	a.registers(t, "Bob", "bob@example.org")
	a.tabs(t, "Administration")
	a.presses(t, kb.Enter)
	a.sees(t, "Users")
	a.reads(t, "bob@example.org")
	a.waits(t, "the focus at the heading", `document.activeElement === document.querySelector("h1")`)
	a.tabs(t, "Add a user")
	a.presses(t, kb.Enter)
	a.asks(t, "Add a user")
	a.presses(t, herAddress+kb.Enter)
	a.reads(t, "An invitation to "+herAddress+" is on its way.")
	a.waits(t, "the focus back", focused+` === "Add a user"`)
	a.tabs(t, "Search by name or address")
	a.presses(t, "bob"+kb.Enter)
	a.waits(t, "who is found", `document.querySelectorAll("tbody tr").length === 1`)
	a.tabs(t, "Bob")
	a.presses(t, kb.Enter)
	a.sees(t, "Bob")
	a.tabs(t, "Disable")
	a.presses(t, kb.Enter)
	a.asks(t, "Disable the account of Bob?")
	a.presses(t, kb.Escape)
	a.waits(t, "the focus back", focused+` === "Disable" && !document.querySelector("dialog")`)
	a.presses(t, kb.Enter)
	a.asks(t, "Disable the account of Bob?")
	a.tabs(t, "Disable")
	a.presses(t, kb.Enter)
	a.reads(t, "The account of Bob is disabled.")
	a.waits(t, "the focus where it was", focused+` === "Enable"`)
	a.tabs(t, "Storage")
	a.presses(t, kb.Enter)
	a.sees(t, "Storage")
	a.tabs(t, "Disabled")
	a.presses(t, kb.Enter)
	a.reads(t, "bob@example.org")
	a.tabs(t, "Try all now")
	a.presses(t, kb.Enter)
	a.reads(t, "There is nothing to do.")
}

//go:build e2e

package test_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// The administrator of the tests of the page, whom [admin] creates.
const rootAddress = "root@example.com"

// An administration is a gateway with a Nextcloud, and an administrator at its page.
type administration struct {
	pageUser

	dir   string
	cloud *nextcloudtest.Server
}

// openAdministration opens the page of a gateway as an administrator.
func openAdministration(t *testing.T, env ...string) administration {
	t.Helper()
	a := administration{dir: t.TempDir(), cloud: newNextcloud(t)}
	admin(t, a.dir, nil)
	p := start(t, a.dir, nil, append(listen(t, a.cloud), env...)...)
	a.pageUser = p.open(t, a.dir)
	a.complaints(t, "status of 409", // the storage is not ready yet; an address is taken
		"status of 403", "status of 404", "status of 422", // no second factor; somebody was deleted; a quota is no number
		"ERR_INTERNET_DISCONNECTED", "ERR_NETWORK_CHANGED") // by the test; the page sends the request again
	a.signsIn(t, rootAddress, strings.TrimSpace(rootPassword))
	return a
}

// signsIn signs somebody in who is not.
func (p pageUser) signsIn(t *testing.T, email, password string) {
	t.Helper()
	p.sees(t, "Sign in")
	p.types(t, "email", email)
	p.types(t, "password", password)
	p.clicks(t, "Sign in")
	p.sees(t, "Files")
}

// registers registers somebody beside the browser, and returns the id.
func (a administration) registers(t *testing.T, name, email string) string {
	t.Helper()
	got := a.call(t, "POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q,"full_name":%q}`, email, herPassword, name))
	return got["user"].(map[string]any)["id"].(string)
}

// goes opens the view with the address.
func (p pageUser) goes(t *testing.T, hash string) {
	t.Helper()
	p.do(t, hash, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`location.hash = %q, undefined`, hash)))
}

// selects chooses from the list with the name.
func (p pageUser) selects(t *testing.T, name, value string) {
	t.Helper()
	field := fmt.Sprintf(`select[name=%q]`, name)
	p.do(t, name, chromedp.WaitVisible(chromedp.CSS(field)), chromedp.SetValue(chromedp.CSS(field), value))
}

// TestPage_AdministrationIsForAdministrators checks who sees the administration, who loads
// its code, and what happens if that fails.
func TestPage_AdministrationIsForAdministrators(t *testing.T) {
	t.Parallel()
	a := openAdministration(t)
	const loaded = `performance.getEntriesByType("resource").some(e => /\/admin-[^/]*\.js$/.test(e.name))`
	if evaluate[bool](t, a.docsPage, loaded) {
		t.Error("the code of the administration is loaded before anybody needs it")
	}
	a.connects(t, false, -1)
	a.clicks(t, "Administration")
	a.reads(t, "There is no connection.")
	a.connects(t, true, -1)
	a.sees(t, "Users") // without a click
	a.reads(t, rootAddress)
	a.goes(t, "#/admin/nonsense")
	a.waits(t, "the first view", `location.hash === "#/admin/users"`)
	a.clicks(t, "Storage")
	a.sees(t, "Storage")
	a.reads(t, "Everything is as it should be.")

	a.clicks(t, "Sign out")
	a.sees(t, "Sign in")
	a.registers(t, herName, herAddress)
	a.goes(t, "#/files")
	a.signsIn(t, herAddress, herPassword)
	if evaluate[bool](t, a.docsPage, `!!document.querySelector("[href='#/admin']")`) {
		t.Error("the navigation of a person leads to the administration")
	}
	a.goes(t, "#/admin/users")
	a.waits(t, "the files", `location.hash === "#/files"`)
}

// TestPage_Users takes an account from its invitation to its end, as an administrator and
// its user see it.
func TestPage_Users(t *testing.T) {
	t.Parallel()
	a := openAdministration(t)
	for _, name := range []string{"Bob", "Cleo", "Dora"} {
		a.registers(t, name, strings.ToLower(name)+"@example.org")
	}
	a.clicks(t, "Administration")
	a.sees(t, "Users")
	a.waits(t, "all users", `document.querySelectorAll("tbody tr").length === 4`)
	a.types(t, "q", "dor")
	a.waits(t, "who is found", `document.querySelectorAll("tbody tr").length === 1 && document.body.innerText.includes("dora@example.org")`)
	a.types(t, "q", "nobody")
	a.reads(t, "No name or address begins with “nobody”.")
	a.looks(t, "admin-users-none")
	a.do(t, "empty the search", chromedp.KeyEvent(kb.Escape))
	a.reads(t, "dora@example.org")

	ada := a.invites(t)
	a.reads(t, "Invited")
	a.looks(t, "admin-users")
	a.clicks(t, herName)
	a.sees(t, herName)
	a.reads(t, "It is set up when the user has accepted the invitation or confirmed the address.")
	a.clicks(t, "Send again")
	a.asks(t, "Send "+herName+" another invitation?")
	a.looks(t, "admin-invite-again")
	a.clicks(t, "Send again")
	a.reads(t, "Another invitation to "+herName+" is on its way.")
	ada.accepts(t, a.dir, 2)
	a.do(t, "look again", chromedp.Reload())
	a.reads(t, "The files are available.")
	a.looks(t, "admin-user")

	a.space(t)
	a.disables(t, ada)
	a.roles(t, ada)
	a.ends(t, ada)
}

// invites invites a person, and opens a browser for her.
func (a administration) invites(t *testing.T) (ada pageUser) {
	t.Helper()
	a.clicks(t, "Add a user")
	a.asks(t, "Add a user")
	a.looks(t, "admin-invite")
	a.clicks(t, "Send the invitation")
	a.reads(t, "Please fill in this field.")
	a.types(t, "email", "bob@example.org")
	a.clicks(t, "Send the invitation")
	a.reads(t, "There is already an account with this address.")
	a.types(t, "email", herAddress)
	a.types(t, "full_name", herName)
	a.clicks(t, "Send the invitation")
	a.reads(t, "An invitation to "+herAddress+" is on its way.")
	return a.process.open(t, a.dir)
}

// accepts follows the link in the last of the mails.
func (p pageUser) accepts(t *testing.T, dir string, mails int) {
	t.Helper()
	var links []sentLink
	await(t, "the mail", func() bool { links = linksTo(t, dir, herAddress); return len(links) == mails })
	l := links[mails-1]
	p.do(t, "follow the link", chromedp.Navigate(p.process.https+"/"+l.page+"#"+l.token))
	p.types(t, "[type=password]", herPassword)
	p.do(t, "accept", click("form button"), chromedp.WaitVisible(chromedp.CSS(`[role="status"]`)))
	p.do(t, "open the page", chromedp.Navigate(p.process.https+"/"))
	p.signsIn(t, herAddress, herPassword)
}

// space changes how much the user can store.
func (a administration) space(t *testing.T) {
	t.Helper()
	a.clicks(t, "Change the space")
	a.selects(t, "setting", "own")
	a.types(t, "amount", "plenty")
	a.clicks(t, "Save")
	a.reads(t, "A whole number, such as 20.")
	a.looks(t, "admin-quota")
	a.types(t, "amount", "20")
	a.clicks(t, "Save")
	a.reads(t, "Saved.")
	await(t, "the quota in Nextcloud", func() bool { u, _ := a.cloud.User(herAddress); return u.Quota == "20 GB" })
	a.waits(t, "the new quota", `[...document.querySelectorAll("dd")].some(e => e.innerText.startsWith("20 GB"))`)
}

// disables disables the account of somebody who is signed in, and enables it.
func (a administration) disables(t *testing.T, ada pageUser) {
	t.Helper()
	a.clicks(t, "Disable")
	a.asks(t, "Disable the account of "+herName+"?")
	a.looks(t, "admin-disable")
	a.clicks(t, "Disable")
	a.reads(t, "The account of "+herName+" is disabled.")
	ada.clicks(t, "Account")
	ada.sees(t, "Sign in")
	ada.reads(t, "Your session has ended.")
	a.reads(t, "The user is disabled, and so is the account.")
	a.looks(t, "admin-disabled")
	a.clicks(t, "Enable")
	a.asks(t, "Enable the account of "+herName+"?")
	a.clicks(t, "Enable")
	a.reads(t, "The account of "+herName+" is enabled.")
}

// roles makes the user an administrator, and takes that back while she looks at users.
func (a administration) roles(t *testing.T, ada pageUser) {
	t.Helper()
	a.clicks(t, "Make administrator")
	a.asks(t, "Make "+herName+" an administrator?")
	a.looks(t, "admin-promote")
	a.clicks(t, "Make administrator")
	a.reads(t, herName+" is an administrator now.")
	ada.types(t, "email", herAddress)
	ada.types(t, "password", herPassword)
	ada.clicks(t, "Sign in")
	ada.clicks(t, "Administration")
	ada.reads(t, rootAddress)
	a.clicks(t, "Take the role")
	a.asks(t, "Take the role of administrator from "+herName+"?")
	a.clicks(t, "Take the role")
	a.reads(t, herName+" is no longer an administrator.")
	ada.types(t, "q", "bob")
	ada.reads(t, "You are not an administrator any more")
	ada.looks(t, "admin-no-more")
}

// ends ends the logins of the user, mails a link, and deletes the account.
func (a administration) ends(t *testing.T, ada pageUser) {
	t.Helper()
	a.clicks(t, "Sign out everywhere")
	a.asks(t, "Sign "+herName+" out everywhere?")
	a.looks(t, "admin-logout")
	a.clicks(t, "Sign out everywhere")
	a.reads(t, herName+" is signed out everywhere.")
	ada.clicks(t, "Security")
	ada.sees(t, "Sign in")
	a.clicks(t, "Send a link")
	a.asks(t, "Send "+herName+" a link for a new password?")
	a.clicks(t, "Send a link")
	a.reads(t, "A mail to "+herName+" is on its way.")
	await(t, "the mail", func() bool { return len(linksTo(t, a.dir, herAddress)) == 3 })

	other := a.another(t, evaluate[string](t, a.docsPage, `location.hash`))
	other.sees(t, herName)
	a.clicks(t, "Delete")
	a.asks(t, "Delete the account of "+herName+"?")
	a.types(t, "address", "bob@example.org")
	a.clicks(t, "Delete")
	a.reads(t, "This is not the address of the account.")
	a.looks(t, "admin-delete")
	a.types(t, "address", herAddress)
	a.clicks(t, "Delete")
	a.sees(t, "Users")
	a.reads(t, "The account of "+herName+" is deleted.")
	other.clicks(t, "Disable")
	other.asks(t, "Disable the account of "+herName+"?")
	other.clicks(t, "Disable")
	other.reads(t, "This account does not exist any more.")
	other.looks(t, "admin-user-gone")
}

// TestPage_ManyUsers looks through more users than a page of the list holds, and creates one
// with a password.
func TestPage_ManyUsers(t *testing.T) {
	t.Parallel()
	a := openAdministration(t)
	root := a.call(t, "POST", "/api/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, rootAddress, strings.TrimSpace(rootPassword)))
	for i := range 60 {
		a.call(t, "POST", "/api/users/invite", fmt.Sprintf(`{"email":"guest-%02d@example.org"}`, i), fmt.Sprintf("Authorization: Bearer %s", root["access_token"]))
	}
	rows := func(n int) string { return fmt.Sprintf(`document.querySelectorAll("tbody tr").length === %d`, n) }
	a.clicks(t, "Administration")
	a.waits(t, "the first page", rows(50)+` && document.body.innerText.includes("The first 50 are shown.")`)
	a.looks(t, "admin-users-many")
	a.clicks(t, "Show more")
	a.waits(t, "all users", rows(61))
	a.waits(t, "the focus on the first that is new", `document.activeElement === document.querySelectorAll("tbody tr")[50].querySelector("a")`)
	if evaluate[bool](t, a.docsPage, `[...document.querySelectorAll("button")].some(b => b.innerText === "Show more")`) {
		t.Error("there is more after all users")
	}
	a.types(t, "q", "guest-1")
	a.waits(t, "who is found", rows(10))
	a.clicks(t, "guest-17@example.org")
	a.sees(t, "guest-17@example.org")
	a.clicks(t, "All users")
	a.waits(t, "the search as it was", rows(10)+` && document.querySelector("[name=q]").value === "guest-1"`)

	a.clicks(t, "Add a user")
	a.selects(t, "way", "password")
	a.types(t, "email", herAddress)
	a.types(t, "[type=password]", "short")
	a.clicks(t, "Create the account")
	a.reads(t, "This password is too short.")
	a.types(t, "[type=password]", herPassword)
	a.looks(t, "admin-create")
	a.clicks(t, "Create the account")
	a.reads(t, "The account of "+herAddress+" is created.")
	a.call(t, "POST", "/api/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, herAddress, herPassword))

	a.types(t, "q", "root")
	a.clicks(t, rootAddress)
	a.reads(t, "This is your own account.")
	a.looks(t, "admin-user-own")
	a.goes(t, "#/admin/users/nonsense")
	a.reads(t, "This account does not exist any more.")
}

// TestPage_AdministratorsNeedASecondFactor tells an administrator without one what to do.
func TestPage_AdministratorsNeedASecondFactor(t *testing.T) {
	t.Parallel()
	a := openAdministration(t, "REQUIRE_2FA_FOR_ADMINS=true")
	a.clicks(t, "Administration")
	a.reads(t, "Administrators need a second factor here. Turn it on under “Security”.")
	a.looks(t, "admin-second-factor")
}

//go:build e2e

package test_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The administrator of the tests of the page, whom [admin] creates.
const rootAddress = "root@example.com"

// openAdministration opens the page of a gateway with a Nextcloud as an administrator.
func openAdministration(t *testing.T, env ...string) pageUser {
	t.Helper()
	dir := t.TempDir()
	admin(t, dir, nil)
	p := startWithDevcloud(t, dir, env...).open(t, dir)
	p.complaints(t, "status of 409", // the administrator's storage is not ready yet
		"ERR_INTERNET_DISCONNECTED", "ERR_NETWORK_CHANGED") // by the test; the page sends the request again
	p.signsIn(t, rootAddress, strings.TrimSpace(rootPassword))
	return p
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

// goes opens the view with the address.
func (p pageUser) goes(t *testing.T, hash string) {
	t.Helper()
	p.do(t, hash, chromedp.Evaluate[chromedp.Void](`location.hash = "`+hash+`", undefined`))
}

// TestPage_AdministrationIsForAdministrators checks who sees the administration, who loads
// its code, and what happens if that fails.
func TestPage_AdministrationIsForAdministrators(t *testing.T) {
	t.Parallel()
	p := openAdministration(t)
	const loaded = `performance.getEntriesByType("resource").some(e => /\/admin-[^/]*\.js$/.test(e.name))`
	if evaluate[bool](t, p.docsPage, loaded) {
		t.Error("the code of the administration is loaded before anybody needs it")
	}
	p.connects(t, false, -1)
	p.clicks(t, "Administration")
	p.reads(t, "There is no connection.")
	p.connects(t, true, -1)
	p.sees(t, "Users") // without a click
	p.reads(t, rootAddress)
	p.goes(t, "#/admin/nonsense")
	p.waits(t, "the first view", `location.hash === "#/admin/users"`)
	p.clicks(t, "Storage")
	p.sees(t, "Storage")
	p.reads(t, rootAddress)

	p.clicks(t, "Sign out")
	p.sees(t, "Sign in")
	p.call(t, "POST", "/api/auth/register", `{"email":"`+herAddress+`","password":"`+herPassword+`"}`)
	p.goes(t, "#/files")
	p.signsIn(t, herAddress, herPassword)
	if evaluate[bool](t, p.docsPage, `!!document.querySelector("[href='#/admin']")`) {
		t.Error("the navigation of a person leads to the administration")
	}
	p.goes(t, "#/admin/users")
	p.waits(t, "the files", `location.hash === "#/files"`)
}

//go:build e2e

package test_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPage_Conversations shows the conversations that an app has stored: a page at a time,
// one by its address, with another title, and no more.
func TestPage_Conversations(t *testing.T) {
	t.Parallel()
	p := openPage(t)
	p.registers(t)
	p.complaints(t, "status of 404", "status of 409", "status of 422", "ERR_NETWORK_CHANGED")
	p.clicks(t, "Conversations")
	p.sees(t, "Conversations")
	p.reads(t, "There are no conversations yet.")
	p.looks(t, "conversations-empty")

	// An app stores some, with the person's password.
	token := p.call(t, "POST", "/api/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, herAddress, herPassword))["access_token"]
	bearer := fmt.Sprintf("Authorization: Bearer %s", token)
	for n := range 22 {
		p.call(t, "POST", "/api/sessions", fmt.Sprintf(`{"title":"Talk %d"}`, n+1), bearer)
	}
	long := strings.Repeat("and then it rains, ", 200)
	p.call(t, "POST", "/api/sessions", fmt.Sprintf(`{"title":"Weather","context":{"turns":[{"role":"user","text":"Will it rain?"},{"role":"assistant","text":%q}]}}`, long), bearer)
	p.clicks(t, "Account")
	p.sees(t, "Account")
	p.clicks(t, "Conversations")
	const rows = `document.querySelectorAll(".rows li").length === %d`
	p.waits(t, "the first page", fmt.Sprintf(rows, 20))
	if got := evaluate[string](t, p.docsPage, `document.querySelector(".rows a").innerText`); got != "Weather" {
		t.Errorf("the first conversation is %q, want the newest", got)
	}
	p.looks(t, "conversations")
	p.clicks(t, "Show more")
	p.waits(t, "the second page", fmt.Sprintf(rows, 23))
	p.waits(t, "the focus on the first new one", `document.activeElement.innerText === "Talk 3"`)
	p.waits(t, "no third page", `![...document.querySelectorAll("button")].some(b => b.innerText === "Show more")`)

	p.clicks(t, "Weather")
	p.sees(t, "Weather")
	p.reads(t, "Will it rain?")
	p.looks(t, "conversation")
	p.do(t, "reload", chromedp.Reload())
	p.sees(t, "Weather")
	p.clicks(t, "Rename")
	p.asks(t, "Rename")
	p.types(t, "title", " ")
	p.clicks(t, "Rename")
	p.reads(t, "1 to 200 characters.")
	p.types(t, "title", "Climate")
	p.clicks(t, "Rename")
	p.sees(t, "Climate")
	p.reads(t, "It is called Climate now.")
	address := evaluate[string](t, p.docsPage, `location.hash`)
	p.clicks(t, "Delete")
	p.asks(t, "Delete “Climate”?")
	p.looks(t, "conversation-delete")
	p.clicks(t, "Delete")
	p.sees(t, "Conversations")
	p.reads(t, "Climate is deleted.")
	p.waits(t, "the others", fmt.Sprintf(rows, 20))
	p.waits(t, "the focus at the heading", `document.activeElement === document.querySelector("h1")`)
	p.do(t, "open what is gone", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`location.hash = %q, undefined`, address)))
	p.reads(t, "This conversation does not exist, or it was deleted.")
	p.do(t, "open what never was", chromedp.Evaluate[chromedp.Void](`location.hash = "#/conversations/nothing", undefined`))
	p.reads(t, "This conversation does not exist, or it was deleted.")
	p.looks(t, "conversation-gone")
}

//go:build e2e

package test_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// focused describes what has the focus: its label or its text.
const focused = `(e => e?.labels?.[0]?.firstChild.textContent.trim() || e?.getAttribute("aria-label") || e?.innerText?.trim() || "")(document.activeElement)`

// tabs presses Tab until something has the focus.
func (p pageUser) tabs(t *testing.T, to string) {
	t.Helper()
	var passed []string
	for range 40 {
		got := evaluate[string](t, p.docsPage, focused)
		if got == to {
			return
		}
		passed = append(passed, got)
		p.do(t, "Tab", chromedp.KeyEvent(kb.Tab))
	}
	t.Fatalf("Tab does not reach %q, but %q", to, passed)
}

// presses presses keys. Enter is one event, as it comes from a keyboard: as two, the second
// could reach what the first has opened.
func (p pageUser) presses(t *testing.T, keys string) {
	t.Helper()
	for i, part := range strings.Split(keys, kb.Enter) {
		if i > 0 {
			for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
				if _, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{
					Type: kind, Key: "Enter", Code: "Enter", Text: kb.Enter, WindowsVirtualKeyCode: 13,
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if part != "" {
			p.do(t, part, chromedp.KeyEvent(part))
		}
	}
}

// TestPage_Keyboard goes the way of a new user with the keyboard alone.
func TestPage_Keyboard(t *testing.T) {
	t.Parallel()
	p := openPage(t)
	p.sees(t, "Sign in")
	if got := evaluate[string](t, p.docsPage, focused); got != "E-mail address" {
		t.Errorf("the focus begins at %q, want the first field", got)
	}
	p.tabs(t, "Create an account")
	p.presses(t, kb.Enter)
	p.sees(t, "Create your account")
	p.waits(t, "the first field", focused+` === "Name"`)
	p.presses(t, herName)
	p.tabs(t, "E-mail address")
	p.presses(t, herAddress)
	p.tabs(t, "Password")
	p.presses(t, herPassword+kb.Enter)
	p.reads(t, "welcome.txt")

	p.tabs(t, "New folder")
	p.presses(t, kb.Enter)
	p.asks(t, "New folder")
	p.presses(t, "Travel"+kb.Enter) // the dialog has the focus
	p.reads(t, "The folder Travel is created.")
	p.waits(t, "the focus back", focused+` === "New folder" && !document.querySelector("dialog")`)

	p.choosesFile(t)
	p.waits(t, "the uploaded file in the folder", `!!document.querySelector("[aria-label='Actions for hello.txt']")`)
	p.tabs(t, "Actions for hello.txt")
	p.presses(t, kb.Enter)
	p.asks(t, "hello.txt")
	p.tabs(t, "Delete")
	p.presses(t, kb.Enter)
	p.asks(t, "Delete “hello.txt”?")
	p.tabs(t, "Delete")
	p.presses(t, kb.Enter)
	p.reads(t, "hello.txt is deleted.")
	p.tabs(t, "Actions for welcome.txt")
	p.presses(t, kb.Enter)
	p.asks(t, "welcome.txt")
	p.presses(t, kb.Escape)
	p.waits(t, "the focus back", focused+` === "Actions for welcome.txt" && !document.querySelector("dialog")`)

	p.do(t, "start over", chromedp.Reload())
	p.reads(t, "welcome.txt")
	p.tabs(t, "Skip to content")
	p.presses(t, kb.Enter+kb.Tab)
	if got := evaluate[string](t, p.docsPage, focused); got != "Upload files" {
		t.Errorf("behind the link past the navigation, the focus is at %q", got)
	}
	p.do(t, "start over", chromedp.Reload())
	p.reads(t, "welcome.txt")
	p.tabs(t, "Account")
	p.presses(t, kb.Enter)
	p.sees(t, "Account")
	p.waits(t, "the focus at the heading", `document.activeElement === document.querySelector("h1")`)
	p.tabs(t, "Name")
	p.presses(t, "!"+kb.Enter)
	p.reads(t, "Saved.")
	t.Run("security", p.securityByKeyboard)
	t.Run("apps", p.appsByKeyboard)
	t.Run("conversations", p.conversationsByKeyboard)
}

// views opens a view with the navigation. The focus goes to its heading.
func (p pageUser) views(t *testing.T, name string) {
	t.Helper()
	p.do(t, "start over", chromedp.Reload())
	p.waits(t, "the navigation", `!!document.querySelector("#nav")`)
	p.tabs(t, name)
	p.presses(t, kb.Enter)
	p.sees(t, name)
	p.waits(t, "the focus at the heading", `document.activeElement === document.querySelector("h1")`)
}

func (p pageUser) securityByKeyboard(t *testing.T) {
	p.signsInFrom(t, herPassword, "Firefox/140.0 (Android)")
	p.views(t, "Security")
	p.reads(t, "Firefox on Android")
	p.tabs(t, "Change password")
	p.presses(t, kb.Enter)
	p.waits(t, "the focus in the form", focused+` === "Current password"`)
	p.presses(t, herPassword)
	p.tabs(t, "New password")
	p.presses(t, "short"+kb.Enter)
	p.waits(t, "the focus on what is wrong", `document.activeElement.name === "new_password" && document.activeElement.getAttribute("aria-invalid") === "true"`)
	p.tabs(t, "Sign out Firefox on Android")
	p.presses(t, kb.Enter)
	p.reads(t, "is signed out.")
	p.waits(t, "the focus at the heading", `document.activeElement === document.querySelector("h1")`)
}

func (p pageUser) appsByKeyboard(t *testing.T) {
	p.views(t, "Apps")
	p.waits(t, "both lists", `document.querySelectorAll("section details").length === 2`)
	p.tabs(t, "Add an app")
	p.presses(t, kb.Enter)
	p.waits(t, "the focus in the form", focused+` === "Name of the app"`)
	p.presses(t, "Phone")
	p.tabs(t, "Current password")
	p.presses(t, herPassword+kb.Enter)
	p.reads(t, "Connect Phone")
	p.tabs(t, "Copy: Password")
	p.tabs(t, "Remove Phone")
	p.presses(t, kb.Enter)
	p.asks(t, "Remove “Phone”?")
	p.waits(t, "the focus on the harmless choice", focused+` === "Cancel"`)
	p.presses(t, kb.Escape)
	p.waits(t, "the focus back", focused+` === "Remove Phone" && !document.querySelector("dialog")`)
	p.presses(t, kb.Enter)
	p.asks(t, "Remove “Phone”?")
	p.tabs(t, "Remove")
	p.presses(t, kb.Enter)
	p.reads(t, "Phone is removed.")
	p.waits(t, "the focus at the heading", `document.activeElement === document.querySelector("h1")`)
}

func (p pageUser) conversationsByKeyboard(t *testing.T) {
	p.call(t, "POST", "/api/sessions", `{"title":"Weather"}`, p.bearer(t, herAddress, herPassword))
	p.views(t, "Conversations")
	p.reads(t, "Weather")
	p.tabs(t, "Weather")
	p.presses(t, kb.Enter)
	p.sees(t, "Weather")
	p.waits(t, "the focus at the heading", `document.activeElement === document.querySelector("h1")`)
	p.tabs(t, "Delete")
	p.presses(t, kb.Enter)
	p.asks(t, "Delete “Weather”?")
	p.tabs(t, "Delete")
	p.presses(t, kb.Enter)
	p.reads(t, "Weather is deleted.")
}

// choosesFile opens the file chooser with the keyboard, and gives it a file. Chromium has no
// window for it here.
func (p pageUser) choosesFile(t *testing.T) {
	t.Helper()
	if _, err := chromedp.Call(p.ctx, page.SetInterceptFileChooserDialog, page.SetInterceptFileChooserDialogParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	p.tabs(t, "Upload files")
	opened, err := chromedp.Run(p.ctx, chromedp.WaitEvent(page.FileChooserOpened, func(page.EventFileChooserOpened) bool { return true }, chromedp.KeyEvent(kb.Enter)))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hello.txt")
	if err := os.WriteFile(file, []byte("Hello!\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(p.ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{file}, BackendNodeID: opened.BackendNodeID}); err != nil {
		t.Fatal(err)
	}
}

//go:build e2e

package test_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The person of the tests of the page.
const (
	herName     = "Ada Lovelace"
	herAddress  = "ada@example.org"
	herPassword = "correct horse battery staple"
)

// TestPage takes a person from her registration through all views of the page.
func TestPage(t *testing.T) {
	t.Parallel()
	p := openPage(t)
	p.complaints(t, "status of 409", "status of 412", // the storage is not ready yet; a file exists
		"status of 400", "status of 422", // a wrong code; a key without scopes
		"ERR_NETWORK_CHANGED") // on this machine; the page sends the request again
	p.sees(t, "Sign in")
	p.looks(t, "sign-in")
	p.clicks(t, "Forgot your password?")
	p.sees(t, "Forgot your password?")
	p.looks(t, "forgot")
	p.clicks(t, "Back to sign-in")
	p.sees(t, "Sign in")
	p.clicks(t, "Create an account")
	p.sees(t, "Create your account")
	p.looks(t, "register")
	p.types(t, "full_name", herName)
	p.types(t, "email", herAddress)
	p.types(t, "password", herPassword)
	p.clicks(t, "Create account")
	p.sees(t, "Files")
	p.files(t)
	p.clicks(t, "Account")
	p.sees(t, "Account")
	p.reads(t, herName)
	p.reads(t, "Everything is in order.")
	p.looks(t, "account")
	p.clicks(t, "Security")
	p.sees(t, "Security")
	p.reads(t, "This device")
	p.looks(t, "security")
	p.apps(t)
	p.secondFactor(t)
	p.german(t)
}

// apps creates an app password and a key, and removes both.
func (p pageUser) apps(t *testing.T) {
	t.Helper()
	p.clicks(t, "Apps")
	p.sees(t, "Apps")
	p.waits(t, "both lists", `document.querySelectorAll("section details").length === 2`)
	p.clicks(t, "Add an app")
	p.types(t, "details[open] [name=name]", "Phone")
	p.types(t, "details[open] [name=current_password]", herPassword)
	p.clicks(t, "Create")
	p.reads(t, "Connect Phone")
	p.clicks(t, "Create a key")
	p.types(t, "details[open] [name=name]", "Backup")
	p.types(t, "details[open] [name=current_password]", herPassword)
	p.clicks(t, "Create")
	p.reads(t, "Choose at least one.")
	p.do(t, "choose a scope", click(`[value="files:read"]`))
	p.clicks(t, "Create")
	p.reads(t, "Copy the key now.")
	p.reads(t, time.Now().AddDate(0, 0, 90).Format("valid until Jan 2, 2006"))
	p.looks(t, "apps")
	p.clicks(t, "Remove Phone")
	p.asks(t, "Remove “Phone”?")
	p.looks(t, "remove")
	p.clicks(t, "Remove")
	p.reads(t, "Phone is removed.")
	p.clicks(t, "Remove Backup")
	p.clicks(t, "Remove")
	p.reads(t, "Backup is removed.")
}

// secondFactor turns the second factor on, signs in with it, and turns it off.
func (p pageUser) secondFactor(t *testing.T) {
	t.Helper()
	p.clicks(t, "Security")
	p.clicks(t, "Set up")
	p.reads(t, "Or type this key into the app:")
	p.looks(t, "second-factor")
	key := evaluate[string](t, p.docsPage, `document.querySelector("code").innerText`)
	p.types(t, "code", "000000")
	p.clicks(t, "Turn on")
	p.reads(t, "This code is wrong or was used before.")
	p.types(t, "code", codeAt(t, key, 0))
	p.clicks(t, "Turn on")
	p.reads(t, "The second factor is on.")
	p.looks(t, "backup-codes")
	backup := evaluate[string](t, p.docsPage, `document.querySelector(".codes code").innerText`)
	p.clicks(t, "I have kept them")
	p.reads(t, "10 backup codes are left.")
	p.clicks(t, "Sign out")
	p.sees(t, "Sign in")
	p.types(t, "email", herAddress)
	p.types(t, "password", herPassword)
	p.clicks(t, "Sign in")
	p.sees(t, "One more step")
	p.looks(t, "code")
	p.types(t, "code", codeAt(t, key, 1))
	p.clicks(t, "Continue")
	p.sees(t, "Security")
	p.clicks(t, "Turn off")
	p.types(t, "details[open] [name=current_password]", herPassword)
	p.types(t, "details[open] [name=code]", backup)
	p.clicks(t, "Turn off")
	p.reads(t, "The second factor is off.")
}

// german shows every view in German, whose words are longer, in a narrow window.
func (p pageUser) german(t *testing.T) {
	t.Helper()
	p.clicks(t, "Account")
	p.sees(t, "Account")
	p.do(t, "select a language", chromedp.SetValue(chromedp.CSS("#language"), "de"))
	p.clicks(t, "Save")
	p.sees(t, "Konto")
	p.waits(t, "the language in the list", `document.querySelector("#language").value === "de"`)
	if got := evaluate[string](t, p.docsPage, `document.documentElement.lang`); got != "de" {
		t.Errorf("the language of the page is %q", got)
	}
	for _, view := range []string{"Dateien", "Gespräche", "Sicherheit", "Apps", "Konto"} {
		p.clicks(t, view)
		p.sees(t, view)
		p.fits(t, 360)
		p.do(t, "a wide window", chromedp.EmulateViewport(1280, 900))
	}
	p.clicks(t, "Abmelden")
	p.sees(t, "Anmelden")
	p.fits(t, 360)
}

// files uploads files, and does with them what one does with files.
func (p pageUser) files(t *testing.T) {
	t.Helper()
	p.reads(t, "welcome.txt")
	p.clicks(t, "New folder")
	p.types(t, "name", "Travel")
	p.looks(t, "new-folder")
	p.clicks(t, "Create folder")
	p.reads(t, "The folder Travel is created.")
	p.clicks(t, "Travel")
	p.reads(t, "This folder is empty.")
	p.looks(t, "files-empty")
	p.clicks(t, "All files")
	p.reads(t, "welcome.txt")

	dir := t.TempDir()
	var paths []string
	for name, content := range map[string]string{"notes 1.txt": "Hello,\nthis is a note.\n", "ümläut & co.txt": "x"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, file)
	}
	upload := func() {
		t.Helper()
		p.do(t, "choose files", chromedp.SetUploadFiles(chromedp.CSS(`[type="file"]`), paths))
	}
	upload()
	p.waits(t, "both files", `document.querySelectorAll("table tbody tr").length === 4`)
	p.reads(t, "23 bytes")
	upload()
	p.reads(t, "There is already a file with this name.")
	p.looks(t, "files")
	p.clicks(t, "Replace notes 1.txt")
	p.waits(t, "the replaced file", `!document.querySelector(`+"`[aria-label=\"Replace notes 1.txt\"]`"+`)`)
	p.clicks(t, "notes 1.txt")
	p.reads(t, "this is a note.")
	p.looks(t, "preview")
	p.clicks(t, "Close")
	p.clicks(t, "Actions for notes 1.txt")
	p.looks(t, "file-actions")
	p.clicks(t, "Rename")
	p.asks(t, "Rename")
	p.types(t, "name", "note.txt")
	p.clicks(t, "Rename")
	p.reads(t, "It is called note.txt now.")
	p.clicks(t, "Actions for note.txt")
	p.clicks(t, "Move")
	p.asks(t, "Move “note.txt”")
	p.clicks(t, "Travel")
	p.reads(t, "To: Travel")
	p.looks(t, "move")
	p.clicks(t, "Move here")
	p.reads(t, "note.txt is now in Travel.")
	p.clicks(t, "Actions for ümläut & co.txt")
	p.clicks(t, "Delete")
	p.asks(t, "Delete “ümläut & co.txt”?")
	p.looks(t, "delete")
	p.clicks(t, "Delete")
	p.reads(t, "ümläut & co.txt is deleted.")
	p.clicks(t, "Travel")
	p.waits(t, "the folder", `document.querySelector(".path [aria-current]").innerText === "Travel"`)
	p.reads(t, "note.txt")
}

package test_test

import (
	"os"
	"path/filepath"
	"testing"

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
	p.complaints(t, "status of 409", "status of 412") // the storage is not ready yet; a file exists
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
	p.looks(t, "account")
	p.clicks(t, "Security")
	p.sees(t, "Security")
	p.reads(t, "This device")
	p.looks(t, "security")
	p.clicks(t, "Sign out")
	p.sees(t, "Sign in")
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

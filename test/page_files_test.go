//go:build e2e

package test_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// The names of files and folders that an address, a sentence or a table could get wrong.
const (
	oddName   = `#1 100%25 a+b & "ümläut" 🎉?`
	otherName = "שלום.txt" // from right to left
)

var longName = strings.Repeat("a-very-long-name-", 11) + ".txt"

// bearer signs in beside the browser, and returns the header with the access token.
func (p pageUser) bearer(t *testing.T, email, password string) string {
	t.Helper()
	tokens := p.call(t, "POST", "/api/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
	return fmt.Sprintf("Authorization: Bearer %s", tokens["access_token"])
}

// drops drags files and folders onto the page.
func (p pageUser) drops(t *testing.T, paths ...string) {
	t.Helper()
	for _, kind := range []input.DispatchDragEventType{"dragEnter", "dragOver", "drop"} {
		if _, err := chromedp.Call(p.ctx, input.DispatchDragEvent, input.DispatchDragEventParams{
			Type: kind, X: 640, Y: 400, Data: &input.DragData{Items: []*input.DragDataItem{}, Files: paths, DragOperationsMask: 1},
		}); err != nil {
			t.Fatal(err)
		}
		if kind == "dragOver" {
			p.waits(t, "the hint", `!!document.querySelector(".drop.over")`)
		}
	}
}

// chooses gives the page files as its file chooser does.
func (p pageUser) chooses(t *testing.T, paths ...string) {
	t.Helper()
	p.do(t, "choose files", chromedp.SetUploadFiles(chromedp.CSS(`[type="file"]`), paths))
}

// in waits until the page shows the folder.
func (p pageUser) in(t *testing.T, folder string) {
	t.Helper()
	p.waits(t, "the folder "+folder, fmt.Sprintf(`document.querySelector(".path [aria-current]")?.innerText === %q`, folder))
}

// saved creates a file, and the folder around it, and returns its path.
func saved(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPage_Files does with files what people do, beyond the usual way.
func TestPage_Files(t *testing.T) {
	t.Parallel()
	dir, cloud := t.TempDir(), newNextcloud(t)
	p := start(t, dir, nil, listen(t, cloud)...).open(t, dir)
	p.registers(t)
	t.Run("folders are dropped", func(t *testing.T) {
		from := t.TempDir()
		saved(t, filepath.Join(from, "Holiday", "Day 1", "sea.txt"), []byte("salty"))
		saved(t, filepath.Join(from, "Holiday", "list.txt"), []byte("towel"))
		p.drops(t, filepath.Join(from, "Holiday"), saved(t, filepath.Join(from, "alone.txt"), []byte("x")))
		p.reads(t, "3 files are uploaded.")
		p.reads(t, "Holiday")
		for path, want := range map[string]string{"Holiday/Day 1/sea.txt": "salty", "Holiday/list.txt": "towel", "alone.txt": "x"} {
			if got, ok := cloud.File(herAddress, path); !ok || string(got) != want {
				t.Errorf("%s: got %q, %t, want %q", path, got, ok, want)
			}
		}
		p.clicks(t, "Clear the list")
		p.waits(t, "the focus at the heading", `document.activeElement === document.querySelector("h1")`)
	})
	t.Run("odd names", p.oddNames)
	t.Run("back and forward", p.backAndForward)
	t.Run("many files", p.manyFiles)
	t.Run("the access token is refused during an upload", func(t *testing.T) {
		p.do(t, "spoil a token", chromedp.Evaluate[chromedp.Void](`(real => { XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
			if (name === "Authorization") { value = "Bearer spoiled"; XMLHttpRequest.prototype.setRequestHeader = real }
			real.call(this, name, value)
		} })(XMLHttpRequest.prototype.setRequestHeader)`))
		p.chooses(t, saved(t, filepath.Join(t.TempDir(), "token.txt"), []byte("x")))
		p.reads(t, "1 file is uploaded.")
	})
	t.Run("the storage is full", func(t *testing.T) {
		if !cloud.Set(herAddress, "quota", "5 MB") {
			t.Fatal("the quota was not accepted")
		}
		cloud.SetUsed(herAddress, 4<<20)
		large := saved(t, filepath.Join(t.TempDir(), "large.bin"), make([]byte, 2<<20))
		p.chooses(t, large)
		p.reads(t, "Your storage is full. Delete something, then try again.")
		p.looks(t, "storage-full")
		cloud.SetUsed(herAddress, 1<<20)
		p.clicks(t, "Try again: large.bin")
		p.reads(t, "1 file is uploaded.")
	})
	t.Run("somebody else signs in during an upload", func(t *testing.T) { p.leaves(t, cloud) })
}

// oddNames opens a folder with an odd name by its address, and shows long names and names
// from right to left.
func (p pageUser) oddNames(t *testing.T) {
	bearer := p.bearer(t, herAddress, herPassword)
	folder := strings.NewReplacer("%", "%25", "#", "%23", "?", "%3F", `"`, "%22", " ", "%20", "+", "%2B", "&", "%26").Replace(oddName)
	p.call(t, "PUT", "/api/files/"+folder+"/", "", bearer)
	for _, name := range []string{otherName, longName} {
		p.call(t, "PUT", "/api/files/"+folder+"/"+name, "x", bearer)
	}
	p.goes(t, "#/account")
	p.sees(t, "Account")
	p.clicks(t, "Files")
	p.clicks(t, oddName)
	p.in(t, oddName)
	p.do(t, "reload", chromedp.Reload())
	p.in(t, oddName)
	p.reads(t, longName)
	p.looks(t, "files-names")
	p.clicks(t, otherName)
	p.clicks(t, "Close")
	p.clicks(t, "Actions for "+otherName)
	p.clicks(t, "Delete")
	p.reads(t, "Delete “\u2068"+otherName+"\u2069”?") // as if there were letters around it
	p.clicks(t, "Delete")
	p.reads(t, "is deleted.")
	p.clicks(t, "All files")
	p.reads(t, "welcome.txt")
}

// backAndForward walks through views and folders, and back.
func (p pageUser) backAndForward(t *testing.T) {
	p.clicks(t, "Holiday")
	p.clicks(t, "Day 1")
	p.reads(t, "sea.txt")
	p.clicks(t, "Security")
	p.sees(t, "Security")
	walk := func(steps int) {
		p.do(t, "walk", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`history.go(%d), undefined`, steps)))
	}
	walk(-1)
	p.in(t, "Day 1")
	p.reads(t, "sea.txt")
	walk(-1)
	p.in(t, "Holiday")
	p.reads(t, "list.txt")
	walk(2)
	p.sees(t, "Security")
	walk(-3)
	p.in(t, "All files")
	p.reads(t, "welcome.txt")
}

// manyFiles uploads a hundred files at once, cancels, and looks at a large folder.
func (p pageUser) manyFiles(t *testing.T) {
	bearer := p.bearer(t, herAddress, herPassword)
	p.call(t, "PUT", "/api/files/Many/", "", bearer)
	for n := range 110 {
		p.call(t, "PUT", fmt.Sprintf("/api/files/Many/old%d.txt", n), "x", bearer)
	}
	p.goes(t, "#/files/Many")
	p.in(t, "Many")
	p.reads(t, "old1.txt")
	from, paths := t.TempDir(), []string{}
	for n := range 100 {
		paths = append(paths, saved(t, filepath.Join(from, fmt.Sprintf("new%d.txt", n)), []byte("x")))
	}
	lists := func() int { return strings.Count(p.process.stdout.String(), `"route":"GET /api/files/{path...}"`) }
	before := lists()
	p.connects(t, true, 20_000) // bytes per second, so that there is time to look
	p.chooses(t, paths...)
	p.waits(t, "a short list", `(n => n > 0 && n <= 4)(document.querySelectorAll(".uploads li").length)`)
	p.reads(t, "of 100 files uploaded")
	p.looks(t, "uploading-many")
	p.connects(t, true, -1)
	p.reads(t, "100 files are uploaded.")
	p.waits(t, "the first 200 entries", `document.querySelectorAll("tbody tr").length === 200`)
	if got := lists() - before; got < 1 || got > 20 {
		t.Errorf("the folder was read %d times for 100 files, want a few", got)
	}
	p.clicks(t, "Show more")
	p.waits(t, "all entries", `document.querySelectorAll("tbody tr").length === 210`)

	p.connects(t, true, 100) // bytes per second
	p.chooses(t, paths...)
	p.clicks(t, "Cancel all")
	p.reads(t, "Nothing was uploaded.")
	p.connects(t, true, -1)
	p.clicks(t, "Clear the list")
	p.goes(t, "#/files")
	p.in(t, "All files")
}

// leaves signs out during an upload. Its file must not go to who signs in next, who has a
// Nextcloud account already, and claims it.
func (p pageUser) leaves(t *testing.T, cloud *nextcloudtest.Server) {
	const address, theirs = "bob@example.org", "the password of before"
	cloud.AddUser(address, secret.String(theirs), address)
	p.connects(t, true, 1000)
	p.chooses(t, saved(t, filepath.Join(t.TempDir(), "hers.bin"), make([]byte, 200_000)))
	p.reads(t, "Uploading 1 file")
	p.clicks(t, "Sign out")
	p.sees(t, "Sign in")
	p.connects(t, true, -1)
	p.call(t, "POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q}`, address, herPassword))
	p.signsIn(t, address, herPassword)
	p.reads(t, "There is already a Nextcloud account with your address.")
	p.looks(t, "claim")
	p.types(t, "password", "wrong")
	p.clicks(t, "Use this account")
	p.reads(t, "This is not the password of the Nextcloud account.")
	p.types(t, "password", theirs)
	p.clicks(t, "Use this account")
	p.reads(t, "All files")
	p.reads(t, "Your Nextcloud account is connected.")
	if evaluate[bool](t, p.docsPage, `!!document.querySelector(".uploads")`) {
		t.Error("the upload of somebody else is shown")
	}
	for _, path := range cloud.Paths(address) {
		if strings.Contains(path, "hers.bin") {
			t.Error("the upload of somebody else arrived here")
		}
	}
}

// header returns the header of a response.
func (p *process) header(t *testing.T, path, bearer string) http.Header {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.https+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", strings.TrimPrefix(bearer, "Authorization: "))
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.Header
}

// TestPage_ManyFilesLeaveRequests uploads more files than the server accepts requests at the
// moment. The page goes slower before it is refused, so that somebody can use it meanwhile.
func TestPage_ManyFilesLeaveRequests(t *testing.T) {
	t.Parallel()
	p := openPage(t, "RATE_LIMIT_PER_MINUTE=600")
	p.registers(t)
	bearer := p.bearer(t, herAddress, herPassword)
	for left := 600; left > 20; {
		limit := p.process.header(t, "/api/users/me", bearer).Get("RateLimit")
		if _, err := fmt.Sscanf(limit, `"default";r=%d`, &left); err != nil {
			t.Fatalf("RateLimit is %q: %v", limit, err)
		}
	}
	from, paths := t.TempDir(), []string{}
	for n := range 60 {
		paths = append(paths, saved(t, filepath.Join(from, fmt.Sprintf("%d.txt", n)), []byte("x")))
	}
	p.chooses(t, paths...)
	p.reads(t, "60 files are uploaded.")
	if got := strings.Count(p.process.stdout.String(), `"status":429`); got > 0 {
		t.Errorf("the server refused %d requests", got)
	}
}

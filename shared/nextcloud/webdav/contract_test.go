package webdav_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest/contract"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

func TestContract(t *testing.T) {
	contract.Run(t, map[string]func(*testing.T, contract.Server){
		"a file is stored, read and replaced":                 storeReadReplace,
		"conditions of PUT":                                   conditionsOfPut,
		"a file that changes during the upload is kept":       changedMeanwhile,
		"an unconfirmed upload changes nothing":               unconfirmed,
		"large and unbounded bodies are sent in chunks":       chunks,
		"a body that breaks off changes nothing":              brokenBody,
		"names are returned unchanged":                        names,
		"folders":                                             folders,
		"moving and copying":                                  movingAndCopying,
		"deleting":                                            deleting,
		"ranges and conditions of GET":                        readingParts,
		"a full storage accepts nothing and keeps everything": fullStorage,
		"a full storage is reported before the transfer":      fullStorageBeforeTransfer,
		"a locked file is reported before the transfer":       lockedFileBeforeTransfer,
		"another user's folder is not found":                  foreignFolder,
		"refused credentials and disabled accounts":           refusedCredentials,
	})
}

func names(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{})
	_, err := p.folder.MakeFolder(t.Context(), at(t, "f"))
	must(t, err)
	for name, want := range map[string]string{
		"a b":                    "",
		"100%":                   "",
		"%2e%2e":                 "",
		"#1?x=y&z;p+q=":          "",
		"ünïcödé – 日本語 🎉":        "",
		" blank at both ends ":   "",
		"...":                    "",
		".hidden":                "",
		`"quoted" 'it' <b>*|:@$`: "",
		"nfd a\u0308":            "nfd \u00e4",
		strings.Repeat("n", 200): "",
		strings.Repeat("ä", 100): "",
	} {
		if want == "" {
			want = name
		}
		p.put(t, "f/"+name, name)
		if got := p.content(t, "f/"+name); got != name {
			t.Errorf("%q contains %q", name, got)
		}
		if got := p.content(t, "f/"+want); got != name {
			t.Errorf("%q contains %q", want, got)
		}
		list, err := p.list(t, "f")
		must(t, err)
		if len(list) != 1 || list[0].Path.String() != "f/"+want || list[0].Path.Name() != want {
			t.Errorf("%q is listed as %+v", name, list)
		}
		must(t, p.folder.Delete(t.Context(), at(t, "f/"+name), ""))
		made, err := p.folder.MakeFolder(t.Context(), at(t, "f/"+name))
		must(t, err)
		p.put(t, "f/"+name+"/x", "inside")
		inside, err := p.list(t, "f/"+name)
		must(t, err)
		if !made || len(inside) != 1 || inside[0].Path.String() != "f/"+want+"/x" {
			t.Errorf("folder %q: got %+v", name, inside)
		}
		must(t, p.folder.Delete(t.Context(), at(t, "f/"+name), ""))
	}
}

func folders(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{})
	make := func(path string) (bool, error) { return p.folder.MakeFolder(t.Context(), at(t, path)) }
	made, err := make("a")
	must(t, err)
	if !made {
		t.Error("the folder existed before")
	}
	if made, err = make("a"); err != nil || made {
		t.Errorf("second creation: created = %v, %v", made, err)
	}
	if made, err = make(""); err != nil || made {
		t.Errorf("the root: created = %v, %v", made, err)
	}
	p.put(t, "file", "x")
	_, err = make("file")
	wantError(t, err, webdav.ErrIsFile)
	_, err = make("no/b")
	wantError(t, err, webdav.ErrNoParent)
	_, err = make("file/b")
	wantError(t, err, webdav.ErrNoParent)
	_, err = make("a/b")
	must(t, err)
	p.put(t, "a/b/1", "12345")
	p.put(t, "a/2", "123")
	p.want(t, "a/", "a/2", "a/b/", "a/b/1", "file")
	e, err := p.folder.Stat(t.Context(), at(t, "a"))
	must(t, err)
	if !e.Folder || e.Size != 8 || e.ContentType != "" || e.ETag == "" {
		t.Errorf("got %+v", e)
	}
	_, err = p.list(t, "file")
	wantError(t, err, webdav.ErrIsFile)
	_, err = p.list(t, "no")
	wantError(t, err, webdav.ErrNotFound)
	_, err = p.folder.Stat(t.Context(), at(t, "no"))
	wantError(t, err, webdav.ErrNotFound)
	root, err := p.folder.Stat(t.Context(), webdav.Path{})
	must(t, err)
	if !root.Folder {
		t.Errorf("got root %+v", root)
	}
}

func movingAndCopying(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{})
	for _, path := range []string{"a", "a/b", "c"} {
		_, err := p.folder.MakeFolder(t.Context(), at(t, path))
		must(t, err)
	}
	p.put(t, "a/1", "one")
	p.put(t, "2", "two")
	do := func(call func(context.Context, webdav.Path, webdav.Path, bool) (bool, error), from, to string, overwrite bool) (bool, error) {
		return call(t.Context(), at(t, from), at(t, to), overwrite)
	}
	made, err := do(p.folder.Copy, "a/1", "c/ä 1%", false)
	if must(t, err); !made || p.content(t, "c/ä 1%") != "one" {
		t.Error("the copy is missing")
	}
	made, err = do(p.folder.Move, "c/ä 1%", "3", false)
	if must(t, err); !made || p.content(t, "3") != "one" {
		t.Error("the moved file is missing")
	}
	_, err = do(p.folder.Move, "3", "2", false)
	wantError(t, err, webdav.ErrExists)
	_, err = do(p.folder.Copy, "3", "2", false)
	wantError(t, err, webdav.ErrExists)
	made, err = do(p.folder.Move, "3", "2", true)
	if must(t, err); made || p.content(t, "2") != "one" {
		t.Error("the existing file was not replaced")
	}
	_, err = do(p.folder.Move, "2", "a", true)
	wantError(t, err, webdav.ErrIsFolder)
	_, err = do(p.folder.Move, "2", "a", false)
	wantError(t, err, webdav.ErrExists)
	_, err = do(p.folder.Move, "no", "x", false)
	wantError(t, err, webdav.ErrNotFound)
	_, err = do(p.folder.Move, "2", "no/x", false)
	wantError(t, err, webdav.ErrNoParent)
	_, err = do(p.folder.Move, "a", "a/b/c", false)
	wantError(t, err, ocs.ErrForbidden)
	_, err = do(p.folder.Copy, "a", "a", true)
	wantError(t, err, ocs.ErrForbidden)
	_, err = do(p.folder.Copy, "a/b", "a", true)
	wantError(t, err, ocs.ErrForbidden)
	_, err = do(p.folder.Copy, "a", "c/copy", false)
	must(t, err)
	_, err = do(p.folder.Move, "a", "c/moved", false)
	must(t, err)
	p.want(t, "2", "c/", "c/copy/", "c/copy/1", "c/copy/b/", "c/moved/", "c/moved/1", "c/moved/b/")
}

func deleting(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{})
	_, err := p.folder.MakeFolder(t.Context(), at(t, "a"))
	must(t, err)
	p.put(t, "a/1", "one")
	stored := p.put(t, "2", "two")
	wantError(t, p.folder.Delete(t.Context(), at(t, "2"), `"another"`), webdav.ErrPrecondition)
	must(t, p.folder.Delete(t.Context(), at(t, "2"), stored.ETag))
	wantError(t, p.folder.Delete(t.Context(), at(t, "2"), ""), webdav.ErrNotFound)
	wantError(t, p.folder.Delete(t.Context(), webdav.Path{}, ""), ocs.ErrForbidden)
	p.want(t, "a/", "a/1")
	must(t, p.folder.Delete(t.Context(), at(t, "a"), ""))
	p.want(t)
}

func readingParts(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{})
	_, err := p.folder.MakeFolder(t.Context(), at(t, "folder"))
	must(t, err)
	stored := p.put(t, "a.html", "0123456789")
	for _, tt := range []struct {
		name, header, value, body, part string
		status                          int
		err                             error
	}{
		{name: "all", status: 200, body: "0123456789"},
		{name: "a range", header: "Range", value: "bytes=2-4", status: 206, body: "234", part: "bytes 2-4/10"},
		{name: "an open range", header: "Range", value: "bytes=8-", status: 206, body: "89", part: "bytes 8-9/10"},
		{name: "the end", header: "Range", value: "bytes=-3", status: 206, body: "789", part: "bytes 7-9/10"},
		{name: "after the end", header: "Range", value: "bytes=10-", err: webdav.ErrRange},
		{name: "the first byte", header: "Range", value: "bytes=0-0", status: 206, body: "0", part: "bytes 0-0/10"},
		{name: "beyond the end", header: "Range", value: "bytes=8-99999999999999999999", status: 206, body: "89", part: "bytes 8-9/10"},
		{name: "a suffix longer than the file", header: "Range", value: "bytes=-99999999999999999999", status: 206, body: "0123456789", part: "bytes 0-9/10"},
		{name: "an empty suffix", header: "Range", value: "bytes=-0", err: webdav.ErrRange},
		{name: "an empty suffix and another range", header: "Range", value: "bytes=-0,3-3", status: 206, body: "3", part: "bytes 3-3/10"},
		{name: "another unit", header: "Range", value: "lines=2-4", status: 200, body: "0123456789"},
		{name: "the unit in upper case", header: "Range", value: "BYTES=2-4", status: 206, body: "234", part: "bytes 2-4/10"},
		{name: "a reversed range", header: "Range", value: "bytes=4-2", status: 200, body: "0123456789"},
		{name: "If-None-Match, unchanged", header: "If-None-Match", value: stored.ETag, status: 304},
		{name: "If-None-Match, changed", header: "If-None-Match", value: `"another"`, status: 200, body: "0123456789"},
		{name: "If-Match, changed", header: "If-Match", value: `"another"`, err: webdav.ErrPrecondition},
		{name: "If-Match, unchanged", header: "If-Match", value: stored.ETag, status: 200, body: "0123456789"},
	} {
		header := http.Header{"Cookie": {"not=ours"}, "Authorization": {"Bearer not-theirs"}}
		if tt.header != "" {
			header.Set(tt.header, tt.value)
		}
		d, err := p.folder.Get(t.Context(), at(t, "a.html"), header)
		if tt.err != nil {
			e, _ := errors.AsType[*webdav.Error](err)
			if !errors.Is(err, tt.err) || errors.Is(tt.err, webdav.ErrRange) && e.Size != 10 {
				t.Errorf("%s: got %v, %+v", tt.name, err, e)
			}
			continue
		}
		must(t, err)
		body, err := io.ReadAll(d.Body)
		must(t, errors.Join(err, d.Body.Close()))
		if d.Status != tt.status || string(body) != tt.body || d.Header.Get("Content-Range") != tt.part || d.Header.Get("Etag") != stored.ETag {
			t.Errorf("%s: got %d %q %v", tt.name, d.Status, body, d.Header)
		}
		if d.Status == 200 && (strings.Contains(d.Header.Get("Content-Type"), "html") || d.Header.Get("Content-Disposition") == "" || d.Header.Get("Last-Modified") == "") {
			t.Errorf("%s: got %v", tt.name, d.Header)
		}
	}
	d, err := p.folder.Head(t.Context(), at(t, "a.html"), nil)
	must(t, err)
	if must(t, d.Body.Close()); d.Status != 200 || d.Size != 10 || d.Header.Get("Etag") != stored.ETag {
		t.Errorf("HEAD: got %+v", d)
	}
	for path, want := range map[string]error{"folder": webdav.ErrIsFolder, "": webdav.ErrIsFolder, "no": webdav.ErrNotFound} {
		for _, read := range []func(context.Context, webdav.Path, http.Header) (*webdav.Download, error){p.folder.Get, p.folder.Head} {
			_, err := read(t.Context(), at(t, path), nil)
			wantError(t, err, want)
		}
	}
}

func foreignFolder(t *testing.T, s contract.Server) {
	ada, bob := newPerson(t, s, "", webdav.Config{}), newPerson(t, s, "", webdav.Config{})
	bob.put(t, "secret", "bob's")
	client := webdav.New(webdav.Config{URL: s.URL})
	defer client.Close()
	c := credentials{user: ada.id, password: ada.app, of: bob.id, base: s.URL}
	for _, method := range []string{"GET", "PROPFIND", "PUT", "DELETE"} {
		if status := c.call(t, method, "secret"); status < 400 {
			t.Errorf("%s of bob's file by ada: got %d", method, status)
		}
	}
	if got := bob.content(t, "secret"); got != "bob's" {
		t.Errorf("got content %q", got)
	}
}

// credentials combines the credentials of one user with the folder of another, which the
// client never does.
type credentials struct {
	user, of string
	password secret.String
	base     *url.URL
}

func (c credentials) call(t *testing.T, method, path string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method,
		strings.TrimRight(c.base.String(), "/")+"/remote.php/dav/files/"+url.PathEscape(c.of)+"/"+path, http.NoBody)
	must(t, err)
	req.SetBasicAuth(c.user, c.password.Reveal())
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	must(t, resp.Body.Close())
	return resp.StatusCode
}

func refusedCredentials(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{})
	must(t, s.Admin.Disable(t.Context(), p.id))
	_, err := p.folder.Stat(t.Context(), webdav.Path{})
	wantError(t, err, webdav.ErrDisabled)
	_, err = p.folder.Put(t.Context(), at(t, "x"), upload("x"))
	wantError(t, err, webdav.ErrDisabled)
	must(t, s.Admin.Enable(t.Context(), p.id))
	p.put(t, "x", "x")
	must(t, s.Admin.RevokeAppPassword(t.Context(), p.id, p.app))
	_, err = p.folder.Stat(t.Context(), webdav.Path{}) // the only failed login of this test
	wantError(t, err, ocs.ErrUnauthorized)
}

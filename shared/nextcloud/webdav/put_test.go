package webdav_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest/contract"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

func storeReadReplace(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{})
	stored := p.put(t, "notes.txt", "first")
	if !stored.Created || !strings.HasPrefix(stored.ETag, `"`) {
		t.Errorf("got %+v", stored)
	}
	e, err := p.folder.Stat(t.Context(), at(t, "notes.txt"))
	must(t, err)
	if e.Size != 5 || e.Folder || e.ETag != stored.ETag || e.ContentType != "text/plain" || e.ModifiedAt.IsZero() {
		t.Errorf("got %+v", e)
	}
	if got := p.put(t, "notes.txt", "the second version"); got.Created {
		t.Errorf("got %+v", got)
	}
	if got := p.content(t, "notes.txt"); got != "the second version" {
		t.Errorf("got content %q", got)
	}
	if got := p.put(t, "notes.txt", ""); got.Created || p.content(t, "notes.txt") != "" {
		t.Errorf("replaced by an empty file: got %+v", got)
	}
	if got := p.put(t, "empty", ""); !got.Created || p.content(t, "empty") != "" {
		t.Errorf("empty file: got %+v", got)
	}
	if _, err := p.folder.Put(t.Context(), at(t, "no/notes.txt"), upload("x")); !errors.Is(err, webdav.ErrNoParent) {
		t.Errorf("without a parent: got %v", err)
	}
	if _, err := p.folder.Put(t.Context(), at(t, "notes.txt/x"), upload("x")); !errors.Is(err, webdav.ErrNoParent) {
		t.Errorf("below a file: got %v", err)
	}
	_, err = p.folder.MakeFolder(t.Context(), at(t, "folder"))
	must(t, err)
	for _, path := range []string{"folder", ""} {
		_, err = p.folder.Put(t.Context(), at(t, path), upload("x"))
		wantError(t, err, webdav.ErrIsFolder)
	}
	p.want(t, "empty", "folder/", "notes.txt")
}

// unconfirmed uploads in every way, and refuses once the whole body has arrived.
func unconfirmed(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{ChunkSize: 1 << 20, BufferSize: 1 << 20})
	p.put(t, "old", "before")
	errRefused := errors.New("refused")
	large := strings.Repeat("x", 3<<20)
	for i, test := range []struct {
		name, path, content string
		size                int64
	}{
		{"a new file", "new", "content", 7},
		{"a large file", "new", large, int64(len(large))},
		{"an empty file", "new", "", 0},
		{"a file of unknown size", "new", "content", -1},
		{"a replacement", "old", "after", 5},
		{"an empty replacement", "old", "", 0},
	} {
		body, asked, left := strings.NewReader(test.content), 0, 0
		u := webdav.Upload{Body: body, Size: test.size, Confirm: func() error {
			asked, left = asked+1, body.Len()
			return errRefused
		}}
		if test.path != "old" { // the server may still hold the lock of the previous upload
			test.path += fmt.Sprint(i)
		}
		_, err := p.folder.Put(t.Context(), at(t, test.path), u)
		if !errors.Is(err, errRefused) || asked != 1 || left != 0 {
			t.Errorf("%s: got %v, confirmation requested %d times with %d bytes left; want the refusal once, at the end", test.name, err, asked, left)
		}
		p.want(t, "old")
		if got := p.content(t, "old"); got != "before" {
			t.Errorf("%s: got old file %q", test.name, got)
		}
		u = webdav.Upload{Body: strings.NewReader(test.content), Size: test.size, Confirm: func() error { return nil }}
		_, err = p.folder.Put(t.Context(), at(t, "confirmed"), u)
		must(t, err)
		if got := p.content(t, "confirmed"); got != test.content {
			t.Errorf("%s: after confirmation: got %d bytes", test.name, len(got))
		}
		must(t, p.folder.Delete(t.Context(), at(t, "confirmed"), ""))
	}
}

func conditionsOfPut(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{})
	put := func(path, content, ifMatch, ifNoneMatch string) error {
		u := upload(content)
		u.IfMatch, u.IfNoneMatch = ifMatch, ifNoneMatch
		_, err := p.folder.Put(t.Context(), at(t, path), u)
		return err
	}
	must(t, put("a", "1", "", "*"))
	wantError(t, put("a", "2", "", "*"), webdav.ErrPrecondition)
	e, err := p.folder.Stat(t.Context(), at(t, "a"))
	must(t, err)
	wantError(t, put("a", "3", `"another"`, ""), webdav.ErrPrecondition)
	wantError(t, put("a", "4", `"another", W/`+e.ETag, ""), webdav.ErrPrecondition)
	wantError(t, put("a", "5", "", e.ETag), webdav.ErrPrecondition)
	wantError(t, put("b", "6", "*", ""), webdav.ErrPrecondition)
	if got := p.content(t, "a"); got != "1" {
		t.Errorf("got content %q", got)
	}
	must(t, put("a", "7", `"another", `+e.ETag, ""))
	must(t, put("a", "8", "*", `"another"`))
	if got := p.content(t, "a"); got != "8" {
		t.Errorf("got content %q", got)
	}
	p.want(t, "a")
}

// The condition holds at the start of the upload but not at its end.
func changedMeanwhile(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{})
	before := p.put(t, "a", "before")
	meanwhile := func() {
		for now := before; now.ETag == before.ETag; { // ETags change once a second
			now = p.put(t, "a", "meanwhile")
		}
	}
	u := upload("after")
	u.IfMatch, u.Body = before.ETag, &during{Reader: u.Body, do: meanwhile}
	_, err := p.folder.Put(t.Context(), at(t, "a"), u)
	wantError(t, err, webdav.ErrPrecondition)
	if got := p.content(t, "a"); got != "meanwhile" {
		t.Errorf("got content %q", got)
	}
	u = upload("new")
	u.IfNoneMatch, u.Size = "*", -1
	u.Body = &during{Reader: u.Body, do: func() { p.put(t, "b", "somebody was faster") }}
	_, err = p.folder.Put(t.Context(), at(t, "b"), u)
	wantError(t, err, webdav.ErrPrecondition)
	if got := p.content(t, "b"); got != "somebody was faster" {
		t.Errorf("got content %q", got)
	}
}

// during calls a function while it is read.
type during struct {
	io.Reader

	do func()
}

func (d *during) Read(b []byte) (int, error) {
	if d.do != nil {
		d.do()
		d.do = nil
	}
	return d.Reader.Read(b)
}

func chunks(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{MaxWhole: 1 << 20, ChunkSize: 1 << 20, BufferSize: 1 << 20})
	large := make([]byte, 5<<20+3)
	_, err := rand.Read(large)
	must(t, err)
	stored := p.put(t, "large", string(large))
	if !stored.Created || p.content(t, "large") != string(large) {
		t.Errorf("stored file differs from the upload: %+v", stored)
	}
	exact := large[:2<<20]
	if stored := p.put(t, "large", string(exact)); stored.Created || p.content(t, "large") != string(exact) {
		t.Errorf("stored file differs from the upload: %+v", stored)
	}
	for i, content := range [][]byte{large, nil, []byte("x")} {
		path := fmt.Sprint("endless ", i)
		stored, err := p.folder.Put(t.Context(), at(t, path), webdav.Upload{Body: iotest.OneByteReader(bytes.NewReader(content[:min(len(content), 2000)])), Size: -1})
		must(t, err)
		if got := p.content(t, path); !stored.Created || got != string(content[:min(len(content), 2000)]) {
			t.Errorf("%s: got %d of %d bytes: %+v", path, len(got), len(content), stored)
		}
	}
	_, err = p.folder.Put(t.Context(), at(t, "no/large"), webdav.Upload{Body: bytes.NewReader(large), Size: -1})
	wantError(t, err, webdav.ErrNoParent)
}

func brokenBody(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{MaxWhole: 4 << 20, ChunkSize: 1 << 20, BufferSize: 1 << 20})
	p.put(t, "old", "as it was")
	half := strings.NewReader(strings.Repeat("x", 2<<20))
	for name, body := range map[string]io.Reader{
		"ends early":  half,
		"breaks":      io.MultiReader(strings.NewReader(strings.Repeat("x", 2<<20)), iotest.ErrReader(errors.New("reset by peer"))),
		"breaks soon": iotest.ErrReader(errors.New("reset by peer")),
	} {
		// Each case uses a new file: the server may still hold the lock of the upload that
		// just broke off.
		for _, path := range []string{"old", "new, " + name} {
			_, err := p.folder.Put(t.Context(), at(t, path), webdav.Upload{Body: body, Size: 3 << 20})
			if !errors.Is(err, webdav.ErrSource) {
				t.Errorf("%s, %s: got %v", name, path, err)
			}
		}
	}
	if got := p.content(t, "old"); got != "as it was" {
		t.Errorf("got content %q", got)
	}
	p.want(t, "old")
}

func fullStorage(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "5 MB", webdav.Config{MaxWhole: 7 << 20, ChunkSize: 1 << 20, BufferSize: 1 << 20})
	p.put(t, "old", "as it was")
	six := strings.Repeat("x", 6<<20)
	for name, u := range map[string]webdav.Upload{
		"whole":   upload(six),
		"large":   upload(six + six),
		"endless": {Body: strings.NewReader(six), Size: -1},
	} {
		for _, path := range []string{"new", "old"} {
			u.Body = strings.NewReader(six + six[:max(0, int(u.Size)-len(six))])
			_, err := p.folder.Put(t.Context(), at(t, path), u)
			if !errors.Is(err, webdav.ErrQuota) {
				t.Errorf("%s, %s: got %v", name, path, err)
			}
		}
	}
	if got := p.content(t, "old"); got != "as it was" {
		t.Errorf("got content %q", got)
	}
	p.put(t, "small", "there is room for this")
	p.want(t, "old", "small")
}

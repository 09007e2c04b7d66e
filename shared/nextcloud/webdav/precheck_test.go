package webdav_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest/contract"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// unread is a body that must not be read.
type unread struct{ t *testing.T }

// Read fails the test.
func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.ErrUnexpectedEOF
}

func fullStorageBeforeTransfer(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "20 MB", webdav.Config{MaxWhole: 1 << 20})
	p.put(t, "old", "as it was")
	_, err := p.folder.MakeFolder(t.Context(), at(t, "folder"))
	must(t, err)
	for _, path := range []string{"old", "new", "folder/new"} {
		_, err := p.folder.Put(t.Context(), at(t, path), webdav.Upload{Body: unread{t}, Size: 300 << 20})
		wantError(t, err, webdav.ErrQuota)
	}
	if got := p.content(t, "old"); got != "as it was" {
		t.Errorf("got content %q", got)
	}
	must(t, p.folder.Delete(t.Context(), at(t, "folder"), ""))
	p.want(t, "old")
	large := strings.Repeat("x", 12<<20)
	p.put(t, "old", large)
	if got := p.content(t, "old"); got != large {
		t.Errorf("the file that fits has %d bytes", len(got))
	}
	p.want(t, "old")
}

func lockedFileBeforeTransfer(t *testing.T, s contract.Server) {
	p := newPerson(t, s, "", webdav.Config{})
	p.put(t, "old", "as it was")
	from, to := io.Pipe()
	written := make(chan error, 1)
	go func() { written <- p.writeInPlace(t, "old", from) }()
	_, err := to.Write([]byte("something"))
	must(t, err)
	for locked := false; !locked; { // the server has not read further yet
		d, err := p.folder.Get(t.Context(), at(t, "old"), nil)
		if locked = err != nil; !locked {
			must(t, d.Body.Close())
		}
	}
	_, err = p.folder.Put(t.Context(), at(t, "old"), webdav.Upload{Body: unread{t}, Size: 300 << 20})
	wantError(t, err, webdav.ErrLocked)
	must(t, to.Close())
	must(t, <-written)
	if got := p.content(t, "old"); got != "something" {
		t.Errorf("got content %q", got)
	}
}

// writeInPlace overwrites a file as other clients do.
func (p person) writeInPlace(t *testing.T, path string, body io.Reader) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.folder.URL(at(t, path)), body)
	if err != nil {
		return err
	}
	req.SetBasicAuth(p.id, p.app.Reveal())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

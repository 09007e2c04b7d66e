package webdav_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest/contract"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// A person is a user that only one case uses.
type person struct {
	contract.Server

	id     string
	app    secret.String
	folder *webdav.Folder
}

func newPerson(t *testing.T, s contract.Server, quota string, c webdav.Config) person {
	t.Helper()
	user := s.NewUser(t, quota)
	p := person{Server: s, id: user.ID}
	var err error
	p.app, err = s.Admin.AppPassword(t.Context(), p.id, user.Password)
	must(t, err)
	c.URL = s.URL
	client := webdav.New(c)
	t.Cleanup(client.Close)
	p.folder = client.Folder(p.id, p.app)
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func at(t *testing.T, path string) webdav.Path {
	t.Helper()
	p, err := webdav.ParsePath(path)
	must(t, err)
	return p
}

func (p person) put(t *testing.T, path, content string) webdav.Stored {
	t.Helper()
	stored, err := p.folder.Put(t.Context(), at(t, path), upload(content))
	must(t, err)
	return stored
}

func upload(content string) webdav.Upload {
	return webdav.Upload{Body: strings.NewReader(content), Size: int64(len(content))}
}

func (p person) content(t *testing.T, path string) string {
	t.Helper()
	d, err := p.folder.Get(t.Context(), at(t, path), nil)
	must(t, err)
	body, err := io.ReadAll(d.Body)
	must(t, errors.Join(err, d.Body.Close()))
	if d.Size != int64(len(body)) && (d.Size != -1 || len(body) > 0) { // nginx does not send the length of an empty file
		t.Errorf("got %d bytes of %q, announced %d", len(body), path, d.Size)
	}
	return string(body)
}

// list returns the entries of a folder.
func (p person) list(t *testing.T, path string) (all []webdav.Entry, err error) {
	t.Helper()
	err = p.folder.List(t.Context(), at(t, path), func(e webdav.Entry) error {
		all = append(all, e)
		return nil
	})
	return all, err
}

// paths lists everything below the folder; folders end in a slash.
func (p person) paths(t *testing.T, below string) []string {
	t.Helper()
	list, err := p.list(t, below)
	must(t, err)
	var all []string
	for _, e := range list {
		path := e.Path.String()
		if e.Folder {
			all = append(all, path+"/")
			all = append(all, p.paths(t, path)...)
			continue
		}
		if !slices.Contains(skeleton(), path) {
			all = append(all, path)
		}
	}
	slices.Sort(all)
	return all
}

// skeleton lists the initial contents of a home folder.
func skeleton() []string { return []string{"welcome.txt", "Readme.md", "Nextcloud.png"} }

func (p person) want(t *testing.T, paths ...string) {
	t.Helper()
	if diff := cmp.Diff(paths, p.paths(t, "")); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

package webdav_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest/contract"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// TestPut_UploadsShareTheMemory starts a second upload during the first: while both run, their
// chunks are half as large.
func TestPut_UploadsShareTheMemory(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	sizes := map[string][]int64{}
	folder, server := sharing(t, webdav.Config{BufferSize: 4 * mib})
	server.Fail(func(r *http.Request) nextcloudtest.Fault {
		if r.Method == http.MethodPut {
			mu.Lock()
			defer mu.Unlock()
			to := r.Header.Get("Destination")
			name := to[strings.LastIndexByte(to, '/')+1:]
			sizes[name] = append(sizes[name], r.ContentLength)
		}
		return nil
	})
	put := func(path string, size int, do func()) {
		body := &during{Reader: bytes.NewReader(make([]byte, size)), do: do}
		_, err := folder.Put(t.Context(), at(t, path), webdav.Upload{Body: body, Size: -1})
		must(t, err)
	}
	put("a", 9*mib, func() { put("b", 5*mib, nil) })
	mu.Lock()
	defer mu.Unlock()
	for name, want := range map[string][]int64{"a": {4 * mib, 4 * mib, mib}, "b": {2 * mib, 2 * mib, mib}} {
		if !slices.Equal(sizes[name], want) {
			t.Errorf("%s: got chunks %v, want %v", name, sizes[name], want)
		}
	}
}

// sharing returns the folder of a user on a test server, and the server.
func sharing(t *testing.T, c webdav.Config) (*webdav.Folder, *nextcloudtest.Server) {
	t.Helper()
	server := nextcloudtest.New(nextcloudtest.Options{AdminPassword: contract.NewPassword()})
	listening := httptest.NewServer(server)
	t.Cleanup(func() {
		listening.Close()
		must(t, server.Close())
	})
	user, password := "ada", contract.NewPassword()
	server.AddUser(user, password, "")
	base, err := url.Parse(listening.URL)
	must(t, err)
	c.URL = base
	client := webdav.New(c)
	t.Cleanup(client.Close)
	return client.Folder(user, password), server
}

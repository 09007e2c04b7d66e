package test_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// nextcloudFails breaks Nextcloud while clients upload files, small ones and large ones in
// chunks. Users who register meanwhile get their storage afterwards.
func nextcloudFails(t *testing.T, given *answers, whole bool) {
	t.Helper()
	cloud := newNextcloud(t)
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	p := start(t, t.TempDir(), nil, append(settings(server), "JWT_SECRET="+keyring.Generate().Reveal())...)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { stop(); running.Wait() })
	uploaders := make([]*uploader, 3)
	for i := range uploaders {
		u := newUploader(given, p, fmt.Sprintf("uploader%d@example.org", i))
		uploaders[i] = u
		running.Go(func() { u.live(ctx) })
	}
	ways := []func() (end func()){down(cloud, server), inMaintenance(cloud)}
	times := 1
	if whole {
		ways, times = append(ways, slow(cloud)), 3
	}
	for n := range times * len(ways) {
		given.await(given.between / 5)
		late := newUploader(given, p, fmt.Sprintf("late%d@example.org", n))
		given.during(func() {
			end := ways[n%len(ways)]()
			late.do("POST", "/api/auth/register", late.account(), nil, 0)
			late.login()
			given.awaitFailures(3)
			end()
		})
		late.awaitStorage()
	}
	given.await(given.between / 5)
	stop()
	running.Wait()
	for _, u := range uploaders {
		u.verifyFiles()
	}
	t.Logf("responses: %v", given)
	hasNoError(t, p)
}

// down breaks all connections, those of uploads in progress among them.
func down(cloud *nextcloudtest.Server, server *httptest.Server) func() (end func()) {
	return func() func() {
		cloud.Fail(func(*http.Request) nextcloudtest.Fault { return nextcloudtest.CutBefore() })
		server.CloseClientConnections()
		return func() { cloud.Fail(nil) }
	}
}

func inMaintenance(cloud *nextcloudtest.Server) func() (end func()) {
	return func() func() {
		cloud.SetMaintenance(true)
		return func() { cloud.SetMaintenance(false) }
	}
}

// slow answers nothing until the end.
func slow(cloud *nextcloudtest.Server) func() (end func()) {
	return func() func() {
		until := make(chan struct{})
		cloud.Fail(func(*http.Request) nextcloudtest.Fault { return nextcloudtest.Slow(until) })
		return func() {
			cloud.Fail(nil)
			close(until)
		}
	}
}

// An uploader is a client that stores files, and knows what each of them may contain.
type uploader struct {
	*retryingClient

	files map[string]*versions
}

// The versions of a file are the hashes of what was acknowledged last, or "", and of what
// was sent since.
type versions struct {
	acknowledged string
	sent         map[string]bool
}

// uploadTime limits a request of an uploader. A Nextcloud that answers nothing is given four
// attempts for a chunk.
const uploadTime = 5 * time.Minute

func newUploader(given *answers, p *process, email string) *uploader {
	patient := *p.client
	patient.Timeout = uploadTime
	return &uploader{
		retryingClient: &retryingClient{url: p.https, http: &patient, given: given, email: email, password: storePassword},
		files:          map[string]*versions{},
	}
}

const (
	uploadedFiles = 6
	largeFile     = 5 << 20 // bytes; uploaded in chunks
)

// live stores files, replaces them and reads them until ctx ends.
func (u *uploader) live(ctx context.Context) {
	u.do("POST", "/api/auth/register", u.account(), nil, 0)
	u.login()
	u.awaitStorage()
	for n := 0; ctx.Err() == nil && !u.given.t.Failed(); n++ {
		size := 1 + n*7919%(64<<10)
		if n%4 == 1 {
			size += largeFile
		}
		u.put(fmt.Sprintf("file%d", n%uploadedFiles), size)
		u.get(fmt.Sprintf("file%d", (n+uploadedFiles/2)%uploadedFiles))
	}
}

// awaitStorage returns when the user's account in Nextcloud exists.
func (u *uploader) awaitStorage() {
	for late := time.After(answerTime); !u.given.t.Failed(); {
		if strings.Contains(u.do("GET", "/api/users/me/nextcloud", "", nil, 0), `"status":"active"`) {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-u.given.t.Context().Done():
			return
		case <-late:
			u.given.isLost("%s registered and has no storage", u.email)
			return
		}
	}
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// put stores random bytes, as often as it takes.
func (u *uploader) put(name string, size int) {
	content := make([]byte, size)
	rand.Read(content)
	hash := hashOf(content)
	v := u.files[name]
	if v == nil {
		v = &versions{sent: map[string]bool{}}
		u.files[name] = v
	}
	v.sent[hash] = true
	if _, ok := u.transfer(http.MethodPut, name, content); ok {
		v.acknowledged, v.sent = hash, map[string]bool{hash: true}
	}
}

// get compares a file with what it may contain.
func (u *uploader) get(name string) {
	v := u.files[name]
	if v == nil {
		return
	}
	content, ok := u.transfer(http.MethodGet, name, nil)
	hash := hashOf(content)
	switch {
	case u.given.t.Context().Err() != nil:
	case !ok && v.acknowledged != "":
		u.given.isLost("%s: %s was acknowledged and is not there", u.email, name)
	case ok && !v.sent[hash]:
		u.given.isWrong("%s: %s has %d bytes that were not sent in one upload", u.email, name, len(content))
	}
}

// verifyFiles reads all files.
func (u *uploader) verifyFiles() {
	for name := range u.files {
		u.get(name)
	}
}

// transfer repeats the request until its outcome is known, and reports whether it succeeded.
// The only other outcome is that the file does not exist.
func (u *uploader) transfer(method, name string, content []byte) (body []byte, ok bool) {
	kind := "small"
	if len(content) >= largeFile {
		kind = "large"
	}
	for u.given.t.Context().Err() == nil {
		r, err := http.NewRequestWithContext(u.given.t.Context(), method, u.url+"/api/files/"+name, bytes.NewReader(content))
		if err != nil {
			u.given.isWrong("%v", err)
			return nil, false
		}
		r.Header.Set("Authorization", "Bearer "+u.access)
		resp, raw, err := u.send(r)
		if err != nil && resp != nil && method == http.MethodGet {
			// A response that has begun cannot become another one. It is cut, so that
			// nobody takes a part for the file.
			u.given.note("a download was cut", unanswered)
			continue
		}
		if err != nil {
			u.unanswered(r, err)
			continue
		}
		var problem struct{ Code string }
		json.Unmarshal(raw, &problem)
		what := strings.TrimSpace(fmt.Sprintf("%d %s %s %s", resp.StatusCode, problem.Code, method, kind))
		switch {
		case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
			u.given.note(what, retryLater)
			wait(u.given.t.Context(), 100*time.Millisecond)
		case resp.StatusCode == http.StatusNotFound && method == http.MethodGet:
			u.given.note(what, expected)
			return nil, false
		case resp.StatusCode < 300 && method == http.MethodPut:
			u.given.note(what, changed)
			return raw, true
		case resp.StatusCode == http.StatusOK:
			u.given.note(what, done)
			return raw, true
		default:
			u.given.isWrong("%s: %s %s: got %d %.300s", u.email, method, name, resp.StatusCode, raw)
			return nil, false
		}
	}
	return nil, false
}

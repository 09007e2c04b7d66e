package webdav_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

const mib = 1 << 20

func random(t *testing.T, size int) []byte {
	t.Helper()
	content := make([]byte, size)
	_, err := rand.Read(content)
	must(t, err)
	return content
}

func isChunk(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/uploads/")
}

// replaced overwrites an existing file with content, and returns the sizes of all received
// chunks, including those that were refused or broke off.
func replaced(t *testing.T, c webdav.Config, content []byte, fail func(*http.Request) nextcloudtest.Fault) (sizes []int64, err error) {
	t.Helper()
	folder, server := sharing(t, c)
	_, err = folder.Put(t.Context(), at(t, "old"), upload("as it was"))
	must(t, err)
	var mu sync.Mutex
	server.Fail(func(r *http.Request) nextcloudtest.Fault {
		if isChunk(r) {
			mu.Lock()
			defer mu.Unlock()
			sizes = append(sizes, r.ContentLength)
		}
		return fail(r)
	})
	_, err = folder.Put(t.Context(), at(t, "old"), webdav.Upload{Body: bytes.NewReader(content), Size: int64(len(content))})
	got, _ := server.File("ada", "old")
	want := content
	if err != nil {
		want = []byte("as it was")
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
	if left := server.Uploads("ada"); left != 0 {
		t.Errorf("%d uploads were left over", left)
	}
	mu.Lock()
	defer mu.Unlock()
	return sizes, err
}

func TestPut_RetriesAChunk(t *testing.T) {
	t.Parallel()
	const small, large = 2 * mib, 8 * mib
	busy := nextcloudtest.Answer(503, "text/html", "", 0)
	for _, tt := range []struct {
		name        string
		chunk, from int64 // bytes
		fault       nextcloudtest.Fault
		want        error
		sizes       []int64
	}{
		{"buffered, broken off", small, 2 * mib, nextcloudtest.CutUpload(mib), nil, []int64{2 * mib, 2 * mib, 2 * mib, 2 * mib, mib}},
		{"buffered, corrupted", small, 2 * mib, nextcloudtest.Corrupt(), nil, []int64{2 * mib, 2 * mib, 2 * mib, 2 * mib, mib}},
		{"not buffered, refused before it was read", large, 7 * mib, busy, nil, []int64{7 * mib, 7 * mib}},
		{"not buffered, broken off", large, 7 * mib, nextcloudtest.CutUpload(5 * mib), ocs.ErrUnavailable, []int64{7 * mib}},
		{"not buffered, corrupted", large, 7 * mib, nextcloudtest.Corrupt(), webdav.ErrCorrupted, []int64{7 * mib}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			once := nextcloudtest.Times(1, tt.fault, func(r *http.Request) bool { return isChunk(r) && r.ContentLength == tt.from })
			sizes, err := replaced(t, webdav.Config{ChunkSize: tt.chunk, BufferSize: 2 * mib}, random(t, 7*mib), once)
			wantError(t, err, tt.want)
			if !slices.Equal(sizes, tt.sizes) {
				t.Errorf("got chunks %v, want %v", sizes, tt.sizes)
			}
		})
	}
}

// A proxy in front of the server accepts less than the server does.
func TestPut_FallsBackToSmallerChunks(t *testing.T) {
	t.Parallel()
	sizes, err := replaced(t, webdav.Config{ChunkSize: 6 * mib, BufferSize: 2 * mib}, random(t, 7*mib), func(r *http.Request) nextcloudtest.Fault {
		if isChunk(r) && r.ContentLength > 4*mib {
			return nextcloudtest.Answer(http.StatusRequestEntityTooLarge, "text/html", "", 0)
		}
		return nil
	})
	must(t, err)
	if want := []int64{6 * mib, 2 * mib, 2 * mib, 2 * mib, mib}; !slices.Equal(sizes, want) {
		t.Errorf("got chunks %v, want %v", sizes, want)
	}
}

// Newer servers check the total against the quota when the first chunk arrives.
func TestPut_AnnouncesTheTotalSize(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{300 * mib, -1} {
		folder, server := sharing(t, webdav.Config{})
		_, err := folder.Put(t.Context(), at(t, "old"), upload("as it was"))
		must(t, err)
		var mu sync.Mutex
		var totals []string
		server.Fail(func(r *http.Request) nextcloudtest.Fault {
			if r.Method == "MKCOL" || isChunk(r) {
				mu.Lock()
				defer mu.Unlock()
				totals = append(totals, r.Header.Get("Oc-Total-Length"))
			}
			if isChunk(r) {
				return nextcloudtest.Answer(http.StatusInsufficientStorage, "text/html", "", 0)
			}
			return nil
		})
		body, want := io.Reader(unread{t}), []string{"314572800", "314572800"}
		if size < 0 {
			body, want = strings.NewReader("x"), []string{"", ""}
		}
		_, err = folder.Put(t.Context(), at(t, "old"), webdav.Upload{Body: body, Size: size})
		wantError(t, err, webdav.ErrQuota)
		if !slices.Equal(totals, want) {
			t.Errorf("%d bytes: announced %q, want %q", size, totals, want)
		}
		if left := server.Uploads("ada"); left != 0 {
			t.Errorf("%d uploads were left over", left)
		}
	}
}

func TestPut_RemovesTheUploadIfTheCallerCancels(t *testing.T) {
	t.Parallel()
	folder, server := sharing(t, webdav.Config{ChunkSize: 2 * mib, BufferSize: mib})
	_, err := folder.Put(t.Context(), at(t, "old"), upload("as it was"))
	must(t, err)
	ctx, leave := context.WithCancel(t.Context())
	half := bytes.NewReader(make([]byte, 4*mib))
	body := io.MultiReader(half, &during{Reader: bytes.NewReader(make([]byte, 4*mib)), do: leave})
	if _, err = folder.Put(ctx, at(t, "old"), webdav.Upload{Body: body, Size: 8 * mib}); err == nil {
		t.Error("the canceled upload was stored")
	}
	if got, _ := server.File("ada", "old"); string(got) != "as it was" || server.Uploads("ada") != 0 {
		t.Errorf("got content %q and %d uploads left over", got, server.Uploads("ada"))
	}
}

// A large file is sent in large chunks, which take no memory. The test is not parallel because
// it measures the allocations of the process.
func TestPut_LargeChunksPassThrough(t *testing.T) {
	folder, server := sharing(t, webdav.Config{})
	_, err := folder.Put(t.Context(), at(t, "old"), upload("as it was"))
	must(t, err)
	var mu sync.Mutex
	var sizes []int64
	server.Fail(func(r *http.Request) nextcloudtest.Fault {
		if !strings.Contains(r.URL.Path, "/uploads/") {
			return nil
		}
		return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			n, _ := io.Copy(io.Discard, r.Body)
			if isChunk(r) {
				mu.Lock()
				defer mu.Unlock()
				sizes = append(sizes, n)
			}
			w.WriteHeader(http.StatusCreated)
		}
	})
	const size, most = 250 * mib, 32 * mib
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = folder.Put(t.Context(), at(t, "old"), webdav.Upload{Body: io.LimitReader(zeroes{}, size), Size: size})
	runtime.ReadMemStats(&after)
	must(t, err)
	if want := []int64{100 * mib, 100 * mib, 50 * mib}; !slices.Equal(sizes, want) {
		t.Errorf("got chunks %v, want %v", sizes, want)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > most {
		t.Errorf("Put allocated %d bytes", took)
	}
}

// zeroes is an unbounded body.
type zeroes struct{}

// Read fills p.
func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

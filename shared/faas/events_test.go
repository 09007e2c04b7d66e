package faas_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/faas"
)

const eventsDir = "../../events"

// TestEvents_BecomeTheSameRequest compares the events of every front, as AWS writes them, with
// the text of the original request.
func TestEvents_BecomeTheSameRequest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(eventsDir, "login.http"))
	if err != nil {
		t.Fatal(err)
	}
	sent, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	want := describe(sent)
	files, err := filepath.Glob(filepath.Join(eventsDir, "*-login.json"))
	if err != nil || len(files) != 5 {
		t.Fatalf("found %q, %v; want the events of five fronts", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			var got, remote string
			invoke(t, file, faas.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got, remote = describe(r), r.RemoteAddr
			})))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("request (-sent +received):\n%s", diff)
			}
			if remote != "203.0.113.7:0" {
				t.Errorf("RemoteAddr = %q, want 203.0.113.7:0", remote)
			}
		})
	}
}

func TestEvents_OfJobs(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]faas.Source{"schedule.json": faas.Schedule, "sqs.json": faas.Queue} {
		var got faas.Event
		invoke(t, filepath.Join(eventsDir, file), job(func(_ context.Context, e faas.Event) error { got = e; return nil }))
		if got.Source != want || got.ID == "" || got.At.IsZero() {
			t.Errorf("%s: job got %+v, want a full event of a %s", file, got, want)
		}
	}
}

func invoke(t *testing.T, file string, h interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
},
) {
	t.Helper()
	event, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Invoke(t.Context(), event); err != nil {
		t.Fatalf("Invoke: %v", err)
	}
}

// describe returns everything in a request that its front must not change.
func describe(r *http.Request) string {
	var s strings.Builder
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(&s, "%s %s %s\nurl %#v\nhost %s\nbody %q %v %d\n",
		r.Method, r.URL.EscapedPath(), r.Proto, r.URL.Query(), r.Host, body, err, r.ContentLength)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		switch name {
		case "X-Amzn-Trace-Id", "X-Forwarded-Port", "X-Forwarded-Proto": // the fronts add them
		default:
			fmt.Fprintf(&s, "%s: %q\n", name, r.Header[name])
		}
	}
	return s.String()
}

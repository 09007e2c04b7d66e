//go:build e2e

package test_test

import (
	"bytes"
	"crypto/rand"
	"image"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// stores stores a file of the person beside the browser.
func (p pageUser) stores(t *testing.T, path string, content []byte, bearer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.process.https+"/api/files/"+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(bearer, ": ")
	r.Header.Set(name, value)
	resp, err := p.process.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("storing %s: %d", path, resp.StatusCode)
	}
}

// savesTo lets the browser save downloads in a folder without asking.
func (p pageUser) savesTo(t *testing.T, folder string) {
	t.Helper()
	if _, err := chromedp.CallBrowser(p.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
	}); err != nil {
		t.Fatal(err)
	}
}

// receives limits the network to some bytes per second, or not for -1.
func (p pageUser) receives(t *testing.T, bytesPerSecond float64) {
	t.Helper()
	if _, err := chromedp.Call(p.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: bytesPerSecond, UploadThroughput: -1}},
	}); err != nil {
		t.Fatal(err)
	}
}

// downloads starts the download of a file.
func (p pageUser) downloads(t *testing.T, name string) {
	t.Helper()
	p.clicks(t, "Actions for "+name)
	p.asks(t, name)
	p.clicks(t, "Download")
}

// arrives waits for a file that the browser saves, and removes it.
func arrives(t *testing.T, path string, want []byte) {
	t.Helper()
	for deadline := time.Now().Add(answerTime / 2); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		got, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s has %d other bytes, want %d", filepath.Base(path), len(got), len(want))
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("%s was not saved", filepath.Base(path))
}

// TestPage_Downloads downloads several files at once, cancels a large one and continues it,
// and loses the connection to Nextcloud within a file.
func TestPage_Downloads(t *testing.T) {
	t.Parallel()
	dir, to, cloud := t.TempDir(), t.TempDir(), newNextcloud(t)
	p := start(t, dir, nil, listen(t, cloud)...).open(t, dir)
	p.registers(t)
	p.savesTo(t, to)
	bearer := p.bearer(t, herAddress, herPassword)
	small, large := []byte("%PDF-1.7 not really\n"), make([]byte, 4<<20)
	if _, err := rand.Read(large); err != nil {
		t.Fatal(err)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 320, 200))); err != nil {
		t.Fatal(err)
	}
	p.stores(t, "report.pdf", small, bearer)
	p.stores(t, "film.bin", large, bearer)
	p.stores(t, "holiday.png", picture.Bytes(), bearer)
	p.do(t, "reload", chromedp.Reload())

	p.receives(t, 400_000)
	p.downloads(t, "film.bin")
	p.waits(t, "progress", `document.querySelector(".uploads progress")?.value > 0`)
	p.downloads(t, "report.pdf")
	arrives(t, filepath.Join(to, "report.pdf"), small) // before the one that was first
	p.reads(t, "1 of 2 files downloaded")
	p.looks(t, "downloading")
	p.clicks(t, "Cancel the download of film.bin")
	p.reads(t, "Cancelled,")
	p.looks(t, "download-cancelled")
	p.receives(t, -1)
	p.clicks(t, "Continue the download of film.bin")
	arrives(t, filepath.Join(to, "film.bin"), large)
	p.reads(t, "2 files are downloaded.")
	if !strings.Contains(p.process.stdout.String(), `"status":206`) {
		t.Error("the download started over, want that it went on where it stopped")
	}
	p.clicks(t, "Clear the list")

	cloud.Fail(nextcloudtest.Times(1, nextcloudtest.CutInside(), nextcloudtest.On(http.MethodGet, "film.bin")))
	p.downloads(t, "film.bin")
	arrives(t, filepath.Join(to, "film.bin"), large)
	p.reads(t, "1 file is downloaded.")

	p.clicks(t, "holiday.png")
	p.waits(t, "the picture", `document.querySelector("dialog img")?.naturalWidth === 320`)
	p.looks(t, "picture")
	p.clicks(t, "Close")
	p.stores(t, "gone.bin", small, bearer)
	p.do(t, "reload", chromedp.Reload())
	p.reads(t, "gone.bin")
	cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if r.Method == http.MethodGet {
			return nextcloudtest.Answer(http.StatusNotFound, "text/html", "", 0)
		}
		return nil
	})
	p.downloads(t, "gone.bin")
	p.reads(t, "This file or folder does not exist any more.")
	p.looks(t, "download-failed")
}

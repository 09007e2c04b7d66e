package test_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Budgets of the gateway on an existing embedded database.
const (
	startBudget = 50 * time.Millisecond // from exec to the first answer over TLS
	idleBudget  = 16                    // MB, its own memory after that; 8 is normal
	startRuns   = 9
)

// TestStart_AnswersSoon measures how long the gateway takes to answer after its start,
// and its memory. With COLD_START=1, nothing else may run meanwhile, so that the times
// count.
func TestStart_AnswersSoon(t *testing.T) {
	timed := os.Getenv("COLD_START") != ""
	if !timed {
		t.Parallel()
	}
	dir := t.TempDir()
	start(t, dir, nil).kill() // creates the database, the keys and the certificate
	var took []time.Duration
	var memory []int
	for range startRuns {
		begun := time.Now()
		p := start(t, dir, nil)
		if r, _ := get(t, p.client, p.https+"/health"); r.StatusCode != http.StatusOK {
			t.Fatalf("/health: got %d", r.StatusCode)
		}
		took = append(took, time.Since(begun))
		memory = append(memory, ownMB(t, p.cmd.Process.Pid))
		p.kill()
	}
	used := slices.Max(memory)
	t.Logf("the first answer came after %v (median of %d), with %d MB", median(took), startRuns, used)
	if timed && median(took) > startBudget {
		t.Errorf("the first answer came after %v, want at most %v", median(took), startBudget)
	}
	if used > idleBudget {
		t.Errorf("the gateway uses %d MB, want at most %d", used, idleBudget)
	}
}

// ownMB returns how much memory a process uses for itself. It does not count the pages of its
// executable: the kernel decides how many of these it maps, and can take them back.
func ownMB(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	var kB int
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		t.Fatal(err)
	}
	return kB / 1000
}

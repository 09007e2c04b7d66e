package storetest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

func TestCluster_IsShared(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	got := make([]string, 4)
	for i := range got {
		wg.Go(func() { got[i] = storetest.Cluster(t) })
	}
	wg.Wait()
	for _, dsn := range got {
		if dsn != got[0] {
			t.Errorf("Cluster returned %q and %q, want one URL", got[0], dsn)
		}
	}
}

func TestCluster_OrdersTextByBytes(t *testing.T) {
	t.Parallel()
	conn := connect(t, storetest.FromTemplate(t, none))
	var got string
	err := conn.QueryRow(t.Context(),
		`SELECT string_agg(c, '' ORDER BY c) FROM unnest(ARRAY['a', 'é', 'B', '_']) AS c`).Scan(&got)
	if want := "B_aé"; err != nil || got != want {
		t.Errorf("ordered letters = %q, %v; want %q, the order of SQLite", got, err, want)
	}
}

func TestStartDurable_WaitsForTheDisk(t *testing.T) {
	t.Parallel()
	dsn, stop, err := storetest.StartDurable()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	conn := connect(t, dsn)
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var got string
		if err := conn.QueryRow(t.Context(), "SHOW "+setting).Scan(&got); err != nil || got != "on" {
			t.Errorf("%s = %q, %v; want on", setting, got, err)
		}
	}
}

// childEnv makes a test run as the process to kill.
const childEnv = "STORETEST_CHILD"

func TestCluster_EndsWithAKilledProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv(childEnv) != "" {
		fmt.Println("serving", storetest.Cluster(t))
		io.Copy(io.Discard, os.Stdin) // until the parent kills us
		return
	}
	dsn, kill := child(t)
	conn := connect(t, dsn)
	var data string
	if err := conn.QueryRow(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
		t.Fatal(err)
	}

	kill()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := conn.WaitForNotification(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the server outlived its test process: %v", err)
	}
	awaitGone(ctx, t, filepath.Dir(data))
}

// child starts this test binary as a process with its own cluster.
func child(t *testing.T) (dsn string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCluster_EndsWithAKilledProcess$")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "TEST_DATABASE_URL=") })
	cmd.Env = append(cmd.Env, childEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		io.Copy(io.Discard, out)
		cmd.Wait()
		in.Close()
	})
	t.Cleanup(kill)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if dsn, ok := strings.CutPrefix(lines.Text(), "serving "); ok {
			return dsn, kill
		}
		t.Log(lines.Text())
	}
	t.Fatal("the child exited without a cluster")
	return "", nil
}

// awaitGone waits until no file exists at path.
func awaitGone(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Errorf("%s is still there", path)
			return
		}
	}
}

// none migrates nothing.
func none(context.Context, string) error { return nil }

func connect(tb testing.TB, dsn string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), dsn)
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(func() { conn.Close(context.WithoutCancel(tb.Context())) })
	return conn
}

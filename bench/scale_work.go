package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/voiceassist/gateway/bench/seed"
	"github.com/voiceassist/gateway/shared/store"
)

// backup copies the database as docs/operations.md says.
func (w *work) backup(ctx context.Context, x *atScale) error {
	file := filepath.Join(w.dir, "backup")
	defer os.Remove(file)
	begin := time.Now()
	if w.engine == postgres {
		out, err := exec.CommandContext(ctx, "pg_dump", "--format=custom", "--file="+file, w.setting("DATABASE_URL")).CombinedOutput()
		if err != nil {
			return fmt.Errorf("pg_dump: %w\n%s", err, out)
		}
	} else if err := w.with(func(db *store.DB) error { return seed.Copy(ctx, db, file) }); err != nil {
		return err
	}
	x.Backup = time.Since(begin).Seconds()
	info, err := os.Stat(file)
	if err == nil {
		x.BackupSize = float64(info.Size()) / 1e6
	}
	return err
}

// provision imports users, and makes their accounts in Nextcloud.
func (w *work) provision(ctx context.Context, x *atScale) error {
	var text strings.Builder
	text.WriteString("email,password_hash\n")
	for n := range newUsers {
		// All measurements share a Nextcloud.
		fmt.Fprintf(&text, "import%d@%s%d.example.org,$2b$10$%s\n", n, w.engine, w.users, strings.Repeat("a", 53))
	}
	file := filepath.Join(w.dir, "users.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return err
	}
	run := func(ctx context.Context, args ...string) (time.Duration, error) {
		cmd := w.command(args...)
		cmd.Env = append(cmd.Env, w.cloud...)
		return runUntil(ctx, cmd)
	}
	took, err := run(ctx, "user", "import", file)
	if err != nil {
		return err
	}
	x.Imported = newUsers / took.Seconds()
	limited, cancel := context.WithTimeout(ctx, w.most)
	defer cancel()
	before, err := w.count(ctx, seed.Waiting)
	if err != nil {
		return err
	}
	if took, err = run(limited, "nextcloud", "reconcile"); err != nil {
		return err
	}
	after, err := w.count(ctx, seed.Waiting)
	x.Provisioned = float64(before-after) / took.Seconds()
	return err
}

// runUntil runs a command, which may be ended by ctx as by Ctrl-C, and returns how long it
// took.
func runUntil(ctx context.Context, cmd *exec.Cmd) (time.Duration, error) {
	said := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = said, said
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			err = fmt.Errorf("%s: %w\n%s", cmd, err, said)
		}
		return time.Since(begin), err
	case <-ctx.Done():
		took := time.Since(begin)
		err := cmd.Process.Signal(os.Interrupt)
		_ = <-ended //nolint:staticcheck // it was interrupted, so its error says nothing
		return took, err
	}
}

func (w *work) count(ctx context.Context, of func(context.Context, *store.DB) (int64, error)) (n int64, err error) {
	err = w.with(func(db *store.DB) (err error) {
		n, err = of(ctx, db)
		return err
	})
	return n, err
}

// delete deletes an account with many sessions and logins.
func (w *work) delete(ctx context.Context, x *atScale) error {
	return w.with(func(db *store.DB) error {
		if err := seed.Burden(ctx, db, burden, w.users, w.now); err != nil {
			return err
		}
		begin := time.Now()
		err := db.Update(ctx, func(tx *store.Tx) error {
			return tx.DeleteAccount(ctx, tx.Operator(), seed.User(1, w.users, w.now))
		})
		x.Deletion = float64(time.Since(begin)) / float64(time.Millisecond)
		return err
	})
}

// sweep deletes expired logins, as housekeeping does: half of all have expired.
func (w *work) sweep(ctx context.Context, x *atScale) error {
	return w.with(func(db *store.DB) error {
		var longest atomic.Int64
		db.Observe(func(took time.Duration) { longest.Store(max(longest.Load(), int64(took))) })
		limited, cancel := context.WithTimeout(ctx, w.most)
		defer cancel()
		begin := time.Now()
		n, err := db.DeleteExpiredLogins(limited, w.now)
		if ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrUnavailable)) {
			err = nil
		}
		x.Swept = float64(n) / time.Since(begin).Seconds()
		x.SweptLongest = float64(longest.Load()) / float64(time.Millisecond)
		return err
	})
}

// logOut ends the logins of all users, by the command.
func (w *work) logOut(ctx context.Context, x *atScale) error {
	access := func(ctx context.Context, db *store.DB) (int64, error) { return seed.WithAccess(ctx, db, w.now) }
	before, err := w.count(ctx, access)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, w.most)
	defer cancel()
	took, err := runUntil(limited, w.command("user", "logout", "--all"))
	if err != nil {
		return err
	}
	after, err := w.count(ctx, access)
	if before > after {
		x.LoggedOut = float64(before-after) / took.Seconds()
		x.LoggedOutTime = float64(w.users) / x.LoggedOut
	}
	return err
}

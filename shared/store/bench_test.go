package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
)

// BenchmarkSignedIn runs the statement of every authenticated request.
func BenchmarkSignedIn(b *testing.B) {
	benchmarkEach(b, func(b *testing.B, db *store.DB) {
		l := startLogin(b, db, "ada@example.org")
		b.SetParallelism(8) // as many clients as the load generator has
		defer cpu(b)()
		b.RunParallel(func(pb *testing.PB) {
			// A request has a context that its client can cancel.
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			for pb.Next() {
				if _, err := db.SignedIn(ctx, l.UserID, l.ID, noon); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkRotateLogin has 16 clients refresh their tokens again and again.
func BenchmarkRotateLogin(b *testing.B) {
	benchmarkEach(b, func(b *testing.B, db *store.DB) {
		var clients atomic.Int64
		b.SetParallelism(8)
		defer cpu(b)()
		b.RunParallel(func(pb *testing.PB) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			l := startLogin(b, db, fmt.Sprintf("ada%d@example.org", clients.Add(1)))
			for counter := int64(0); pb.Next(); counter++ {
				_, matched, err := db.RotateLogin(ctx, l.ID, counter, "192.0.2.1", noon, noon.Add(time.Hour))
				if err != nil || !matched {
					b.Error(matched, err)
				}
			}
		})
	})
}

// startLogin registers an account with a login.
func startLogin(tb testing.TB, db *store.DB, email string) signin.Login {
	tb.Helper()
	l := signin.Start(someone(tb, db, email).ID, "device", "192.0.2.1", noon, signin.Lifetimes{Idle: signin.DefaultIdle})
	if err := db.StartLogin(context.Background(), l, "hash", audit.New(audit.LoggedIn, l.UserID, audit.Origin{}, noon), nil); err != nil {
		tb.Fatal(err)
	}
	return l
}

// cpu starts to measure the CPU time of the process and returns a function that reports it.
func cpu(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

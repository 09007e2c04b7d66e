package server_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
)

// TestSpare is not parallel: the number of processors is that of the process.
func TestSpare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		usual := runtime.GOMAXPROCS(0)
		defer runtime.GOMAXPROCS(usual)
		spare := server.NewSpare(3)
		check := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if got := runtime.GOMAXPROCS(0); got != want {
				t.Errorf("%s: %d processors, want %d", when, got, want)
			}
		}
		check("before", usual)
		end := spare.Hash()
		check("during a hash", usual+3)
		endSecond := spare.Hash()
		end()
		<-time.After(time.Minute)
		check("during the second hash", usual+3)
		endSecond()
		<-time.After(time.Second / 2)
		check("just after it", usual+3)
		end = spare.Hash()
		<-time.After(time.Minute)
		check("during a hash that began soon after it", usual+3)
		end()
		<-time.After(time.Minute)
		check("long after it", usual)
		spare.Hash()()
		check("after another", usual+3)
		<-time.After(time.Minute)
		check("at the end", usual)
	})
}

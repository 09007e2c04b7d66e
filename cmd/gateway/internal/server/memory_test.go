package server_test

import (
	"log/slog"
	"runtime/debug"
	"testing"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
)

func TestTuneMemory_ReplacesOnlyTheDefault(t *testing.T) {
	for before, want := range map[int]int{100: 200, 50: 50, -1: -1} {
		restore := debug.SetGCPercent(before)
		server.TuneMemory(t.Context(), slog.New(slog.DiscardHandler))
		if got := debug.SetGCPercent(restore); got != want {
			t.Errorf("after %d: got %d, want %d", before, got, want)
		}
	}
}

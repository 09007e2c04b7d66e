package main

import (
	"errors"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	down := fault.New(fault.Unavailable, "down", "The database is not available.")
	taken := fault.New(fault.Conflict, "taken", "The address is taken.")
	refused := errors.New("connection refused")
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"an error without a kind", refused, "connection refused"},
		{"a failure with its cause", down.Because(refused), "The database is not available. (connection refused)"},
		{"a failure without a cause", down, "The database is not available."},
		{"a refusal, whose cause is private", taken.Because(refused), "The address is taken."},
	} {
		if got := explain(test.err).Error(); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

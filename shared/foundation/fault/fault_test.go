package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

var errTaken = fault.New(fault.Conflict, "taken", "It is taken.")

func TestError_HidesItsCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("row 7")
	err := errTaken.Because(cause).After(time.Second)
	if !errors.Is(err, errTaken) || !errors.Is(err, cause) || err.Detail != errTaken.Detail || err.RetryAfter != time.Second {
		t.Errorf("got %+v", err)
	}
	if errTaken.Unwrap() != nil || errTaken.RetryAfter != 0 {
		t.Error("the declared value changed")
	}
	if errors.Is(err, fault.New(fault.Conflict, "other", "")) {
		t.Error("errors.Is does not compare faults by their code")
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	if fault.Of(nil) != nil {
		t.Error("nothing is no fault")
	}
	if got := fault.Of(errTaken); got != errTaken {
		t.Errorf("got %+v", got)
	}
	wrapped := fault.Of(fmt.Errorf("create account: %w", errTaken))
	if wrapped.Code != "taken" || !strings.Contains(wrapped.Error(), "create account") {
		t.Errorf("what was tried is lost: %v", wrapped)
	}
	foreign := fault.Of(errors.New("dial tcp"))
	if foreign.Kind != fault.Internal || strings.Contains(foreign.Detail, "dial") || foreign.Unwrap() == nil {
		t.Errorf("got %+v", foreign)
	}
}

func TestFields_AreReportedTogether(t *testing.T) {
	t.Parallel()
	var wrong fault.Fields
	if wrong.Err() != nil {
		t.Error("nothing wrong is a fault")
	}
	parse := func(s string) (int, error) {
		if s == "" {
			return 0, errTaken
		}
		return len(s), nil
	}
	if got := fault.ParseField(&wrong, "a", "xyz", parse); got != 3 || len(wrong) != 0 {
		t.Errorf("got %d, %v", got, wrong)
	}
	fault.ParseField(&wrong, "b", "", parse)
	wrong.Check(false, "c", "missing", "Is missing.")
	wrong.Check(true, "d", "missing", "Is missing.")
	fault.ParseField(&wrong, "c", "", parse) // known to be wrong already
	f := fault.Of(wrong.Err())
	if f.Kind != fault.Invalid || fmt.Sprint(f.Fields) != "[{b taken It is taken.} {c missing Is missing.}]" {
		t.Errorf("got %+v", f)
	}
}

package uid_test

import (
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/uid"
)

func TestSince_SeparatesIDsByTheirTime(t *testing.T) {
	t.Parallel()
	before := time.Now()
	id := uid.New()
	after := time.Now().Add(time.Millisecond)
	if first := uid.Since(before); first >= id {
		t.Errorf("%s, made later, does not sort after %s", id, first)
	}
	if last := uid.Since(after); last <= id {
		t.Errorf("%s, made earlier, does not sort before %s", id, last)
	}
	if got := uid.Since(time.Time{}); got != "00000000-0000-7000-8000-000000000000" {
		t.Errorf("before 1970: %s", got)
	}
}

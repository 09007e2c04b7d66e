package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// A drained is what the tests compare of a [reconcile.Progress].
type drained struct {
	Done, Failed, Left int
	Reason             store.BlockReason
}

func drainedOf(p reconcile.Progress) drained {
	return drained{p.Done, p.Failed, p.Backlog.Remaining, p.Backlog.Reason}
}

// TestDrain_WorksUntilNothingIsLeft counts a conflict as failed, but not one from
// before the call.
func TestDrain_WorksUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	var got []drained
	drain := func() {
		p, err := f.reconciler().Drain(t.Context(), 0, func(p reconcile.Progress) { got = append(got, drainedOf(p)) })
		if err != nil || drainedOf(p) != got[len(got)-1] {
			t.Errorf("%+v, %v", p, err)
		}
	}
	f.cloud.AddUser("ada@example.org", "theirs", "")
	f.register("ada@example.org")
	f.register("grace@example.org")
	drain()
	f.register("edith@example.org")
	drain()
	want := []drained{{0, 0, 2, ""}, {1, 1, 0, ""}, {0, 0, 1, ""}, {1, 0, 0, ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDrain_WaitsForAnOutage: it returns if the outage lasts longer than the longest
// wait, and otherwise continues after it.
func TestDrain_WaitsForAnOutage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	f.register("ada@example.org")
	f.cloud.SetMaintenance(true)
	p, err := f.reconciler().Drain(t.Context(), time.Millisecond, func(reconcile.Progress) {})
	if want := (drained{0, 0, 1, store.BlockedByOutage}); err != nil || drainedOf(p) != want {
		t.Fatalf("%+v, %v", p, err)
	}
	f.cloud.SetMaintenance(false)
	f.advance(p.Backlog.Wait - time.Millisecond)
	waits := 0
	p, err = f.reconciler().Drain(t.Context(), time.Minute, func(p reconcile.Progress) {
		if p.Backlog.Wait > 0 {
			waits++
			f.advance(time.Millisecond)
		}
	})
	if want := (drained{1, 0, 0, ""}); err != nil || drainedOf(p) != want || waits != 1 {
		t.Errorf("after %d waits: %+v, %v", waits, p, err)
	}
}

func TestDrain_StopsIfTheAdministratorIsRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ADMIN_PASSWORD": "wrong"})
	f.register("ada@example.org")
	p, err := f.reconciler().Drain(t.Context(), time.Hour, func(reconcile.Progress) {})
	want := drained{0, 0, 1, store.BlockedByRefusal}
	if !errors.Is(err, reconcile.ErrRefused) || drainedOf(p) != want || !p.Backlog.Until.After(f.time()) {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestDrain_StopsWhenInterrupted cancels the context during a pause.
func TestDrain_StopsWhenInterrupted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	f.register("ada@example.org")
	f.cloud.SetMaintenance(true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, err := f.reconciler().Drain(ctx, time.Hour, func(p reconcile.Progress) {
		if p.Backlog.Wait > 0 {
			cancel()
		}
	})
	if want := (drained{0, 0, 1, store.BlockedByOutage}); err != nil || drainedOf(p) != want {
		t.Errorf("%+v, %v", p, err)
	}
}

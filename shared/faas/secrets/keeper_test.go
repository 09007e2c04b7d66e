package secrets_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voiceassist/gateway/shared/faas/secrets"
)

var errDown = errors.New("down")

// A manager is a configurable source of values.
type manager struct {
	value   atomic.Value // string; "" fails
	takes   atomic.Int64 // time.Duration
	fetches atomic.Int64
}

func (m *manager) fetch(ctx context.Context) (*secrets.Values, error) {
	m.fetches.Add(1)
	select {
	case <-time.After(time.Duration(m.takes.Load())):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if m.value.Load() == "" {
		return nil, errDown
	}
	return secrets.Of("JWT_SECRET", m.value.Load().(string)), nil
}

// keeper runs test in a synctest bubble, with a Keeper of a manager that contains "one".
func keeper(t *testing.T, test func(t *testing.T, m *manager, k *secrets.Keeper)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &manager{}
		m.value.Store("one")
		test(t, m, secrets.NewKeeper(m.fetch))
	})
}

// want checks the result of a call and the number of fetches so far.
func want(t *testing.T, m *manager, value string, fetches int64) func(*secrets.Values, error) {
	t.Helper()
	return func(v *secrets.Values, err error) {
		t.Helper()
		got := "failed"
		if err == nil {
			got = get(v, "JWT_SECRET")
		}
		if got != value || m.fetches.Load() != fetches {
			t.Errorf("got %s (%v) after %d fetches, want %s after %d", got, err, m.fetches.Load(), value, fetches)
		}
	}
}

func TestKeeper_FetchesOnFirstUseAndWhenStale(t *testing.T) {
	keeper(t, func(t *testing.T, m *manager, k *secrets.Keeper) {
		if m.fetches.Load() != 0 {
			t.Error("fetched before the first call")
		}
		first, err := k.Values(t.Context())
		want(t, m, "one", 1)(first, err)
		m.value.Store("two")
		pass(secrets.MaxAge - time.Nanosecond)
		want(t, m, "one", 1)(k.Values(t.Context()))
		pass(time.Nanosecond)
		want(t, m, "two", 2)(k.Values(t.Context()))
	})
}

func TestKeeper_UnchangedValuesKeepTheirPointer(t *testing.T) {
	keeper(t, func(t *testing.T, m *manager, k *secrets.Keeper) {
		first, err := k.Values(t.Context())
		want(t, m, "one", 1)(first, err)
		pass(secrets.MaxAge)
		again, err := k.Values(t.Context())
		want(t, m, "one", 2)(again, err)
		if first != again {
			t.Error("another pointer for the same values")
		}
	})
}

func TestKeeper_ConcurrentCallersShareOneFetch(t *testing.T) {
	keeper(t, func(t *testing.T, m *manager, k *secrets.Keeper) {
		for round, ask := range []func(context.Context) (*secrets.Values, error){k.Values, k.Renew} {
			m.takes.Store(int64(500 * time.Millisecond))
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() { want(t, m, "one", int64(round+1))(ask(t.Context())) })
			}
			all.Wait()
			pass(secrets.MinAge)
		}
	})
}

func TestKeeper_RetriesAFailedFirstFetchAtOnce(t *testing.T) {
	keeper(t, func(t *testing.T, m *manager, k *secrets.Keeper) {
		m.value.Store("")
		_, err := k.Values(t.Context())
		if !errors.Is(err, errDown) {
			t.Errorf("got %v, want %v", err, errDown)
		}
		want(t, m, "failed", 2)(k.Values(t.Context()))
		m.value.Store("one")
		want(t, m, "one", 3)(k.Values(t.Context()))
	})
}

func TestKeeper_KeepsOldValuesWhileFetchesFail(t *testing.T) {
	keeper(t, func(t *testing.T, m *manager, k *secrets.Keeper) {
		want(t, m, "one", 1)(k.Values(t.Context()))
		m.value.Store("")
		pass(secrets.MaxAge)
		want(t, m, "one", 2)(k.Values(t.Context()))
		want(t, m, "one", 2)(k.Values(t.Context())) // not every event waits for it
		pass(secrets.RetryAfter)
		want(t, m, "one", 3)(k.Values(t.Context()))
		m.value.Store("two")
		pass(secrets.RetryAfter)
		want(t, m, "two", 4)(k.Values(t.Context()))
	})
}

func TestKeeper_RenewIsRateLimited(t *testing.T) {
	keeper(t, func(t *testing.T, m *manager, k *secrets.Keeper) {
		want(t, m, "one", 1)(k.Values(t.Context()))
		m.value.Store("two")
		want(t, m, "one", 1)(k.Renew(t.Context()))
		pass(secrets.MinAge)
		want(t, m, "two", 2)(k.Renew(t.Context()))
		want(t, m, "two", 2)(k.Renew(t.Context()))
		m.value.Store("")
		pass(secrets.MinAge)
		want(t, m, "two", 3)(k.Renew(t.Context()))
		want(t, m, "two", 3)(k.Renew(t.Context()))
	})
}

func TestKeeper_DoesNotWaitLongForNewerValues(t *testing.T) {
	keeper(t, func(t *testing.T, m *manager, k *secrets.Keeper) {
		want(t, m, "one", 1)(k.Values(t.Context()))
		m.value.Store("two")
		m.takes.Store(int64(5 * time.Second))
		pass(secrets.MaxAge)
		start := time.Now()
		want(t, m, "one", 2)(k.Values(t.Context()))
		if took := time.Since(start); took > time.Second {
			t.Errorf("waited %v", took)
		}
		start = time.Now()
		want(t, m, "one", 2)(k.Values(t.Context()))
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the next caller waited %v for the same fetch, want 0", waited)
		}
		pass(4 * time.Second)
		synctest.Wait()
		want(t, m, "two", 2)(k.Values(t.Context()))
	})
}

func TestKeeper_CanceledCallerDoesNotEndTheFetch(t *testing.T) {
	keeper(t, func(t *testing.T, m *manager, k *secrets.Keeper) {
		m.takes.Store(int64(2 * time.Second))
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := k.Values(short)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline of the caller", err)
		}
		want(t, m, "one", 1)(k.Values(t.Context()))
	})
}

func TestKeeper_FetchesTimeOut(t *testing.T) {
	keeper(t, func(t *testing.T, m *manager, k *secrets.Keeper) {
		m.takes.Store(int64(time.Hour))
		start := time.Now()
		want(t, m, "failed", 1)(k.Values(t.Context()))
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// pass advances the time of the bubble by d.
func pass(d time.Duration) { <-time.After(d) }

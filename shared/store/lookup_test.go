package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// lookups runs lookups in a group with two round trips at a time. A lookup that is alone
// ends when the test allows it.
type lookups struct {
	*store.LookupGroup

	mu      sync.Mutex
	batches []int // sizes of the shared round trips, sorted
	fail    error // of the shared round trips
	alone   chan struct{}
	results chan string
}

func newLookups() *lookups {
	l := &lookups{alone: make(chan struct{}), results: make(chan string, 1000)}
	l.LookupGroup = store.NewLookupGroup(2, func(_ context.Context, batch []*store.Lookup) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.batches = append(l.batches, len(batch))
		slices.Sort(l.batches)
		for _, b := range batch {
			b.Err = l.fail
		}
		return l.fail
	})
	return l
}

// start starts n lookups, which report how they ended.
func (l *lookups) start(ctx context.Context, n int) {
	for range n {
		go func() {
			how := "shared"
			err := l.Run(ctx, &store.Lookup{}, func() error {
				how = "alone"
				<-l.alone
				return nil
			})
			l.results <- fmt.Sprint(how, " ", err)
		}()
	}
	synctest.Wait()
}

// ended returns how the lookups ended that have done so.
func (l *lookups) ended() []string {
	synctest.Wait()
	var list []string
	for range len(l.results) {
		list = append(list, <-l.results)
	}
	return list
}

func TestLookup_WaitsForARoundTripAndSharesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookups()
		l.start(t.Context(), 5)
		if got := l.ended(); len(got) != 0 {
			t.Fatalf("ended: %v", got)
		}
		l.alone <- struct{}{}
		if got, want := l.ended(), []string{"alone <nil>", "shared <nil>", "shared <nil>", "shared <nil>"}; !slices.Equal(got, want) || !slices.Equal(l.batches, []int{3}) {
			t.Errorf("ended: %v; batches: %v", got, l.batches)
		}
		l.start(t.Context(), 1) // the round trip of the three is free again
		close(l.alone)
		if got, want := l.ended(), []string{"alone <nil>", "alone <nil>"}; !slices.Equal(got, want) {
			t.Errorf("ended: %v, want %v", got, want)
		}
	})
}

func TestLookup_BoundsARoundTrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookups()
		l.start(t.Context(), 2+150)
		close(l.alone)
		if got := l.ended(); len(got) != 152 || !slices.Equal(l.batches, []int{22, 64, 64}) {
			t.Errorf("%d ended; batches: %v", len(got), l.batches)
		}
	})
}

func TestLookup_RunsAloneAfterAFailedRoundTrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookups()
		l.fail = errors.New("connection lost")
		l.start(t.Context(), 4)
		close(l.alone)
		if got := l.ended(); !slices.Equal(got, slices.Repeat([]string{"alone <nil>"}, 4)) || !slices.Equal(l.batches, []int{2}) {
			t.Errorf("ended: %v; batches: %v", got, l.batches)
		}
	})
}

func TestLookup_StopsWaitingWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookups()
		l.start(t.Context(), 2)
		ctx, cancel := context.WithCancel(t.Context())
		l.start(ctx, 1)
		cancel()
		if got, want := l.ended(), []string{"shared context canceled"}; !slices.Equal(got, want) {
			t.Errorf("ended: %v, want %v", got, want)
		}
		close(l.alone)
		l.ended()
	})
}

func TestLookup_DoesNotWaitForAStalledConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLookups()
		l.start(t.Context(), 3) // two hang
		time.Sleep(101 * time.Millisecond)
		l.start(t.Context(), 1)
		l.alone <- struct{}{} // one of the three
		l.alone <- struct{}{}
		l.alone <- struct{}{}
		if got := l.ended(); len(got) != 4 || !slices.Equal(l.batches, []int{1}) {
			t.Errorf("ended: %v; batches: %v", got, l.batches)
		}
	})
}

// Requests for several accounts, some without a live login, at the same time.
func TestSignedIn_ConcurrentCallsGetTheirOwnAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var calls sync.WaitGroup
		for n := range 40 {
			l := startLogin(t, db, fmt.Sprintf("ada%d@example.org", n))
			want := error(nil)
			if n%3 == 0 {
				want = signin.ErrRevoked
				if _, err := db.RevokeLogin(t.Context(), l.UserID, l.ID, "test", noon); err != nil {
					t.Fatal(err)
				}
			}
			for range 10 {
				calls.Go(func() {
					a, err := db.SignedIn(t.Context(), l.UserID, l.ID, noon)
					if !errors.Is(err, want) || err == nil && a.ID != l.UserID {
						t.Errorf("SignedIn(%s) = %s, %v; want %v", l.UserID, a.ID, err, want)
					}
				})
			}
		}
		calls.Wait()
	})
}

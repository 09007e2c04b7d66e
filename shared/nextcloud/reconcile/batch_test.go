package reconcile_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestBatch_CallsForANewAccount lists all calls that create an account. Each but the last
// costs Nextcloud a password hash.
func TestBatch_CallsForANewAccount(t *testing.T) {
	t.Parallel()
	search, create := "GET admin /ocs/v2.php/cloud/users/details", "POST admin /ocs/v2.php/cloud/users"
	password := "PUT %[1]s /ocs/v2.php/cloud/users/%[1]s"
	app, folder := "GET %[1]s /ocs/v2.php/core/getapppassword", "PROPFIND %[1]s /remote.php/dav/files/%[1]s"
	for name, tt := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"by default":            {nil, []string{search, create, password, app, folder}},
		"with the user's id":    {map[string]string{"NEXTCLOUD_USER_ID": "uuid"}, []string{search, create, password, app, folder}},
		"with its own password": {map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"}, []string{search, create, app, folder}},
		"in an existing group":  {map[string]string{"NEXTCLOUD_GROUP": "admin"}, []string{search, create, password, app, folder}},
		"without a quota":       {map[string]string{"NEXTCLOUD_DEFAULT_QUOTA": "none"}, []string{search, create, password, app, folder}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, storetest.SQLite(t), tt.env)
			r := f.reconciler()
			f.register("first@example.org") // the first batch also tries the administrator's password
			f.batch(r)
			before := len(f.cloud.Calls())
			a := f.register("ada@example.org")
			f.batch(r)
			n := f.known(a)
			if n.Status != desired.Active {
				t.Errorf("got row %+v", n)
			}
			var want, got []string
			for _, call := range tt.want {
				if strings.Contains(call, "%") {
					call = fmt.Sprintf(call, n.NextcloudID)
				}
				want = append(want, call)
			}
			for _, c := range f.cloud.Calls()[before:] {
				got = append(got, strings.TrimSuffix(c.Method+" "+c.User+" "+c.Path, "/"))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBatch_KeepsItsWorkersBusy: all workers call Nextcloud at once, and the others go on
// while one of them waits for a slow account.
func TestBatch_KeepsItsWorkersBusy(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const accounts, workers = 50, 8
		f := newFixture(t, db, nil)
		for i := range accounts {
			f.register(fmt.Sprintf("user%d@example.org", i))
		}
		var begun, done atomic.Int64
		together, others := make(chan struct{}), make(chan struct{})
		wait := func(what string, until <-chan struct{}) {
			select {
			case <-until:
			case <-time.After(time.Minute):
				t.Errorf("%s after a minute: %d calls begun, %d done", what, begun.Load(), done.Load())
			}
		}
		isCreate := nextcloudtest.On(http.MethodPost, "/cloud/users")
		f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
			if !isCreate(r) {
				return nil
			}
			return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				n := begun.Add(1)
				if n == workers {
					close(together)
				}
				if n <= workers {
					wait("the workers are not all busy", together)
				}
				if n == 1 {
					wait("a slow account stops the others", others)
				}
				next.ServeHTTP(w, r)
				if done.Add(1) == accounts-1 {
					close(others)
				}
			}
		})
		if got := f.batch(f.reconciler()); got != (reconcile.Result{Attempted: accounts, Succeeded: accounts}) {
			t.Errorf("got %+v", got)
		}
	})
}

// TestBatch_AttemptsAtMostSoMany: what was leased with the last account is left to others.
func TestBatch_AttemptsAtMostSoMany(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	for i := range 30 {
		f.register(fmt.Sprintf("user%d@example.org", i))
	}
	for _, want := range []int{25, 5, 0} {
		if got, err := f.reconciler().RunBatch(t.Context(), 25); err != nil || got.Succeeded != want {
			t.Errorf("got %+v, %v; want %d", got, err, want)
		}
	}
}

// TestBatch_ReusesConnections: each worker needs one connection for accounts and one for
// files. net/http gives one up if the machine takes more than 50 ms to write a request. If
// only 8 are kept for 12 workers, about 75 are opened.
func TestBatch_ReusesConnections(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 12} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_WORKERS": fmt.Sprint(workers)})
			var opened atomic.Int64
			server := httptest.NewUnstartedServer(nextcloudtest.Together(workers, f.cloud))
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					opened.Add(1)
				}
			}
			server.Start()
			t.Cleanup(server.Close)
			var err error
			if f.settings.URL, err = url.Parse(server.URL); err != nil {
				t.Fatal(err)
			}
			for i := range 60 {
				f.register(fmt.Sprintf("user%d@example.org", i))
			}
			if got := f.batch(f.reconciler()); got.Succeeded != 60 {
				t.Errorf("got %+v", got)
			}
			if n := opened.Load(); n > int64(2*workers+30) {
				t.Errorf("%d connections were opened by %d workers", n, workers)
			}
		})
	}
}

// TestBatch_DoesNotTryAPasswordOnAnotherBackend: the search for the e-mail address may not
// find an account of another user backend. Only the creation tells that it exists.
func TestBatch_DoesNotTryAPasswordOnAnotherBackend(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	f.cloud.AddUser("ada@example.org", "her own password", "")
	a := f.register("ada@example.org")
	f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		switch {
		case strings.HasSuffix(r.URL.Path, "/details"):
			return nextcloudtest.Answer(http.StatusOK, "application/json", `{"ocs":{"meta":{"statuscode":200},"data":{"users":[]}}}`, 0)
		case nextcloudtest.On(http.MethodGet, "/cloud/users/ada@example.org")(r):
			return nextcloudtest.Answer(http.StatusOK, "application/json",
				`{"ocs":{"meta":{"statuscode":200},"data":{"id":"ada@example.org","enabled":true,"backend":"LDAP"}}}`, 0)
		}
		return nil
	})
	f.batch(f.reconciler())
	if n := f.known(a); n.Status != desired.Conflict || n.LastError != reconcile.IDTaken || n.Owned {
		t.Errorf("got row %+v", n)
	}
	for _, c := range f.cloud.Calls() {
		if c.User != "admin" {
			t.Errorf("a password was tried: %+v", c)
		}
	}
}

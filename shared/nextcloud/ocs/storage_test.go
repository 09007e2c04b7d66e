package ocs_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

// The server keeps one decimal of the largest unit. Any whole quota that is set is near the
// value read back.
func TestQuota_Near_ToleratesServerRounding(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	server.AddUser("ada", adaPassword, "")
	for _, set := range []string{
		"none", "0 MB", "1 MB", "50 MB", "999 MB", "1023 MB", "1024 MB", "1025 MB", "1075 MB", "1500 MB",
		"1 GB", "10 GB", "1023 GB", "1025 GB", "1100 GB", "99999 GB",
	} {
		want, err := quota.Parse(set)
		must(t, err)
		must(t, client.Edit(t.Context(), "ada", ocs.KeyQuota, set))
		got, err := client.User(t.Context(), "ada")
		must(t, err)
		if !want.Near(got.Quota) {
			t.Errorf("%s: got %d, want a value near %d", set, got.Quota, want)
		}
	}
}

// No answer makes the client panic or return a user without an ID.
func FuzzUser(f *testing.F) {
	for _, tt := range handmadeAnswers() {
		if len(tt.body) < 1000 {
			f.Add(tt.status, tt.contentType, tt.body)
		}
	}
	f.Add(200, jsonType, `{"ocs":{"meta":{"statuscode":200},"data":{"id":7,"quota":{"quota":"x","free":-1e300}}}}`)
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		answer := nextcloudtest.Answer(status, contentType, body, 0)
		if status < 200 || status > 599 {
			return
		}
		client := dial(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r, nil) }), time.Minute)
		if u, err := client.User(t.Context(), "ada"); err == nil && u.ID == "" {
			t.Errorf("got user without an ID: %+v", u)
		}
	})
}

// For a moment after an account was created, the server returns an empty list instead of
// its storage.
func TestUser_RepeatsIfTheStorageIsNotMeasured(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	server.AddUser("ada", adaPassword, "")
	server.Set("ada", "quota", "50 MB")
	unmeasured := func(times int) {
		server.Fail(nextcloudtest.Times(times, nextcloudtest.Unmeasured(), func(r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/cloud/users/")
		}))
	}
	unmeasured(1)
	u, err := client.User(t.Context(), "ada")
	if must(t, err); u.Quota != 50<<20 || u.ID != "ada" {
		t.Errorf("got %+v", u)
	}
	unmeasured(1)
	all, err := client.UserDetails(t.Context(), 10, 0)
	must(t, err)
	for _, u := range all {
		if u.Quota == quota.Unknown {
			t.Errorf("in a page: got %+v", u)
		}
	}
	unmeasured(1000)
	if u, err = client.User(t.Context(), "ada"); err != nil || u.ID != "ada" || u.Quota != quota.Unknown {
		t.Errorf("if the storage is never measured: got %+v, %v", u, err)
	}
}

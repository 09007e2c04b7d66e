package nextcloud_test

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

func TestParseQuota(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in    string
		want  nextcloud.Quota
		valid bool
	}{
		{"none", nextcloud.Unlimited, true},
		{"0 MB", 0, true},
		{"50 MB", 50 << 20, true},
		{"5 GB", 5 << 30, true},
		{"", 0, false},
		{"None", 0, false},
		{"default", 0, false},
		{"5", 0, false},
		{"5GB", 0, false},
		{"5 gb", 0, false},
		{"5  GB", 0, false},
		{"5 GiB", 0, false},
		{"5 TB", 0, false},
		{"1.5 GB", 0, false},
		{"-5 GB", 0, false},
		{"+5 GB", 0, false},
		{"9999999999 GB", 0, false},
		{"99999999999999999999 MB", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, err := nextcloud.ParseQuota(tt.in)
			if (err == nil) != tt.valid || (tt.valid && got != tt.want) {
				t.Errorf("ParseQuota(%q) = %d, %v; want %d, valid: %v", tt.in, got, err, tt.want, tt.valid)
			}
			if tt.valid && tt.in != "0 MB" && nextcloud.FormatQuota(got) != tt.in {
				t.Errorf("FormatQuota(%d) = %q, want %q", got, nextcloud.FormatQuota(got), tt.in)
			}
		})
	}
}

func TestQuota_UnmarshalJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     nextcloud.Quota
	}{
		{"a word before the first login", `"none"`, nextcloud.Unlimited},
		{"the same after it", `-3`, nextcloud.Unlimited},
		{"bytes", `52428800`, 50 << 20},
		{"nothing may be stored", `0`, 0},
		{"a number that PHP made a float", `9.9e+19`, math.MaxInt64},
		{"the default of a server without one", `"default"`, nextcloud.Unlimited},
		{"a size in words", `"5 GB"`, 5 << 30},
		{"a word that means nothing", `"lots"`, nextcloud.UnknownQuota},
		{"not computed yet", `-1`, nextcloud.UnknownQuota},
		{"null", `null`, nextcloud.UnknownQuota},
		{"an object", `{}`, nextcloud.UnknownQuota},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := nextcloud.Quota(12345)
			if err := json.Unmarshal([]byte(tt.in), &got); err != nil || got != tt.want {
				t.Errorf("%s is %d, %v; want %d", tt.in, got, err, tt.want)
			}
		})
	}
}

// The server keeps one decimal of the largest unit. Whatever whole quota is
// set, what is read back is near it.
func TestQuota_Near_WhatTheServerReadsBack(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	server.AddUser("ada", adaPassword, "")
	for _, quota := range []string{
		"none", "0 MB", "1 MB", "50 MB", "999 MB", "1023 MB", "1024 MB", "1025 MB", "1075 MB", "1500 MB",
		"1 GB", "10 GB", "1023 GB", "1025 GB", "1100 GB", "99999 GB",
	} {
		want, err := nextcloud.ParseQuota(quota)
		must(t, err)
		must(t, client.Edit(t.Context(), "ada", nextcloud.KeyQuota, quota))
		got, err := client.User(t.Context(), "ada")
		must(t, err)
		if !want.Near(got.Quota) {
			t.Errorf("%s is read back as %d, which is not near %d", quota, got.Quota, want)
		}
	}
}

func TestQuota_Near_TellsRealDifferences(t *testing.T) {
	t.Parallel()
	const mb, gb = nextcloud.Quota(1 << 20), nextcloud.Quota(1 << 30)
	for _, pair := range [][2]nextcloud.Quota{
		{50 * mb, 51 * mb}, {5 * gb, 5}, {gb, 2 * gb}, {1500 * mb, 1600 * mb}, {0, mb},
		{nextcloud.Unlimited, 0}, {nextcloud.Unlimited, gb}, {gb, nextcloud.Unlimited},
		{nextcloud.UnknownQuota, nextcloud.UnknownQuota}, {gb, nextcloud.UnknownQuota},
		{math.MaxInt64, gb},
	} {
		if pair[0].Near(pair[1]) {
			t.Errorf("%d is near %d", pair[0], pair[1])
		}
	}
}

// What is formatted reads as the same number, or as the next whole MB.
func FuzzFormatQuota(f *testing.F) {
	for _, q := range []int64{0, 1, 1 << 20, 1<<20 + 1, 5 << 30, -3, -2} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		q := nextcloud.Quota(n % (1 << 53))
		got, err := nextcloud.ParseQuota(nextcloud.FormatQuota(q))
		switch {
		case q < 0 && q != nextcloud.Unlimited:
			if err == nil {
				t.Errorf("FormatQuota(%d) = %q, want what cannot be read", q, nextcloud.FormatQuota(q))
			}
		case err != nil || got < q || got-q >= 1<<20:
			t.Errorf("FormatQuota(%d) = %q, which reads as %d, %v", q, nextcloud.FormatQuota(q), got, err)
		}
	})
}

// No answer makes the client panic or find a user without an id.
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
			t.Errorf("a user without an id: %+v", u)
		}
	})
}

// For a moment after an account was made, the server tells an empty list in
// place of its storage.
func TestUser_AsksAgainWhereTheStorageIsNotMeasured(t *testing.T) {
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
		if u.Quota == nextcloud.UnknownQuota {
			t.Errorf("in a page: %+v", u)
		}
	}
	unmeasured(1000)
	if u, err = client.User(t.Context(), "ada"); err != nil || u.ID != "ada" || u.Quota != nextcloud.UnknownQuota {
		t.Errorf("where that goes on: %+v, %v", u, err)
	}
}

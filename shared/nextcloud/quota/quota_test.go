package quota_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in    string
		want  quota.Quota
		valid bool
	}{
		{"none", quota.Unlimited, true},
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
			got, err := quota.Parse(tt.in)
			if (err == nil) != tt.valid || (tt.valid && got != tt.want) {
				t.Errorf("Parse(%q) = %d, %v; want %d, valid: %v", tt.in, got, err, tt.want, tt.valid)
			}
			if tt.valid && tt.in != "0 MB" && quota.Format(got) != tt.in {
				t.Errorf("Format(%d) = %q, want %q", got, quota.Format(got), tt.in)
			}
		})
	}
}

func TestQuota_UnmarshalJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     quota.Quota
	}{
		{"unlimited before the first login", `"none"`, quota.Unlimited},
		{"unlimited after the first login", `-3`, quota.Unlimited},
		{"bytes", `52428800`, 50 << 20},
		{"a quota of zero", `0`, 0},
		{"a number that PHP converted to a float", `9.9e+19`, math.MaxInt64},
		{"the default of a server without a default", `"default"`, quota.Unlimited},
		{"a size with a unit", `"5 GB"`, 5 << 30},
		{"an unknown word", `"lots"`, quota.Unknown},
		{"not computed yet", `-1`, quota.Unknown},
		{"null", `null`, quota.Unknown},
		{"an object", `{}`, quota.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := quota.Quota(12345)
			if err := json.Unmarshal([]byte(tt.in), &got); err != nil || got != tt.want {
				t.Errorf("%s: got %d, %v; want %d", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestQuota_Near(t *testing.T) {
	t.Parallel()
	const mb, gb = quota.Quota(1 << 20), quota.Quota(1 << 30)
	for _, pair := range [][2]quota.Quota{
		{50 * mb, 51 * mb}, {5 * gb, 5}, {gb, 2 * gb}, {1500 * mb, 1600 * mb}, {0, mb},
		{quota.Unlimited, 0}, {quota.Unlimited, gb}, {gb, quota.Unlimited},
		{quota.Unknown, quota.Unknown}, {gb, quota.Unknown},
		{math.MaxInt64, gb},
	} {
		if pair[0].Near(pair[1]) {
			t.Errorf("%d.Near(%d) = true", pair[0], pair[1])
		}
	}
}

// A formatted quota parses to the same number, or to the next whole MB.
func FuzzFormat(f *testing.F) {
	for _, q := range []int64{0, 1, 1 << 20, 1<<20 + 1, 5 << 30, -3, -2} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		q := quota.Quota(n % (1 << 53))
		got, err := quota.Parse(quota.Format(q))
		switch {
		case q < 0 && q != quota.Unlimited:
			if err == nil {
				t.Errorf("Format(%d) = %q, want a text that does not parse", q, quota.Format(q))
			}
		case err != nil || got < q || got-q >= 1<<20:
			t.Errorf("Format(%d) = %q, which parses to %d, %v", q, quota.Format(q), got, err)
		}
	})
}

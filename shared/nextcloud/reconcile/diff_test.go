package reconcile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
)

// TestDiff changes an account or its desired state in one way per case.
func TestDiff(t *testing.T) {
	t.Parallel()
	type state struct {
		want   desired.Account
		policy desired.Policy
		actual *ocs.User
	}
	drift := func(kind reconcile.DriftKind, wanted, found string) []reconcile.Drift {
		return []reconcile.Drift{{Kind: kind, NextcloudID: "ada", UserID: "1", Wanted: wanted, Found: found}}
	}
	kept := func(d []reconcile.Drift) []reconcile.Drift {
		d[0].Kept = true
		return d
	}
	gigabytes := func(n int) quota.Quota { return quota.Quota(n) << 30 }
	long := strings.Repeat("ä", 64)
	for _, test := range []struct {
		name   string
		change func(*state)
		drifts []reconcile.Drift
	}{
		{"nothing differs", func(*state) {}, nil},
		{"the account is missing", func(s *state) { s.actual = nil }, drift(reconcile.DriftMissing, "", "")},
		{"the account is disabled", func(s *state) { s.actual.Enabled = false }, drift(reconcile.DriftDisabled, "", "")},

		{"an enabled account should be disabled", func(s *state) { s.want.State = desired.Disabled }, drift(reconcile.DriftEnabled, "", "")},
		{"an enabled account should be absent", func(s *state) { s.want.State = desired.Absent }, drift(reconcile.DriftEnabled, "", "")},
		{"a disabled account should be disabled, other differences do not matter", func(s *state) {
			s.want.State, s.actual.Enabled, s.actual.Email = desired.Disabled, false, "x@example.org"
		}, nil},
		{"an absent account should be absent", func(s *state) { s.want.State, s.actual = desired.Absent, nil }, nil},
		{"a foreign account should be disabled", func(s *state) { s.want.State, s.want.Owned = desired.Disabled, false }, nil},

		{"another e-mail address", func(s *state) { s.actual.Email = "x@example.org" }, drift(reconcile.DriftEmail, "ada@bücher.example", "x@example.org")},
		{"no e-mail address", func(s *state) { s.actual.Email = "" }, drift(reconcile.DriftEmail, "ada@bücher.example", "")},
		{"the same address with A-labels and upper case", func(s *state) { s.actual.Email = "Ada@XN--bcher-kva.example" }, nil},
		{"a linked account keeps its address", func(s *state) { s.actual.Email, s.want.KeepsEmail = "x@example.org", true }, nil},

		{"another name", func(s *state) { s.actual.DisplayName = "Countess" }, drift(reconcile.DriftName, "Ada", "Countess")},
		{"a user without a name", func(s *state) { s.want.FullName = "" }, nil},
		{"a name that Nextcloud truncates", func(s *state) { s.want.FullName, s.actual.DisplayName = long+"ä", long }, nil},
		{"a linked account keeps its name", func(s *state) { s.actual.DisplayName, s.want.KeepsName = "Countess", true }, nil},

		{"another quota", func(s *state) { s.actual.Quota = gigabytes(7) }, drift(reconcile.DriftQuota, "5 GB", "7 GB")},
		{"no quota", func(s *state) { s.actual.Quota = quota.Unlimited }, drift(reconcile.DriftQuota, "5 GB", "none")},
		{"an override", func(s *state) { s.want.QuotaOverride = "20 GB" }, drift(reconcile.DriftQuota, "20 GB", "5 GB")},
		{"an override that keeps the quota", func(s *state) { s.want.QuotaOverride, s.actual.Quota = desired.KeepQuota, gigabytes(7) }, nil},
		{"a quota that was changed in Nextcloud", func(s *state) {
			s.want.LastSetQuota, s.policy.KeepQuotas, s.actual.Quota = "5 GB", true, gigabytes(7)
		}, kept(drift(reconcile.DriftQuota, "5 GB", "7 GB"))},
		{"a quota that was changed in Nextcloud, with a policy that resets it", func(s *state) { s.want.LastSetQuota, s.actual.Quota = "5 GB", gigabytes(7) }, drift(reconcile.DriftQuota, "5 GB", "7 GB")},
		{"a new default that is not applied yet", func(s *state) {
			s.want.Quota, s.want.LastSetQuota, s.policy.KeepQuotas = "10 GB", "5 GB", true
		}, drift(reconcile.DriftQuota, "10 GB", "5 GB")},

		{"not in the group", func(s *state) { s.policy.Group, s.actual.Groups = "voice", []string{"a", "b"} }, drift(reconcile.DriftGroup, "voice", "a, b")},
		{"in the group", func(s *state) { s.policy.Group, s.actual.Groups = "voice", []string{"a", "voice"} }, nil},
	} {
		s := state{
			want: desired.Account{UserID: "1", NextcloudID: "ada", Owned: true, Spec: desired.Spec{
				State: desired.Present, Email: "ada@bücher.example", FullName: "Ada", Quota: "5 GB",
			}},
			actual: &ocs.User{ID: "ada", Enabled: true, Email: "ada@bücher.example", DisplayName: "Ada", Quota: gigabytes(5)},
		}
		test.change(&s)
		if diff := cmp.Diff(test.drifts, reconcile.Diff(s.want, s.policy, s.actual)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestDiff_ListsAllDrifts checks that drifts are listed in the order in which an attempt
// corrects them.
func TestDiff_ListsAllDrifts(t *testing.T) {
	t.Parallel()
	want := desired.Account{Spec: desired.Spec{State: desired.Present, Email: "ada@example.org", FullName: "Ada", Quota: "5 GB"}}
	var got []reconcile.DriftKind
	for _, d := range reconcile.Diff(want, desired.Policy{Group: "voice"}, &ocs.User{}) {
		got = append(got, d.Kind)
	}
	if diff := cmp.Diff([]reconcile.DriftKind{
		reconcile.DriftDisabled, reconcile.DriftEmail, reconcile.DriftName, reconcile.DriftQuota, reconcile.DriftGroup,
	}, got); diff != "" {
		t.Error(diff)
	}
}

package main

import (
	"strings"
	"testing"
)

func TestQuotaCommand(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.register(1)
	const email = "user-0000@example.org"
	run := func(want int, contains string, args ...string) {
		t.Helper()
		code, out, problems := s.run(t.Context(), append([]string{"quota"}, args...)...)
		if code != want || !strings.Contains(out+problems, contains) {
			t.Errorf("%q: exit code %d, want %d and %q in\n%s%s", args, code, want, contains, out, problems)
		}
	}
	run(0, "wanted     5 GB (default)\nnextcloud  not known yet\nstatus     pending\n", email)
	run(0, "wanted     20 GB\nnextcloud  not known yet\nstatus     pending\n", strings.ToUpper(email), "20 GB")
	if code, out, problems := s.run(t.Context(), "reconcile"); code != 0 {
		t.Fatal(out, problems)
	}
	run(0, "wanted     20 GB\nnextcloud  20 GB, 1 MB used, as of 20", email)
	s.env["NEXTCLOUD_DEFAULT_QUOTA"] = "10 GB"
	run(0, "wanted     20 GB\n", email)
	run(0, "wanted     10 GB (default)\nnextcloud  20 GB, ", email, "default")
	run(0, "wanted     as it is in Nextcloud\n", email, "keep")

	run(1, "Must be N MB, N GB", email, "5GiB")
	run(1, "", "nobody@example.org")
	run(1, "", "nobody@example.org", "1 GB")
	run(2, `unexpected argument "GB"`, email, "20", "GB")
	run(2, "an argument is missing")
	delete(s.env, "NEXTCLOUD_URL")
	run(1, "NEXTCLOUD_URL is not set", email, "1 GB")
}

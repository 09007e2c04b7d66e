package test_test

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/voiceassist/gateway/docs"
)

// A race is an event between the moment a request is checked and the moment it acts.
type race struct {
	name   string
	parked bool // the client holds back the last byte of the body; otherwise the gateway is held
	happen func(a *assault, r *racer)
}

const (
	afterwards = "an entirely new passphrase"
	fromBefore = "a password in Nextcloud from before"
)

// races returns the events that end the right to do something.
func races() []race {
	logout := func(a *assault, r *racer) {
		r.must(http.StatusNoContent, r.do("POST", "/api/auth/logout", "", r.bearer()))
	}
	disable := func(a *assault, r *racer) {
		r.must(http.StatusOK, r.root.do("PATCH", "/api/users/"+r.id, `{"disabled":true}`, r.root.bearer()))
	}
	return []race{
		{"body held back, logout", true, logout},
		{"body held back, disabling", true, disable},
		{"logout", false, logout},
		{"disabling", false, disable},
		{"change of password", false, func(a *assault, r *racer) {
			body := fmt.Sprintf(`{"old_password":%q,"new_password":%q}`, plain, afterwards)
			r.must(http.StatusOK, r.second.do("POST", "/api/users/change-password", body, r.second.bearer()))
		}},
		{"change of role", false, func(a *assault, r *racer) {
			r.must(http.StatusOK, r.root.do("PATCH", "/api/users/"+r.id, `{"role":"user"}`, r.root.bearer()))
		}},
	}
}

// recheckedDefenses returns the defenses that check a right again when the request acts.
func recheckedDefenses() []string {
	return []string{"LiveLogin", "AccountState", "AdministratorsOnly", "ConfirmedPassword"}
}

// TestAttack_Races ends the right to write in every possible way while each writing route
// handles a request, and prints how often the request acted anyway.
//
// If a client holds back a body, the gateway runs as delivered. Otherwise it has a pause
// between the check and the act, and no other change. `make attack` shows the table.
func TestAttack_Races(t *testing.T) {
	t.Parallel()
	t.Run("every writing route is in a race", func(t *testing.T) {
		t.Parallel()
		known := slices.Clone(publicRoutes)
		for _, c := range writingRoutes() {
			known = append(known, c.route)
		}
		for _, operation := range docs.Operations() {
			method, _, _ := strings.Cut(operation, " ")
			if method != "GET" && method != "HEAD" && !slices.Contains(known, operation) {
				t.Errorf("%s writes, and no race covers it", operation)
			}
		}
	})
	weak := weakenedGateway(t)
	beds := []*testbed{
		{program: gateway(t), does: "as delivered", parked: true},
		{program: weak, does: "on SQLite"},
		{program: weak, does: "on PostgreSQL", env: []string{"DATABASE_URL=" + database(t)}},
		{program: weak, parked: true, off: recheckedDefenses()},
	}
	t.Run("at the gateway", func(t *testing.T) {
		for _, f := range beds {
			t.Run(cmp.Or(f.does, "without defenses"), func(t *testing.T) {
				t.Parallel()
				f.open(t)
				for _, c := range writingRoutes() {
					for _, it := range races() {
						f.race(c, it)
					}
				}
			})
		}
	})
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "route\trace\tattempts\tgot through\tgot through without the defense")
	for _, c := range writingRoutes() {
		for _, it := range races() {
			if !c.has(it) {
				continue
			}
			var defended, lacking tally
			for _, f := range beds {
				sum := &defended
				if f.does == "" {
					sum = &lacking
				}
				got := f.tallies[c.route+it.name]
				sum.attempts, sum.through = sum.attempts+got.attempts, sum.through+got.through
			}
			without := strconv.Itoa(lacking.through)
			switch {
			case lacking.attempts == 0:
				without = "(not run)" // excluded by -run
			case c.stoppedTwice(it):
				without += ", stopped twice"
			case lacking.through == 0:
				t.Errorf("%s during %s: nothing got through without the defense, so the race proves nothing", c.route, it.name)
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", c.route, it.name, defended.attempts, defended.through, without)
		}
	}
	w.Flush()
}

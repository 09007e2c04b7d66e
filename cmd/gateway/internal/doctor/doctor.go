// Package doctor examines the Nextcloud that the gateway is configured for and
// says of everything that it finds wrong how to put it right: from the settings
// over name, certificate and version to an account that is made, used and
// removed again.
//
// Start at [Examine]. It prints nothing; a [Finding] holds no password and
// nothing of the body of an answer. It is gentle: the administrator's password
// is tried once, and not at all where the server counted so many failed logins
// that a further one could lock the gateway out.
package doctor

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// A Level is how bad a [Finding] is.
type Level string

// The levels, from good to bad. Skipped is what could mean nothing after
// another check failed, or was not wanted.
const (
	OK      Level = "ok"
	Skipped Level = "skipped"
	Warning Level = "warning"
	Failed  Level = "failed"
)

// A Finding is what one check found. A check has several where several things
// are wrong.
type Finding struct {
	Check string // a stable word: "dns"
	Level Level
	Text  string        // for people
	Cure  string        // what to do about it; where all is well, what could be better; may be ""
	Took  time.Duration // of the whole check
}

// A Config says what to examine, and how far to go.
type Config struct {
	Settings reconcile.Settings
	ReadOnly bool             // make no app password and no account
	Now      func() time.Time // nil is [time.Now]
	Resolver *net.Resolver    // nil is the system's
	Tell     func(Finding)    // told of each finding as it is made; may be nil
}

// How long the phases may take, and from when on one is slow.
const (
	lookupLimit  = 5 * time.Second
	connectLimit = 5 * time.Second
	answerLimit  = 10 * time.Second // without credentials
	callLimit    = 20 * time.Second // with: more than the longest delay that we accept
	phaseLimit   = 45 * time.Second // of a check of several calls
	removalLimit = 45 * time.Second // for leaving nothing behind, after an interrupt, too
	slow         = 2 * time.Second
)

// Examine makes all checks that can mean something, one after the other, and
// returns what they found, in a fixed order. When ctx ends it stops at once,
// but for removing the account that it made.
func Examine(ctx context.Context, c Config) []Finding {
	x := newExamination(c)
	defer x.close()
	for _, s := range x.steps() {
		x.make(ctx, s)
	}
	return x.findings
}

// Failures returns how many of the findings are failures.
func Failures(all []Finding) int {
	n := 0
	for _, f := range all {
		if f.Level == Failed {
			n++
		}
	}
	return n
}

// An examination is one run of all checks, and what they learned for those
// that follow.
type examination struct {
	Config

	base     *url.URL // nil: none is configured
	proxied  bool     // somebody else resolves and connects
	http     *http.Client
	cloud    *ocs.Client
	dav      *webdav.Client
	findings []Finding
	lost     map[string]string // why a check is nothing to build upon, by its name

	self    netip.Addr // ours, on the connection to the server
	landing landing
	status  nextcloud.Status
	groups  []string // of the administrator
	scratch scratch
}

func newExamination(c Config) *examination {
	x := &examination{Config: c, lost: map[string]string{}}
	if x.Now == nil {
		x.Now = time.Now
	}
	s := c.Settings
	if s.URL == nil {
		return x
	}
	x.base = bare(s.URL)
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: x.base})
	x.proxied = err == nil && proxy != nil
	x.http = nextcloud.HTTPClient(s.Roots, connectLimit)
	x.cloud = ocs.New(ocs.Config{
		URL: x.base, AdminUser: s.Admin, AdminPassword: s.Password, Timeout: callLimit, Roots: s.Roots,
	})
	x.dav = webdav.New(webdav.Config{URL: x.base, Roots: s.Roots, ResponseTimeout: callLimit})
	return x
}

func (x *examination) close() {
	if x.base != nil {
		x.http.CloseIdleConnections()
		x.cloud.Close()
		x.dav.Close()
	}
}

// A step is one check and its place in the order.
type step struct {
	check  string
	needs  []string // the checks without which it means nothing
	run    func(context.Context) []Finding
	limit  time.Duration
	timed  bool // it is one round trip, so it can be slow
	writes bool // left out where nothing may be changed
	always bool // also when the examination was interrupted
}

// The names of the checks.
const (
	checkAddress     = "address"
	checkCredentials = "credentials"
	checkDNS         = "dns"
	checkConnect     = "connect"
	checkTLS         = "tls"
	checkHTTP        = "http"
	checkTrusted     = "trusted-domain"
	checkVersion     = "version"
	checkClock       = "clock"
	checkThrottle    = "throttle"
	checkAdmin       = "admin"
	checkRights      = "admin-rights"
	checkRealness    = "admin-password"
	checkLeftovers   = "leftovers"
	checkScratch     = "scratch-account"
	checkLogin       = "scratch-login"
	checkList        = "dav-list"
	checkPut         = "dav-put"
	checkGet         = "dav-get"
	checkDelete      = "dav-delete"
	checkRemoval     = "scratch-removal"
)

func (x *examination) steps() []step {
	on := func(checks ...string) []string { return checks }
	return []step{
		{check: checkAddress, run: x.address},
		{check: checkCredentials, run: x.credentials},
		{check: checkDNS, needs: on(checkAddress), run: x.lookUp, limit: lookupLimit, timed: true},
		{check: checkConnect, needs: on(checkDNS), run: x.connect, limit: 2 * connectLimit, timed: true},
		{check: checkTLS, needs: on(checkConnect), run: x.handshake, limit: 2 * connectLimit, timed: true},
		{check: checkHTTP, needs: on(checkTLS), run: x.answers, limit: 2 * answerLimit, timed: true},
		{check: checkTrusted, needs: on(checkHTTP), run: x.trusted},
		{check: checkVersion, needs: on(checkTrusted), run: x.version},
		{check: checkClock, needs: on(checkHTTP), run: x.clock},
		{check: checkThrottle, needs: on(checkVersion), run: x.throttle, limit: answerLimit, timed: true},
		{check: checkAdmin, needs: on(checkThrottle, checkCredentials), run: x.admin, limit: callLimit, timed: true},
		{check: checkRights, needs: on(checkAdmin), run: x.rights, limit: callLimit, timed: true},
		{check: checkRealness, needs: on(checkRights), run: x.realness, limit: callLimit, timed: true, writes: true},
		{check: checkLeftovers, needs: on(checkRealness), run: x.leftovers, limit: phaseLimit, writes: true},
		{check: checkScratch, needs: on(checkLeftovers), run: x.makeScratch, limit: callLimit, timed: true, writes: true},
		{check: checkLogin, needs: on(checkScratch), run: x.enterScratch, limit: callLimit, timed: true, writes: true},
		{check: checkList, needs: on(checkLogin), run: x.list, limit: phaseLimit, timed: true, writes: true},
		{check: checkPut, needs: on(checkList), run: x.put, limit: phaseLimit, timed: true, writes: true},
		{check: checkGet, needs: on(checkPut), run: x.get, limit: phaseLimit, timed: true, writes: true},
		{check: checkDelete, needs: on(checkPut), run: x.remove, limit: phaseLimit, timed: true, writes: true},
		{check: checkRemoval, needs: on(checkScratch), run: x.removeScratch, limit: removalLimit, timed: true, writes: true, always: true},
	}
}

// make makes one check, or says why not.
func (x *examination) make(ctx context.Context, s step) {
	if why := x.prevented(ctx, s); why != "" {
		x.lost[s.check] = why
		x.tell(Finding{Check: s.check, Level: Skipped, Text: "not checked, because " + why})
		return
	}
	if s.always {
		ctx = context.WithoutCancel(ctx)
	}
	if s.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.limit)
		defer cancel()
	}
	start := x.Now()
	found := s.run(ctx)
	took := x.Now().Sub(start)
	if s.timed && took > slow {
		found = sluggish(found, took)
	}
	for _, f := range found {
		f.Check, f.Took = s.check, took
		if f.Level == Failed {
			x.lost[s.check] = "the check " + s.check + " failed"
		}
		x.tell(f)
	}
}

// prevented returns why a check is not to be made, or "".
func (x *examination) prevented(ctx context.Context, s step) string {
	if s.always && x.scratch.tried {
		return ""
	}
	for _, n := range s.needs {
		if why := x.lost[n]; why != "" {
			return why
		}
	}
	switch {
	case s.writes && x.ReadOnly:
		return "the run is read-only"
	case ctx.Err() != nil:
		return "the doctor was interrupted"
	}
	return ""
}

func (x *examination) tell(f Finding) {
	x.findings = append(x.findings, f)
	if x.Tell != nil {
		x.Tell(f)
	}
}

// sluggish turns what would be fine into a warning about the time it took.
func sluggish(found []Finding, took time.Duration) []Finding {
	i := slices.IndexFunc(found, func(f Finding) bool { return f.Level == OK })
	if i >= 0 {
		found[i].Level = Warning
		found[i].Text += "; slow: it took " + seconds(took)
		found[i].Cure = strings.TrimLeft(found[i].Cure+" Check the load of the server and the network between; "+
			"the check "+checkThrottle+" shows a delay after failed logins.", " ")
	}
	return found
}

// password is the administrator's.
func (x *examination) password() secret.String { return x.Settings.Password }

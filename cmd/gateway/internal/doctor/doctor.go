// Package doctor examines the Nextcloud that the gateway is configured for, and
// says how to fix each problem: from the settings, the host name, the certificate
// and the version to an account that it creates, uses and removes.
//
// Start with [Examine]. It prints nothing. A [Finding] contains no password and no
// part of a response body. The doctor tries the administrator's password once, and
// never if the server has counted so many failed logins that another one could lock
// the gateway out.
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

// The levels, from good to bad. A check is Skipped if it would be meaningless
// after another one failed, or if the run excludes it.
const (
	OK      Level = "ok"
	Skipped Level = "skipped"
	Warning Level = "warning"
	Failed  Level = "failed"
)

// A Finding is a result of a check. A check that finds several problems has
// several findings.
type Finding struct {
	Check string // a stable identifier, such as "dns"
	Level Level
	Text  string        // for people
	Fix   string        // what to do about the problem; with OK, a possible improvement; may be ""
	Took  time.Duration // of the whole check
}

// A Config says what to examine, and how.
type Config struct {
	Settings reconcile.Settings
	ReadOnly bool             // create no app password and no account
	Now      func() time.Time // nil is [time.Now]
	Resolver *net.Resolver    // nil is the system's
	Report   func(Finding)    // called with each finding at once; may be nil
}

// Timeouts of the checks, and the duration above which one is slow.
const (
	lookupLimit   = 5 * time.Second
	connectLimit  = 5 * time.Second
	answerLimit   = 10 * time.Second // without credentials
	callLimit     = 20 * time.Second // with credentials; more than the longest delay that we accept
	phaseLimit    = 45 * time.Second // for a check with several calls
	removalLimit  = 45 * time.Second // for removing the account, also after an interrupt
	slowThreshold = 2 * time.Second
)

// Examine runs the checks one after the other and returns their findings, in a
// fixed order. It skips checks that depend on a failed one. When ctx ends, it only
// removes the account that it created.
func Examine(ctx context.Context, c Config) []Finding {
	x := newExamination(c)
	defer x.close()
	for _, s := range x.steps() {
		x.runStep(ctx, s)
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

// An examination is one run of all checks. Its fields pass results to later checks.
type examination struct {
	Config

	base     *url.URL // nil if none is configured
	viaProxy bool     // a proxy resolves the name and connects
	http     *http.Client
	cloud    *ocs.Client
	dav      *webdav.Client
	findings []Finding
	unusable map[string]string // by the name of a check: why the checks that need it are skipped

	localAddr netip.Addr // of the connection to the server
	response  response
	status    nextcloud.Status
	groups    []string // of the administrator
	scratch   scratch
}

func newExamination(c Config) *examination {
	x := &examination{Config: c, unusable: map[string]string{}}
	if x.Now == nil {
		x.Now = time.Now
	}
	s := c.Settings
	if s.URL == nil {
		return x
	}
	x.base = baseURL(s.URL)
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: x.base})
	x.viaProxy = err == nil && proxy != nil
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
	needs  []string // skip this check unless all of these succeeded
	run    func(context.Context) []Finding
	limit  time.Duration
	timed  bool // one round trip, so report whether it is slow
	writes bool // skipped in a read-only run
	always bool // runs even after an interrupt
}

// The names of the checks.
const (
	checkAddress       = "address"
	checkCredentials   = "credentials"
	checkDNS           = "dns"
	checkConnect       = "connect"
	checkTLS           = "tls"
	checkHTTP          = "http"
	checkTrusted       = "trusted-domain"
	checkVersion       = "version"
	checkClock         = "clock"
	checkThrottle      = "throttle"
	checkAdmin         = "admin"
	checkRights        = "admin-rights"
	checkAdminPassword = "admin-password"
	checkLeftovers     = "leftovers"
	checkScratch       = "scratch-account"
	checkLogin         = "scratch-login"
	checkList          = "dav-list"
	checkPut           = "dav-put"
	checkGet           = "dav-get"
	checkDelete        = "dav-delete"
	checkRemoval       = "scratch-removal"
)

func (x *examination) steps() []step {
	on := func(checks ...string) []string { return checks }
	return []step{
		{check: checkAddress, run: x.address},
		{check: checkCredentials, run: x.credentials},
		{check: checkDNS, needs: on(checkAddress), run: x.lookUp, limit: lookupLimit, timed: true},
		{check: checkConnect, needs: on(checkDNS), run: x.connect, limit: 2 * connectLimit, timed: true},
		{check: checkTLS, needs: on(checkConnect), run: x.handshake, limit: 2 * connectLimit, timed: true},
		{check: checkHTTP, needs: on(checkTLS), run: x.reachable, limit: 2 * answerLimit, timed: true},
		{check: checkTrusted, needs: on(checkHTTP), run: x.trustedDomain},
		{check: checkVersion, needs: on(checkTrusted), run: x.version},
		{check: checkClock, needs: on(checkHTTP), run: x.clock},
		{check: checkThrottle, needs: on(checkVersion), run: x.throttle, limit: answerLimit, timed: true},
		{check: checkAdmin, needs: on(checkThrottle, checkCredentials), run: x.admin, limit: callLimit, timed: true},
		{check: checkRights, needs: on(checkAdmin), run: x.rights, limit: callLimit, timed: true},
		{check: checkAdminPassword, needs: on(checkRights), run: x.realPassword, limit: callLimit, timed: true, writes: true},
		{check: checkLeftovers, needs: on(checkAdminPassword), run: x.leftovers, limit: phaseLimit, writes: true},
		{check: checkScratch, needs: on(checkLeftovers), run: x.createScratch, limit: callLimit, timed: true, writes: true},
		{check: checkLogin, needs: on(checkScratch), run: x.loginScratch, limit: callLimit, timed: true, writes: true},
		{check: checkList, needs: on(checkLogin), run: x.list, limit: phaseLimit, timed: true, writes: true},
		{check: checkPut, needs: on(checkList), run: x.put, limit: phaseLimit, timed: true, writes: true},
		{check: checkGet, needs: on(checkPut), run: x.get, limit: phaseLimit, timed: true, writes: true},
		{check: checkDelete, needs: on(checkPut), run: x.remove, limit: phaseLimit, timed: true, writes: true},
		{check: checkRemoval, needs: on(checkScratch), run: x.removeScratch, limit: removalLimit, timed: true, writes: true, always: true},
	}
}

// runStep runs one check, or reports why it is skipped.
func (x *examination) runStep(ctx context.Context, s step) {
	if why := x.skipReason(ctx, s); why != "" {
		x.unusable[s.check] = why
		x.report(Finding{Check: s.check, Level: Skipped, Text: "not checked, because " + why})
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
	if s.timed && took > slowThreshold {
		found = markSlow(found, took)
	}
	for _, f := range found {
		f.Check, f.Took = s.check, took
		if f.Level == Failed {
			x.unusable[s.check] = "the check " + s.check + " failed"
		}
		x.report(f)
	}
}

// skipReason returns why the check must be skipped, or "".
func (x *examination) skipReason(ctx context.Context, s step) string {
	if s.always && x.scratch.mayExist {
		return ""
	}
	for _, n := range s.needs {
		if why := x.unusable[n]; why != "" {
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

func (x *examination) report(f Finding) {
	x.findings = append(x.findings, f)
	if x.Report != nil {
		x.Report(f)
	}
}

// markSlow turns the first OK finding into a warning about the duration.
func markSlow(found []Finding, took time.Duration) []Finding {
	i := slices.IndexFunc(found, func(f Finding) bool { return f.Level == OK })
	if i >= 0 {
		found[i].Level = Warning
		found[i].Text += "; slow: it took " + seconds(took)
		found[i].Fix = strings.TrimLeft(found[i].Fix+" Check the load of the server and the network between; "+
			"the check "+checkThrottle+" shows a delay after failed logins.", " ")
	}
	return found
}

// password returns the administrator's password.
func (x *examination) password() secret.String { return x.Settings.Password }

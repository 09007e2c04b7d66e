// Package health implements GET /health, which reports that the process serves, and GET
// /ready, which reports whether its dependencies work.
package health

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/voiceassist/gateway/functions/health/internal/probe"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
)

// A Function reports health. A nil probe means that the dependency is not configured: it
// is reported as "disabled" and does not affect readiness.
type Function struct {
	Database  probe.Probe // always required, as almost every response needs it
	Schema    probe.Probe // always required
	Redis     probe.Probe
	Qdrant    probe.Probe
	Nextcloud probe.Probe
	Requires  []string // which of the others are required; see [Optional]
	Now       func() time.Time
}

// Optional returns the dependencies without which the gateway serves in part: it is
// degraded unless [Function.Requires] names the one that fails.
func Optional() []string { return []string{"redis", "qdrant", "nextcloud"} }

// Routes returns the routes of the function.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "GET /health", Handler: endpoint.Raw(f.health), Limit: ratelimit.Unlimited, Quiet: true},
		{Pattern: "GET /ready", Handler: endpoint.Raw(f.ready), Limit: ratelimit.Unlimited, Quiet: true},
	}
}

// Fresh is how long the result of a probe is reused, for any number of callers.
const Fresh = time.Second

// freshNextcloud is [Fresh] for Nextcloud, where each probe runs PHP and the state changes
// only when an administrator changes it.
const freshNextcloud = 5 * time.Second

// schema returns a probe that fails while the schema is older than the code needs. A newer
// schema works with older code (expand, then contract).
func schema(db *store.DB) probe.Probe {
	return probe.Cached(func(ctx context.Context) error {
		version, err := db.Schema(ctx)
		if err == nil && version < store.SchemaVersion {
			err = &probe.Failure{Text: "the " + store.DescribeOutdated(version)}
		}
		return err
	}, Fresh)
}

func (*Function) health(w http.ResponseWriter, r *http.Request) error {
	endpoint.WriteBytes(w, r, http.StatusOK, "application/json", []byte(`{"status":"ok"}`+"\n"))
	return nil
}

// A check is the state of one dependency.
type check struct {
	Status   string   `json:"status"`               // ok, failed or disabled
	Required bool     `json:"required,omitempty"`   // the gateway is unavailable without it
	Latency  *float64 `json:"latency_ms,omitempty"` // of the probe, which another caller may have started
	Error    string   `json:"error,omitempty"`      // contains no addresses and no text of the dependency
}

type readiness struct {
	Status string `json:"status"` // ready, degraded or unavailable
	Checks struct {
		Database  check `json:"database"`
		Schema    check `json:"schema"`
		Redis     check `json:"redis"`
		Qdrant    check `json:"qdrant"`
		Nextcloud check `json:"nextcloud"`
	} `json:"checks"`
}

// ready probes all dependencies concurrently. It responds with 503 if a required one
// fails, and with 200 otherwise: a load balancer that took every gateway out of service
// because they share a failed dependency would make a part of an outage a whole one. The
// body has the same form in all cases: load balancers read the status code, people read
// the body.
func (f *Function) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), probe.Timeout)
	defer cancel()
	var (
		body readiness
		wg   sync.WaitGroup
	)
	all := []struct {
		probe    probe.Probe
		required bool
		check    *check
	}{
		{f.Database, true, &body.Checks.Database},
		{f.Schema, true, &body.Checks.Schema},
		{f.Redis, slices.Contains(f.Requires, "redis"), &body.Checks.Redis},
		{f.Qdrant, slices.Contains(f.Requires, "qdrant"), &body.Checks.Qdrant},
		{f.Nextcloud, slices.Contains(f.Requires, "nextcloud"), &body.Checks.Nextcloud},
	}
	for _, a := range all {
		wg.Go(func() {
			*a.check = f.ask(ctx, a.probe)
			a.check.Required = a.required && a.probe != nil
		})
	}
	wg.Wait()
	body.Status = "ready"
	status := http.StatusOK
	for _, a := range all {
		switch {
		case a.check.Status != failed:
		case a.required:
			body.Status, status = "unavailable", http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "2")
		case status == http.StatusOK:
			body.Status = "degraded"
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	endpoint.WriteBytes(w, r, status, "application/json", append(text, '\n'))
	return nil
}

const failed = "failed"

func (f *Function) ask(ctx context.Context, p probe.Probe) check {
	if p == nil {
		return check{Status: "disabled"}
	}
	start := f.Now()
	err := p(ctx)
	ms := float64(f.Now().Sub(start).Microseconds()) / 1000
	if err != nil {
		return check{Status: failed, Latency: &ms, Error: words(err)}
	}
	return check{Status: "ok", Latency: &ms}
}

// words describes err in words that any client may see.
func words(err error) string {
	if f, ok := errors.AsType[*probe.Failure](err); ok {
		return f.Text
	}
	return probe.Failed(err).Text
}

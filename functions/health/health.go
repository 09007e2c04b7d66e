// Package health is the function behind GET /health, which says that the
// process serves, and GET /ready, which says whether what it stands on does.
package health

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/voiceassist/gateway/functions/health/internal/probe"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
)

// A Function tells of health. A probe that is nil belongs to a dependency that
// is not configured; it reads "disabled" and fails nothing.
type Function struct {
	Database  probe.Probe
	Schema    probe.Probe
	Redis     probe.Probe
	Qdrant    probe.Probe
	Nextcloud probe.Probe
	Now       func() time.Time
}

// Routes returns what the function serves.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "GET /health", Handler: endpoint.Raw(f.health), Limit: ratelimit.Unlimited},
		{Pattern: "GET /ready", Handler: endpoint.Raw(f.ready), Limit: ratelimit.Unlimited},
	}
}

// Fresh is how long an answer of a dependency is good for, however many ask.
const Fresh = time.Second

// FreshNextcloud is [Fresh] for Nextcloud, which starts PHP for every question
// and whose state an administrator changes by hand.
const FreshNextcloud = 5 * time.Second

// schema returns the probe that fails while the schema is older than the code
// needs. A newer one serves older code (expand, then contract).
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

// A check is how one dependency does.
type check struct {
	Status  string   `json:"status"`               // ok, failed or disabled
	Latency *float64 `json:"latency_ms,omitempty"` // of the question, perhaps of another caller
	Error   string   `json:"error,omitempty"`      // without addresses or foreign text
}

type readiness struct {
	Status string `json:"status"` // ready or unavailable
	Checks struct {
		Database  check `json:"database"`
		Schema    check `json:"schema"`
		Redis     check `json:"redis"`
		Qdrant    check `json:"qdrant"`
		Nextcloud check `json:"nextcloud"`
	} `json:"checks"`
}

// ready asks all dependencies at once and answers 200 when every configured one
// is fine, else 503, in the same form: load balancers read the status, people
// the body.
func (f *Function) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), probe.Timeout)
	defer cancel()
	var (
		body readiness
		wg   sync.WaitGroup
	)
	all := []struct {
		probe probe.Probe
		check *check
	}{
		{f.Database, &body.Checks.Database},
		{f.Schema, &body.Checks.Schema},
		{f.Redis, &body.Checks.Redis},
		{f.Qdrant, &body.Checks.Qdrant},
		{f.Nextcloud, &body.Checks.Nextcloud},
	}
	for _, a := range all {
		wg.Go(func() { *a.check = f.ask(ctx, a.probe) })
	}
	wg.Wait()
	body.Status = "ready"
	status := http.StatusOK
	for _, a := range all {
		if a.check.Status == failed {
			body.Status, status = "unavailable", http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "2")
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

// words says what is wrong in words that are fit for everybody.
func words(err error) string {
	if f, ok := errors.AsType[*probe.Failure](err); ok {
		return f.Text
	}
	return probe.Failed(err).Text
}
